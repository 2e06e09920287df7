"""Somebody else's text, made fit for messages that must not change from call to call."""

from __future__ import annotations

import re

from exchange_push_operator.core.scrub import scrub

_LONGEST = 200
_SENTENCE_END = re.compile(r"\.(?:\s|$)|[\r\n]|\s*Trace ID:")
# DOMAIN\user and user@domain. What else stands in the entry may be anything, a password too.
_ACCOUNT = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}\\[\w.$-]{1,64}|[\w.+'-]{1,64}@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}"
)


def first_sentence(text: str) -> str:
    """The first sentence without ids, moments and tokens, and without its full stop."""
    sentence = _SENTENCE_END.split(text.strip(), maxsplit=1)[0]
    return short(sentence)


def short(text: str) -> str:
    """A word or a few of them without ids, moments and tokens."""
    return scrub(text)[:_LONGEST]


def account_name(username: str) -> str:
    """The account for messages: by name where the entry of the Secret looks like one."""
    return username if _ACCOUNT.fullmatch(username) else "the account"


def mask(text: str, secret: str) -> str:
    """The text with ``***`` for the secret, in clear or quoted as in a URL or a form."""
    signs = "".join(_spellings(sign) for sign in secret)
    return re.sub(signs, "***", text) if secret else text


def _spellings(sign: str) -> str:
    quoted = "".join(f"%{byte:02X}" for byte in sign.encode("utf-8", "surrogatepass"))
    spellings = [re.escape(sign), f"(?i:{quoted})", *([r"\+"] if sign == " " else [])]
    return f"(?:{'|'.join(spellings)})"
