"""Each answer of Graph becomes the error that says what to do next."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from exchange_push_operator.adapters.foreign_text import first_sentence
from exchange_push_operator.adapters.graph_replies import content
from exchange_push_operator.adapters.http import Reply
from exchange_push_operator.core.errors import (
    GraphFailed,
    OutcomeUnknown,
    PushError,
    Refused,
    Throttled,
    Unreachable,
)

NONE: Mapping[str, str] = {}
HOST = "graph.microsoft.com"
TIMED = {"date": "2026-11-21T09:00:00", "request-id": "5f0e0000-0000-4000-8000-000000000000"}


def error(code: str, message: str = "It went wrong.", **more: Any) -> str:
    return json.dumps({"error": {"code": code, "message": message, "innerError": TIMED, **more}})


def failure(
    status: int, text: str = "", headers: Mapping[str, str] = NONE, *, changes: bool = False
) -> PushError:
    reply = Reply(status, headers, text)
    with pytest.raises(PushError) as failed:
        content(reply, HOST, changes=changes)
    return failed.value


@pytest.mark.parametrize("text", ["", "{}"])
def test_a_success_without_a_body_is_an_empty_answer(text: str) -> None:
    assert content(Reply(204, {}, text), HOST, changes=True) == {}


def test_a_success_is_its_body() -> None:
    assert content(Reply(200, {}, '{"id": "1"}'), HOST, changes=False) == {"id": "1"}


@pytest.mark.parametrize(
    ("status", "text", "headers", "look", "change"),
    [
        (200, "<html>", {}, Unreachable, OutcomeUnknown),
        (200, "[]", {}, Unreachable, OutcomeUnknown),
        (400, error("Request_BadRequest"), {}, GraphFailed, GraphFailed),
        (401, error("InvalidAuthenticationToken"), {}, Refused, Refused),
        (403, error("Authorization_RequestDenied"), {}, GraphFailed, GraphFailed),
        (404, error("Request_ResourceNotFound"), {}, GraphFailed, GraphFailed),
        (409, error("Directory_ConcurrencyViolation"), {}, GraphFailed, GraphFailed),
        (403, "<html>blocked by the proxy</html>", {}, Unreachable, Unreachable),
        (407, "", {}, Unreachable, Unreachable),
        (404, '{"error": "not the shape of Graph"}', {}, Unreachable, Unreachable),
        (429, error("TooManyRequests"), {"Retry-After": "30"}, Throttled, Throttled),
        (429, "", {}, Throttled, Throttled),
        (503, "", {"Retry-After": "30"}, Throttled, Throttled),
        (503, error("serviceUnavailable"), {}, Unreachable, OutcomeUnknown),
        (500, "", {}, Unreachable, OutcomeUnknown),
        (502, "<html>", {}, Unreachable, OutcomeUnknown),
        (504, "", {"Retry-After": "30"}, Unreachable, OutcomeUnknown),
    ],
)
def test_every_status_is_one_kind_of_error(
    status: int,
    text: str,
    headers: dict[str, str],
    look: type[PushError],
    change: type[PushError],
) -> None:
    assert type(failure(status, text, headers)) is look
    assert type(failure(status, text, headers, changes=True)) is change


@pytest.mark.parametrize(("headers", "expected"), [({"Retry-After": "30"}, 30.0), ({}, None)])
def test_the_pause_asked_for_is_kept(headers: dict[str, str], expected: float | None) -> None:
    throttled = failure(429, "", headers)
    assert isinstance(throttled, Throttled)
    assert throttled.retry_after == expected
    assert "30" not in str(throttled)


def test_every_code_is_kept_outermost_first_and_once() -> None:
    inner = {**TIMED, "code": "Inner", "innerError": {"code": "Innermost"}}
    details = [{"code": "KeyNotUpdatable"}, {"code": "Request_BadRequest"}, {"target": "x"}]
    text = error("Request_BadRequest", innerError=inner, details=details)
    failed = failure(400, text)
    assert isinstance(failed, GraphFailed)
    assert failed.status == 400
    assert failed.codes == ("Request_BadRequest", "Inner", "Innermost", "KeyNotUpdatable")


def test_an_error_without_code_or_text_still_has_a_message() -> None:
    failed = failure(400, '{"error": {"details": null}}')
    assert isinstance(failed, GraphFailed)
    assert (str(failed), failed.codes) == (f"{HOST}: HTTP 400", ())


def test_the_message_is_one_sentence_that_does_not_change_from_call_to_call() -> None:
    text = (
        "Resource '5f0e0000-0000-4000-8000-000000000000' was not there at 2026-11-21T09:00:00Z. "
        "Please try later."
    )
    assert str(failure(404, error("Request_ResourceNotFound", text))) == (
        f"{HOST}: Request_ResourceNotFound: Resource '...' was not there at ..."
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("One. Two.", "One"),
        ("Build 15.2.2562 is e.g.too old.", "Build 15.2.2562 is e.g.too old"),
        ("One\r\nTrace ID: 5f0e", "One"),
        ("One Trace ID: 5f0e", "One"),
        ("Token eyJhbGciOiJQUzI1NiJ9.eyJhdWQiOiJ4In0.c2ln is bad", "Token ... is bad"),
        ("at 2026-11-21 09:00:00Z", "at ..."),
        ("x" * 500, "x" * 200),
    ],
)
def test_a_foreign_text_is_cut_to_its_first_sentence(text: str, expected: str) -> None:
    assert first_sentence(text) == expected
