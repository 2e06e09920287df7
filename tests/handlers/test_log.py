"""Log lines: one for a pass, with its fields, and no secret by any way."""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import pytest

from exchange_push_operator import log
from exchange_push_operator.core.errors import Unreachable
from exchange_push_operator.core.ports import Sensitive
from exchange_push_operator.core.schedule import Requeue
from exchange_push_operator.reconcile import Outcome
from lab.canary import CANARIES

OURS = logging.getLogger("exchange_push_operator.handlers.controller")
RESOURCE = {"metadata": {"namespace": "exchange", "name": "fabrikam", "generation": 3}}
STATUS = {"conditions": [{"type": "Ready", "status": "True", "reason": "Succeeded"}]}
STEADY = Requeue("steady", 3600, 120)

Lines = Callable[[], list[str]]


def lines_of(form: str, level: str = "info") -> Iterator[Lines]:
    root, ours = logging.getLogger(), logging.getLogger("exchange_push_operator")
    before = root.handlers[:], root.level, ours.level
    stream = io.StringIO()
    handler = log.handler(form, stream)
    root.handlers[:] = [handler]
    log.set_levels(level)
    yield lambda: stream.getvalue().splitlines()
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])


@pytest.fixture
def text() -> Iterator[Lines]:
    yield from lines_of("text")


@pytest.fixture
def machine() -> Iterator[Lines]:
    yield from lines_of("json")


@pytest.fixture
def debug() -> Iterator[Lines]:
    yield from lines_of("text", "debug")


def record(lines: Lines) -> dict[str, Any]:
    (line,) = lines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_pass_is_one_line_with_all_that_machines_ask_for(machine: Lines) -> None:
    outcome = Outcome(STATUS, STEADY, changes=("Enable-PushNotificationProxy",))
    with log.about(object="exchange/fabrikam", reconcile_id="1a2b3c4d"):
        log.reconciled(OURS, RESOURCE, outcome, log.Effort("changed", 0.8121, 7))
    line = record(machine)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "logger": "exchange_push_operator.handlers.controller",
        "message": "reconciled",
        "object": "exchange/fabrikam",
        "reconcile_id": "1a2b3c4d",
        "generation": 3,
        "result": "changed",
        "ready": "True/Succeeded",
        "changes": ["Enable-PushNotificationProxy"],
        "duration_ms": 812,
        "remote_calls": 7,
    }


def test_a_pass_is_one_line_that_people_can_read(text: Lines) -> None:
    with log.about(object="exchange/fabrikam", reconcile_id="1a2b3c4d"):
        log.reconciled(OURS, RESOURCE, Outcome(STATUS, STEADY), log.Effort("noop", 0.8121, 3))
    (line,) = text()
    assert line.partition(" ")[2] == (
        "INFO    exchange/fabrikam: reconciled reconcile_id=1a2b3c4d generation=3 "
        "result=noop ready=True/Succeeded duration_ms=812 remote_calls=3"
    )


def test_why_something_is_not_ready_is_on_the_line(text: Lines) -> None:
    trouble = {"status": "False", "reason": "SecretNotFound", "message": "Secret a/b is missing"}
    status = {"conditions": [{"type": "Ready", **trouble}]}
    outcome = Outcome(status, Requeue("stalled", 1, 1))
    log.reconciled(OURS, RESOURCE, outcome, log.Effort("stalled", 0))
    (line,) = text()
    assert 'ready=False/SecretNotFound why="Secret a/b is missing"' in line


def test_a_pass_that_was_broken_off_is_one_line_too(machine: Lines) -> None:
    log.broken_off(OURS, logging.WARNING, "no answer", log.Effort("retry", 0.25, 2))
    line = record(machine)
    assert (line["message"], line["level"], line["result"]) == ("no answer", "warning", "retry")
    assert (line["duration_ms"], line["remote_calls"]) == (250, 2)


def test_a_line_of_a_thread_names_the_object_too(machine: Lines) -> None:
    with ThreadPoolExecutor(1) as pool, log.about(object="exchange/fabrikam"):
        pool.submit(copy_context().run, OURS.info, "asked ex1").result()
    assert record(machine)["object"] == "exchange/fabrikam"


def test_what_is_about_one_object_is_not_about_the_next(machine: Lines) -> None:
    with log.about(object="exchange/fabrikam"):
        pass
    OURS.info("idle")
    assert "object" not in record(machine)


def test_a_sensitive_value_is_not_shown(text: Lines) -> None:
    OURS.info("password %s, %r", Sensitive.of("hunter2"), Sensitive.of("hunter2"))
    assert "hunter2" not in "".join(text())


TOKEN = "hunter2"


def send_with(token: str) -> None:
    try:
        int(token)  # a library that quotes what it choked on
    except ValueError as error:
        raise Unreachable("graph.microsoft.com does not answer") from error


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_text_of_a_foreign_exception_is_not_shown(form: str) -> None:
    for lines in lines_of(form):
        try:
            send_with(TOKEN)
        except Unreachable:
            OURS.exception("a bug ended the pass")
        shown = "".join(lines())
        assert TOKEN not in shown
        assert "graph.microsoft.com does not answer" in shown
        assert "ValueError" in shown
        assert "test_log.py" in shown


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    "secret",
    [
        "eyJhbGciOiJQUzI1NiJ9.eyJhdWQiOiJhcGk6Ly8ifQ.c2lnbmF0dXJl",
        "Authorization: Bearer 0.AbCdEfGhIjKlMnOpQr",
        "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA and cut off",
    ],
    ids=["token", "header", "key", "half a key"],
)
def test_what_looks_like_a_secret_is_not_shown(form: str, secret: str) -> None:
    for lines in lines_of(form):
        OURS.info("the server said: %s", secret)
        (line,) = lines()
        shown = json.loads(line)["message"] if form == "json" else line
        assert shown.partition("said: ")[2].removeprefix("Authorization: ") == "***"
    CANARIES.take()  # they were put there on purpose


def test_a_certificate_is_shown_as_it_is(machine: Lines) -> None:
    public = "MIIDazCCAlOgAwIBAgIUeyJhbGciOiJQUzI1NiJ9+/eyJhbGciOiJQUzI1NiJ9="
    OURS.info("key %s", public)
    assert record(machine)["message"] == f"key {public}"


def test_what_a_server_said_cannot_look_like_a_line_of_ours(text: Lines) -> None:
    OURS.warning("ex1 said: no\n2026-11-21 ERROR  all is lost\x1b[31m")
    assert len(text()) == 1
    assert "\x1b" not in text()[0]


def test_a_field_cannot_look_like_a_line_of_ours_either(text: Lines) -> None:
    OURS.warning("ended", extra={"fields": {"why": "no\nERROR\x9b31m", "changes": ["a\u2028b"]}})
    assert len(text()) == 1
    assert text()[0].isprintable()


@pytest.mark.parametrize("library", ["kopf.objects", "kubernetes.client.rest", "urllib3", "msal"])
def test_libraries_log_warnings_only_whatever_the_level(debug: Lines, library: str) -> None:
    # The Kubernetes client writes whole bodies, Secrets too, at its debug level.
    logging.getLogger(library).debug("response body: hunter2")
    logging.getLogger(library).info("response body: hunter2")
    OURS.debug("ours")
    assert [line.rpartition(" ")[2] for line in debug()] == ["ours"]


THREAD = """
import threading
from exchange_push_operator import log
log.configure("json", "error")
def end():
    raise ValueError("hunter2")
threading.Thread(target=end, name="events").start()
"""


@pytest.mark.lab
def test_a_thread_that_ends_by_a_bug_is_one_line_without_foreign_text() -> None:
    command = [sys.executable, "-c", THREAD]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    line: dict[str, Any] = json.loads(done.stderr)
    assert line["message"] == "the thread events ends"
    assert "ValueError" in line["exception"]
    assert "hunter2" not in done.stderr


WRITES = """
from exchange_push_operator import log
log.configure("text", "error")
with log.about(object="exchange/fabrikam", reconcile_id="1a2b3c4d"):
    log.audit("pod-1")({"cmdlet": "Disable-PushNotificationProxy", "outcome": "succeeded"})
"""


@pytest.mark.lab
def test_the_audit_is_json_whatever_people_read_and_is_never_switched_off() -> None:
    command = [sys.executable, "-c", WRITES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    line: dict[str, Any] = json.loads(done.stderr)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "logger": "exchange_push_operator.audit",
        "message": "write",
        "object": "exchange/fabrikam",
        "reconcile_id": "1a2b3c4d",
        "audit": True,
        "instance": "pod-1",
        "cmdlet": "Disable-PushNotificationProxy",
        "outcome": "succeeded",
    }
