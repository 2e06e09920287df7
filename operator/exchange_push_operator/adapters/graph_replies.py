"""What an answer of Microsoft Graph means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from exchange_push_operator.adapters.foreign_text import first_sentence, short
from exchange_push_operator.adapters.http import CHECK_GATEWAY, Reply
from exchange_push_operator.adapters.http_trouble import lost
from exchange_push_operator.core.errors import (
    GraphFailed,
    PushError,
    Refused,
    Throttled,
    Unreachable,
)
from exchange_push_operator.core.reasons import Reason


def throttled(reply: Reply, host: str) -> Throttled | None:
    """Whether the service asks for patience: 429, or 503 that says how long."""
    pause = reply.retry_after()
    if reply.status_code == 429 or (reply.status_code == 503 and pause is not None):  # noqa: PLR2004 - HTTP
        return Throttled(f"{host}: too many requests; it asks to be left alone for a while", pause)
    return None


def content(reply: Reply, host: str, *, changes: bool) -> Mapping[str, Any]:
    """The body of an answer, ``{}`` for an empty one.

    Raises: GraphFailed, Refused, Throttled, Unreachable, OutcomeUnknown (as ``Graph.send``).
    """
    if not 200 <= reply.status_code < 300:  # noqa: PLR2004 - HTTP's class of successes
        raise _failure(reply, host, changes=changes)
    if not reply.text:
        return {}
    body = reply.json_object()
    if body is None:
        message = f"{host}: the answer is not JSON; {CHECK_GATEWAY}"
        raise lost(message, changes=changes)
    return body


def _failure(reply: Reply, host: str, *, changes: bool) -> PushError:
    """Codes are what decisions rest on; texts are for people (Graph's "error responses")."""
    patience = throttled(reply, host)
    if patience:
        return patience
    if reply.status_code >= 500:  # noqa: PLR2004 - HTTP's class of server errors
        return lost(f"{host}: HTTP {reply.status_code}; the service has trouble", changes=changes)
    error = (reply.json_object() or {}).get("error")
    if not isinstance(error, dict):
        return Unreachable(
            f"{host}: HTTP {reply.status_code} without an error of Graph; {CHECK_GATEWAY}"
        )
    return _refusal(reply.status_code, error, host)


def _refusal(status: int, error: Mapping[str, Any], host: str) -> PushError:
    codes = tuple(dict.fromkeys(_codes(error)))
    code = short(codes[0]) if codes else f"HTTP {status}"
    if status == 401:  # noqa: PLR2004 - HTTP
        cure = "check tenant.cloud and that the application is enabled"
        return Refused(
            Reason.ACCESS_DENIED, f"{host}: the access token is not accepted ({code}); {cure}"
        )
    text = first_sentence(str(error.get("message") or ""))
    return GraphFailed(": ".join(filter(None, (host, code, text))), status=status, codes=codes)


def _codes(error: Mapping[str, Any]) -> Iterator[str]:
    """The code, those of the nested inner errors, those of the details."""
    inner: Any = error
    while isinstance(inner, dict):
        if inner.get("code"):
            yield str(inner["code"])
        inner = inner.get("innerError") or inner.get("innererror")
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and detail.get("code"):
            yield str(detail["code"])
