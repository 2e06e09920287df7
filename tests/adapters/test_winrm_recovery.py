"""Everything that WinRM is known to do on the way, and what becomes of a look and of a change."""

from __future__ import annotations

import threading
from socket import gaierror
from typing import Any

import pytest
from requests.exceptions import ConnectionError as Cut
from requests.exceptions import ReadTimeout, TooManyRedirects
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from winrm.exceptions import (
    WinRMOperationTimeoutError,
)

from adapters.scripted_wire import CHANGE, EX1, EX2, EX3, LOOKS, Fixture, fault, http
from exchange_push_operator.core.errors import (
    OutcomeUnknown,
    PushError,
    Refused,
    SpecError,
    Throttled,
    Unreachable,
)
from exchange_push_operator.core.reasons import Reason


@pytest.fixture
def lab() -> Fixture:
    return Fixture()


def test_a_start_costs_four_requests_and_a_warm_batch_two(lab: Fixture) -> None:
    lab.look()
    assert lab.world.verbs == ["create", "command", "send", "receive"]
    lab.look()
    assert lab.world.verbs[4:] == ["send", "receive"]
    assert lab.pool.counters == {
        "starts": 1,
        "resets": 0,
        "resends": 0,
        "requests": 6,
        "calls": 2,
    }


def test_a_change_on_a_cold_server_waits_for_the_ready_line(lab: Fixture) -> None:
    lab.change()
    assert lab.world.verbs == ["create", "command", "send", "receive", "send", "receive"]
    assert b"Restart-Service" not in lab.world.sent[0]


def test_answers_come_although_cmdlets_write_to_the_console(lab: Fixture) -> None:
    lab.world.noise = b'WARNING: \xfc\n{"id": "other", "boot": "x"}\n[]\nno newline at the end'
    assert len(lab.look()) == 2


def test_a_batch_stops_at_the_first_error_when_it_changes_something(lab: Fixture) -> None:
    lab.change()
    assert b'"stopOnError":true' in lab.world.sent[-1]
    lab.look()
    assert b'"stopOnError":false' in lab.world.sent[-1]


@pytest.mark.parametrize("verb", ["create", "command", "send", "receive"])
def test_a_stale_connection_is_renewed_and_nothing_runs_twice(lab: Fixture, verb: str) -> None:
    lab.fails(verb, http(400))
    lab.look()
    assert lab.world.ran == [look.name for look in LOOKS]
    assert lab.pool.counters["starts"] == 1
    assert lab.pool.counters["resets"] == 1


def test_a_connection_that_idled_is_not_trusted(lab: Fixture) -> None:
    lab.look()
    lab.clock.now += 91
    lab.change()
    assert lab.world.verbs[4:] == ["close_session", "send", "receive"]


@pytest.mark.parametrize("batch", ["look", "change"])
@pytest.mark.parametrize(
    ("verb", "error"),
    [
        ("after receive", Cut()),
        ("after receive", ReadTimeout()),
        ("receive", http(500)),
        ("send", Cut()),
        ("after send", Cut()),
        ("send", http(503)),
    ],
)
def test_a_lost_answer_is_asked_for_again_and_nothing_runs_twice(
    lab: Fixture, verb: str, error: BaseException, batch: str
) -> None:
    lab.look()
    lab.world.ran.clear()
    lab.fails(verb, error)
    lab.look() if batch == "look" else lab.change()
    assert len(lab.world.ran) == len(LOOKS if batch == "look" else CHANGE)
    assert lab.pool.counters["starts"] == 1
    assert lab.pool.counters["resends"] == 1


@pytest.mark.parametrize("verb", ["send", "after send"])
@pytest.mark.parametrize("error", [fault(170), fault(1460), WinRMOperationTimeoutError()])
def test_a_busy_send_is_repeated(lab: Fixture, verb: str, error: BaseException) -> None:
    lab.look()
    lab.fails(verb, error, error)
    lab.change()
    assert lab.world.ran.count("Restart-Service") == 1
    assert lab.pool.counters["starts"] == 1


def test_an_operation_timeout_only_says_that_it_still_runs(lab: Fixture) -> None:
    lab.fails("receive", *[WinRMOperationTimeoutError()] * 3)
    assert len(lab.look()) == 2
    assert lab.pool.counters["starts"] == 1


GONE = [
    pytest.param("send", fault(2150858843), id="the shell is gone"),
    pytest.param("send", fault(109), id="broken pipe"),
    pytest.param("receive", fault(2150858843), id="the shell is gone before the answer"),
    pytest.param("receive", AssertionError(), id="pywinrm does not believe the answer"),
    pytest.param("receive", KeyError("Content-Type"), id="an answer without a type"),
    pytest.param("receive", StopIteration(), id="an answer without an element"),
]


@pytest.mark.parametrize(("verb", "error"), GONE)
def test_a_look_gets_a_new_process_once(lab: Fixture, verb: str, error: BaseException) -> None:
    lab.look()
    lab.fails(verb, error)
    assert len(lab.look()) == 2
    assert lab.pool.counters["starts"] == 2
    lab.fails(verb, error, error)
    with pytest.raises(Unreachable):
        lab.look()


@pytest.mark.parametrize(("verb", "error"), GONE)
def test_a_change_that_was_sent_to_a_process_that_is_gone_is_not_repeated(
    lab: Fixture, verb: str, error: BaseException
) -> None:
    lab.look()
    lab.fails(verb, error)
    with pytest.raises(OutcomeUnknown):
        lab.change()
    assert lab.pool.counters["starts"] == 1


def test_a_start_that_fails_is_not_a_change_whose_outcome_is_unknown(lab: Fixture) -> None:
    lab.fails("receive", *[fault(2150858843)] * 2)
    with pytest.raises(Unreachable):
        lab.change()


@pytest.mark.parametrize(("batch", "expected"), [("look", Unreachable), ("change", OutcomeUnknown)])
def test_an_answer_that_is_overdue_ends_the_process(
    lab: Fixture, batch: str, expected: type[PushError]
) -> None:
    lab.look()

    def hang(_: dict[str, Any]) -> dict[str, Any]:
        lab.clock.now += 1000
        lab.fails("receive", WinRMOperationTimeoutError())
        return {"ok": True, "output": [], "errors": []}

    lab.world.results = hang
    with pytest.raises(expected):
        lab.look() if batch == "look" else lab.change()
    assert not lab.world.open_shells


@pytest.mark.parametrize(("batch", "expected"), [("look", Unreachable), ("change", OutcomeUnknown)])
def test_a_stuck_cmdlet_ends_the_process(
    lab: Fixture, batch: str, expected: type[PushError]
) -> None:
    lab.world.overrides = {"stuck": True}
    with pytest.raises(expected):
        lab.look() if batch == "look" else lab.change()
    assert not lab.world.open_shells
    lab.world.overrides = {}
    lab.change()


@pytest.mark.parametrize(("batch", "expected"), [("look", Unreachable), ("change", OutcomeUnknown)])
@pytest.mark.parametrize(
    "override", [{"boot": "another"}, {"fatal": "unknown request"}, {"results": [None]}]
)
def test_an_answer_that_is_not_right_is_not_believed(
    lab: Fixture, override: dict[str, Any], batch: str, expected: type[PushError]
) -> None:
    lab.world.overrides = override
    with pytest.raises(expected):
        lab.look() if batch == "look" else lab.change()


@pytest.mark.parametrize(("batch", "expected"), [("look", Unreachable), ("change", OutcomeUnknown)])
def test_an_exchange_session_that_breaks_under_a_cmdlet_is_doubt(
    lab: Fixture, batch: str, expected: type[PushError]
) -> None:
    error = {"message": "x", "reason": "PSRemotingTransportException", "where": "cmdlet"}
    lab.world.results = lambda _: {"ok": False, "output": [], "errors": [error]}
    with pytest.raises(expected):
        lab.look() if batch == "look" else lab.change()


@pytest.mark.parametrize("error", [fault(2150859174), fault(2150859242), fault(1, wmi=2150859173)])
def test_a_quota_asks_for_minutes(lab: Fixture, error: BaseException) -> None:
    lab.fails("create", error)
    with pytest.raises(Throttled) as caught:
        lab.look()
    assert caught.value.retry_after is not None
    assert caught.value.retry_after >= 120


NETWORK = [
    pytest.param(
        NameResolutionError("ex1", HTTPConnection("ex1"), gaierror(-2, "x")), "resolve", id="name"
    ),
    pytest.param(NewConnectionError(HTTPConnection("ex1"), "[Errno 111]"), "listens", id="refused"),
    pytest.param(ConnectTimeoutError(), "firewalls", id="silence"),
]


@pytest.mark.parametrize(("cause", "word"), NETWORK)
def test_a_server_that_cannot_be_reached_is_told_apart_and_tried_once(
    lab: Fixture, cause: Exception, word: str
) -> None:
    lab.fails("create", Cut(cause))
    with pytest.raises(Unreachable, match=word) as caught:
        lab.look()
    assert EX1 in str(caught.value)
    assert "Errno" not in str(caught.value)
    assert lab.world.verbs == ["create", "close_session"]


@pytest.mark.parametrize(("cause", "word"), NETWORK)
def test_a_change_that_never_left_is_not_unknown(lab: Fixture, cause: Exception, word: str) -> None:
    lab.look()
    lab.fails("send", *[Cut(cause)] * 5)
    with pytest.raises(Unreachable, match=word):
        lab.change()


def test_a_change_is_unknown_when_the_connection_stays_away_after_it_was_sent(
    lab: Fixture,
) -> None:
    lab.look()
    lab.fails("receive", Cut())
    lab.fails("send", None, *[Cut(ConnectTimeoutError())] * 4)
    with pytest.raises(OutcomeUnknown):
        lab.change()


def test_a_redirect_is_not_followed(lab: Fixture) -> None:
    lab.fails("create", TooManyRedirects())
    with pytest.raises(Unreachable, match="redirect"):
        lab.look()


def test_an_account_without_the_right_to_a_shell_is_refused(lab: Fixture) -> None:
    lab.fails("create", fault(5))
    with pytest.raises(Refused) as caught:
        lab.look()
    assert caught.value.reason is Reason.ACCESS_DENIED


def test_a_host_script_that_arrives_altered_is_said_to_be(lab: Fixture) -> None:
    lab.world.dies_with = 97
    with pytest.raises(Unreachable, match="altered"):
        lab.look()


def test_a_powershell_that_is_not_allowed_to_run_the_script_needs_a_person(lab: Fixture) -> None:
    lab.world.dies_with = 1
    with pytest.raises(Refused, match="AppLocker"):
        lab.look()
    assert lab.pool.counters["starts"] == 2


@pytest.mark.parametrize(
    ("ready", "expected"),
    [
        ({"bits": 32}, Unreachable),
        ({"version": "ABC"}, Unreachable),
        ({"host": "EX7"}, SpecError),
    ],
)
def test_a_host_that_is_another_one_is_not_used(
    lab: Fixture, ready: dict[str, Any], expected: type[PushError]
) -> None:
    lab.world.ready = ready
    with pytest.raises(expected):
        lab.change()
    assert lab.world.ran == []
    assert not lab.world.open_shells


def test_a_process_is_closed_after_a_minute_and_told_so_that_it_closes_its_session(
    lab: Fixture,
) -> None:
    lab.look()
    lab.pool.close_idle(lab.clock.now + 59)
    assert lab.world.open_shells
    lab.pool.close_idle(lab.clock.now + 60)
    assert not lab.world.open_shells
    assert lab.world.verbs[4:] == ["send", "receive", "delete", "close_session"]
    lab.look()
    assert lab.pool.counters["starts"] == 2


def test_a_process_does_not_grow_old(lab: Fixture) -> None:
    lab.look()
    lab.clock.now += 3601
    lab.look()
    assert lab.pool.counters["starts"] == 2
    assert len(lab.world.open_shells) == 1


def test_closing_ends_every_process_and_asks_nothing_any_more(lab: Fixture) -> None:
    for server in (EX1, EX2, EX3):
        lab.look(server)
    lab.pool.close()
    assert not lab.world.open_shells
    with pytest.raises(Unreachable, match="stopping"):
        lab.look()


def test_servers_are_asked_side_by_side_and_one_server_one_after_the_other(lab: Fixture) -> None:
    lab.look(EX1)
    lab.look(EX2)
    meeting = threading.Barrier(2, timeout=10)
    inside = threading.Semaphore(1)

    def meet(call: dict[str, Any]) -> dict[str, Any]:
        if call["cmdlet"] == "Get-AuthConfig":
            meeting.wait()
        return {"ok": True, "output": [], "errors": []}

    def alone(_: dict[str, Any]) -> dict[str, Any]:
        assert inside.acquire(blocking=False)
        inside.release()
        return {"ok": True, "output": [], "errors": []}

    lab.world.results = meet
    run_together(lambda: lab.look(EX1), lambda: lab.look(EX2))
    lab.world.results = alone
    run_together(*[lambda: lab.look(EX1)] * 4)


def run_together(*tasks: Any) -> None:
    failures: list[BaseException] = []

    def guarded(task: Any) -> None:
        try:
            task()
        except BaseException as error:  # noqa: BLE001 - handed to the test below
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_an_empty_batch_sends_nothing(lab: Fixture) -> None:
    assert lab.exchange().run(EX1, ()) == ()
    assert lab.world.verbs == []
