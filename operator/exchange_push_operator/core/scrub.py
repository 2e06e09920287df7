"""Texts of others, made fit to be shown: in a status without what is another at each call.

Secrets are kept out of texts where these are made; ``redact`` is the net below that.
"""

from __future__ import annotations

import re

_DATE = (
    r"(?:\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./](?:19|20)\d{2}(?![.\d])"
    r"|(?:19|20)\d{2}/\d{1,2}/\d{1,2}"  # as a Chinese server writes it
    r"|\d{1,2} [A-Z][a-z]{2} \d{4})"
)
_VOLATILE = re.compile(
    r"eyJ[\w-]+(?:\.[\w-]*)+|eyJ[\w-]{8,}"  # a token
    r"|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"  # a request id
    rf"|{_DATE}(?:[T ]\d{{1,2}}[:.]\d{{2}}(?:[:.]\d{{2}}(?:\.\d+)?)?(?: ?[AP]M)?"
    r"(?:Z|[+-]\d{2}:?\d{2}\b)?)?"
    r"|(?<!\d)\d{1,2}:\d{2}:\d{2}(?:\.\d+)?(?: ?[AP]M)?"  # a time or a duration
)
_SECRET = re.compile(
    r"eyJ[\w-]{8,}\.[\w.-]*"  # a token, whole or cut off in its second part
    r"|(?:Bearer|Basic|Negotiate) +[\w.~+/=-]{16,}"  # what an Authorization header has
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[\w\s+/=-]|\\n)*"  # line ends as JSON has them too
)


def redact(text: str) -> str:
    """The text with ``***`` in place of what looks like a token, a header or a private key."""
    return _SECRET.sub("***", text)


def scrub(text: str) -> str:
    """One line without tokens, ids and times, which UTF-8 can hold.

    A condition with them would be written at every pass, and half of a surrogate pair comes back
    from the API server as another sign.
    """
    return " ".join(_VOLATILE.sub("...", encodable(text)).split())


def encodable(text: str) -> str:
    """The text with a question mark for every half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode()
