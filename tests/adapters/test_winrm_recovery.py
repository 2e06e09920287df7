"""The table of recoveries of ``winrm_server``, row by row: what becomes of a look, of a change."""

from __future__ import annotations

from typing import Any

import pytest
from requests.exceptions import ConnectionError as Cut
from requests.exceptions import ReadTimeout
from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError

from adapters.scripted_wire import CHANGE, EX1, LOOKS, Fixture, fault, http
from exchange_push_operator.core.errors import (
    OutcomeUnknown,
    PushError,
    Refused,
    Throttled,
    Unreachable,
)

BATCHES = pytest.mark.parametrize("batch", ["look", "change"])
ENDS = pytest.mark.parametrize(
    ("batch", "expected"), [("look", Unreachable), ("change", OutcomeUnknown)]
)
# wsmerror.h: shells, operations, users and their rates, for a user, a plug-in or the system.
QUOTAS = [
    2150859173,
    2150859174,
    2150859175,
    2150859176,
    2150859179,
    *range(2150859236, 2150859243),
]


@pytest.fixture
def lab() -> Fixture:
    return Fixture()


def run(lab: Fixture, batch: str) -> list[str]:
    """Run a look or a change; what the host ran for it."""
    lab.world.ran.clear()
    lab.look() if batch == "look" else lab.change()
    return lab.world.ran


def once(batch: str) -> list[str]:
    return [command.name for command in (LOOKS if batch == "look" else CHANGE)]


# idle for 90 s


@BATCHES
def test_a_connection_idle_for_90_s_is_renewed_before_it_is_used(lab: Fixture, batch: str) -> None:
    lab.look()
    lab.clock.now += 91
    assert run(lab, batch) == once(batch)
    signs_in = ["send"] if batch == "change" else []  # so that the change leaves at once
    assert lab.world.verbs[4:] == ["close_session", *signs_in, "send", "receive"]


def test_a_connection_idle_for_89_s_is_used_as_it_is(lab: Fixture) -> None:
    lab.look()
    lab.clock.now += 89
    lab.look()
    assert lab.world.verbs[4:] == ["send", "receive"]


# HTTP 400


@BATCHES
@pytest.mark.parametrize("verb", ["create", "command", "send", "receive"])
def test_a_400_is_answered_with_a_new_connection_and_the_same_call(
    lab: Fixture, verb: str, batch: str
) -> None:
    lab.fails(verb, http(400))
    assert run(lab, batch) == once(batch)
    assert lab.pool.counters["starts"] == 1
    assert lab.pool.counters["resets"] == 1
    assert lab.pool.counters["resends"] == 0


def test_a_400_that_stays_is_not_repeated_for_ever(lab: Fixture) -> None:
    lab.fails("create", http(400), http(400))
    with pytest.raises(Unreachable):
        lab.look()
    assert lab.world.count("create") == 2


# operation timeout on Receive


@BATCHES
def test_an_operation_timeout_on_receive_says_that_it_still_runs(lab: Fixture, batch: str) -> None:
    lab.look()
    lab.fails("receive", *[WinRMOperationTimeoutError()] * 3)
    assert run(lab, batch) == once(batch)
    assert lab.world.verbs[4:] == ["send", *["receive"] * 4]


# the connection is cut, the answer is lost

LOST = pytest.mark.parametrize(
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


@BATCHES
@LOST
def test_a_lost_answer_is_asked_for_again_by_its_id_and_nothing_runs_twice(
    lab: Fixture, verb: str, error: BaseException, batch: str
) -> None:
    lab.look()
    lab.fails(verb, error)
    assert run(lab, batch) == once(batch)
    assert lab.pool.counters["starts"] == 1
    assert lab.pool.counters["resends"] == 1
    assert lab.world.count("close_session") == 1, "the old connection's keys are worth nothing"
    requests = [line for line in lab.world.sent[1:] if line != b"\n"]
    assert len(set(requests)) == 1, "the same request with the same id"


def test_an_answer_that_is_lost_again_and_again_is_asked_for_with_growing_pauses(
    lab: Fixture,
) -> None:
    lab.look()
    lab.fails("after receive", *[Cut()] * 4)
    before = lab.clock.now
    assert run(lab, "change") == once("change")
    assert lab.clock.now - before == 0.5 + 1 + 2 + 4


@ENDS
def test_an_answer_that_stays_lost_is_given_up(
    lab: Fixture, batch: str, expected: type[PushError]
) -> None:
    lab.look()
    lab.fails("after receive", *[Cut()] * 5)
    with pytest.raises(expected):
        run(lab, batch)
    assert lab.pool.counters["starts"] == 1


@ENDS
def test_a_request_is_not_sent_again_after_its_deadline(
    lab: Fixture, batch: str, expected: type[PushError]
) -> None:
    lab.clock.step = 400.0
    lab.look()
    lab.fails("after send", *[Cut()] * 5)
    with pytest.raises(expected):
        run(lab, batch)
    assert lab.pool.counters["resends"] == 1


def test_a_shell_on_a_server_out_of_reach_is_deleted_as_soon_as_it_answers(lab: Fixture) -> None:
    lab.look()
    lab.fails("send", *[Cut()] * 5)
    with pytest.raises(Unreachable):
        lab.look()
    assert lab.world.count("delete") == 0, "nobody would hear it"
    lab.pool.close_idle(lab.clock.now + 600)
    lab.look()
    assert len(lab.world.open_shells) == 1
    lab.pool.close()
    assert not lab.world.open_shells


@pytest.mark.parametrize(("later", "deletes"), [(600, 1), (1800, 0)])
def test_a_shell_on_a_server_out_of_reach_is_deleted_at_the_end_unless_winrm_has_done_it(
    lab: Fixture, later: int, deletes: int
) -> None:
    lab.look()
    lab.fails("send", *[Cut()] * 5)
    with pytest.raises(Unreachable):
        lab.look()
    lab.clock.now += later
    lab.pool.close_idle(lab.clock.now)
    lab.pool.close()
    assert lab.world.count("delete") == deletes


# a busy Send

BUSY = pytest.mark.parametrize("error", [fault(170), fault(1460), WinRMOperationTimeoutError()])


@BATCHES
@BUSY
@pytest.mark.parametrize("verb", ["send", "after send"])
def test_a_busy_send_is_repeated_after_a_second_up_to_five_times(
    lab: Fixture, verb: str, error: BaseException, batch: str
) -> None:
    lab.look()
    before = lab.clock.now
    lab.fails(verb, *[error] * 4)
    assert run(lab, batch) == once(batch)
    assert lab.clock.now - before == 4
    assert lab.pool.counters["starts"] == 1


@BUSY
def test_a_send_that_stays_busy_is_not_a_change_that_did_not_happen(
    lab: Fixture, error: BaseException
) -> None:
    lab.look()
    lab.fails("send", *[error] * 5)
    with pytest.raises(OutcomeUnknown):
        lab.change()
    assert lab.world.count("send") == 1 + 5
    assert not lab.world.open_shells


def test_a_busy_piece_of_a_line_is_not_repeated_but_another_process_asked(lab: Fixture) -> None:
    lab.fails("send", fault(170))
    lab.exchange().run(EX1, (LOOKS[0],) * 3000)  # a line of more than one Send
    assert lab.pool.counters["starts"] == 2


# the shell is gone, the process has ended, an answer that cannot be

GONE = pytest.mark.parametrize(
    ("verb", "error"),
    [
        pytest.param("send", fault(2150858843), id="the shell is gone"),
        pytest.param("send", fault(109), id="broken pipe"),
        pytest.param("send", fault(232), id="the pipe is being closed"),
        pytest.param("receive", fault(2150858843), id="the shell is gone before the answer"),
        pytest.param("receive", AssertionError(), id="pywinrm does not believe the answer"),
        pytest.param("receive", KeyError("Content-Type"), id="an answer without a type"),
        pytest.param("receive", StopIteration(), id="an answer without an element"),
    ],
)


@GONE
def test_when_the_shell_is_gone_a_look_gets_a_new_process_once(
    lab: Fixture, verb: str, error: BaseException
) -> None:
    lab.look()
    lab.fails(verb, error)
    assert len(lab.look()) == len(LOOKS)
    assert lab.pool.counters["starts"] == 2
    lab.fails(verb, error, error)
    with pytest.raises(Unreachable):
        lab.look()
    assert lab.pool.counters["starts"] == 3
    assert not lab.world.open_shells


@GONE
def test_when_the_shell_is_gone_a_change_that_was_sent_is_not_repeated(
    lab: Fixture, verb: str, error: BaseException
) -> None:
    lab.look()
    lab.fails(verb, error)
    with pytest.raises(OutcomeUnknown):
        lab.change()
    assert lab.pool.counters["starts"] == 1
    assert not lab.world.open_shells


def test_when_the_process_ends_under_a_look_it_gets_a_new_one_once(lab: Fixture) -> None:
    lab.look()
    lab.world.dies_in_a_cmdlet = True
    with pytest.raises(Unreachable):
        lab.look()
    assert lab.pool.counters["starts"] == 2
    lab.world.dies_in_a_cmdlet = False
    lab.look()


def test_when_the_process_ends_under_a_change_its_outcome_is_unknown(lab: Fixture) -> None:
    lab.look()
    lab.world.dies_in_a_cmdlet = True
    with pytest.raises(OutcomeUnknown):
        lab.change()
    assert lab.pool.counters["starts"] == 1


def test_a_start_that_fails_is_not_a_change_whose_outcome_is_unknown(lab: Fixture) -> None:
    lab.fails("receive", *[fault(2150858843)] * 2)
    with pytest.raises(Unreachable):
        lab.change()


@ENDS
@pytest.mark.parametrize(
    "override", [{"boot": "another"}, {"fatal": "unknown request"}, {"results": [None]}]
)
def test_an_answer_of_another_process_or_form_is_not_believed(
    lab: Fixture, override: dict[str, Any], batch: str, expected: type[PushError]
) -> None:
    lab.world.overrides = override
    with pytest.raises(expected):
        run(lab, batch)


@ENDS
def test_an_exchange_session_that_breaks_under_a_cmdlet_ends_the_process(
    lab: Fixture, batch: str, expected: type[PushError]
) -> None:
    error = {"message": "x", "reason": "PSRemotingTransportException", "where": "cmdlet"}
    lab.world.results = lambda _: {"ok": False, "output": [], "errors": [error]}
    with pytest.raises(expected):
        run(lab, batch)
    assert not lab.world.open_shells


# the deadline


@ENDS
def test_an_answer_after_the_deadline_ends_the_process_and_nothing_is_tried_again(
    lab: Fixture, batch: str, expected: type[PushError]
) -> None:
    lab.look()

    def hang(_: dict[str, Any]) -> dict[str, Any]:
        lab.clock.now += 1000
        lab.fails("receive", WinRMOperationTimeoutError())
        return {"ok": True, "output": [], "errors": []}

    lab.world.results = hang
    with pytest.raises(expected):
        run(lab, batch)
    assert not lab.world.open_shells
    assert lab.pool.counters["starts"] == 1
    lab.world.results = None
    assert run(lab, batch) == once(batch)


@ENDS
def test_a_cmdlet_that_the_host_gave_up_ends_the_process(
    lab: Fixture, batch: str, expected: type[PushError]
) -> None:
    lab.world.overrides = {"stuck": True}
    with pytest.raises(expected):
        run(lab, batch)
    assert not lab.world.open_shells
    assert lab.pool.counters["starts"] == 1
    lab.world.overrides = {}
    assert run(lab, batch) == once(batch)


# operation timeout on Create


@BATCHES
@pytest.mark.parametrize("verb", ["create", "command"])
def test_an_operation_timeout_on_create_is_a_server_that_is_away_for_now(
    lab: Fixture, verb: str, batch: str
) -> None:
    lab.fails(verb, WinRMOperationTimeoutError())
    with pytest.raises(Unreachable, match="not in time"):
        run(lab, batch)
    assert lab.world.count(verb) == 1, "a second one would be one more load"
    assert lab.world.ran == []
    assert not lab.world.open_shells
    assert run(lab, batch) == once(batch)


# 401


@BATCHES
def test_a_401_is_tried_once_and_says_no_further_word(lab: Fixture, batch: str) -> None:
    lab.fails("create", InvalidCredentialsError())
    with pytest.raises(Refused):
        run(lab, batch)
    assert lab.world.verbs == ["create", "close_session"]


@BATCHES
def test_a_401_before_a_request_came_to_the_process_is_not_an_unknown_outcome(
    lab: Fixture, batch: str
) -> None:
    lab.look()
    lab.fails("send", InvalidCredentialsError())
    with pytest.raises(Refused):
        run(lab, batch)
    assert lab.world.count("send") == 2
    lab.pool.close()
    assert lab.world.count("delete") == 0, "it would be one more bad sign-in"


# quota


@BATCHES
@pytest.mark.parametrize("code", QUOTAS)
@pytest.mark.parametrize("where", ["wsman_fault_code", "wmierror_code"])
def test_a_quota_asks_for_minutes_and_says_what_to_do(
    lab: Fixture, code: int, where: str, batch: str
) -> None:
    lab.fails("create", fault(code) if where == "wsman_fault_code" else fault(1, wmi=code))
    with pytest.raises(Throttled, match="winrm get winrm/config") as caught:
        run(lab, batch)
    assert (caught.value.retry_after or 0) >= 120
    assert EX1 in str(caught.value)
    assert lab.world.count("create") == 1


def test_a_quota_of_operations_by_its_wmi_error_is_one_too(lab: Fixture) -> None:
    lab.look()
    lab.fails("receive", fault(1, wmi=0x803381A6))  # what Ansible starts a new shell on
    with pytest.raises(Throttled):
        lab.look()
    assert not lab.world.open_shells


def test_a_quota_that_comes_after_a_change_was_sent_leaves_its_outcome_unknown(
    lab: Fixture,
) -> None:
    lab.look()
    lab.fails("receive", fault(2150859174))
    with pytest.raises(OutcomeUnknown):
        lab.change()


def test_a_shell_that_belongs_to_another_logon_is_gone(lab: Fixture) -> None:
    lab.look()
    lab.fails("send", fault(2150859177))
    assert len(lab.look()) == len(LOOKS)
    assert lab.pool.counters["starts"] == 2


# a torn line


@BATCHES
def test_a_line_that_arrived_torn_is_ended_by_the_next_and_runs_once(
    lab: Fixture, batch: str
) -> None:
    lab.look()
    lab.fails("half send", Cut())
    assert run(lab, batch) == once(batch)
    assert lab.pool.counters["starts"] == 1


def test_an_answer_torn_inside_a_character_is_put_together(lab: Fixture) -> None:
    lab.world.at_once = 1
    row = {"Name": "Grüße ✓"}
    lab.world.results = lambda _: {"ok": True, "output": [row], "errors": []}
    assert [answer.rows for answer in lab.look()] == [(row,)] * len(LOOKS)


def test_answers_come_although_cmdlets_write_to_the_console(lab: Fixture) -> None:
    lab.world.noise = b'WARNING: \xfc\n{"id": "other", "boot": "x"}\n[]\nno newline at the end'
    assert len(lab.look()) == 2
