"""Somebody else's error text, made fit for a condition: one sentence that does not change."""

from __future__ import annotations

import re

_LONGEST = 200
_SENTENCE_END = re.compile(r"\.(?:\s|$)|[\r\n]|\s*Trace ID:")
# Ids and moments differ from call to call; a condition with them would be written at every pass.
# Three dots stand for them, and for anything that looks like a token.
_CHANGING = re.compile(
    r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?"
    r"|eyJ[\w-]{8,}(?:\.[\w-]*)*",
    re.IGNORECASE,
)


def first_sentence(text: str) -> str:
    """The first sentence without ids, moments and tokens, and without its full stop."""
    sentence = _SENTENCE_END.split(text.strip(), maxsplit=1)[0]
    return _CHANGING.sub("…", sentence).strip()[:_LONGEST]
