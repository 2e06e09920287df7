"""The life of a process on a server: what it costs, who uses it, and when it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from socket import gaierror
from typing import Any

import pytest
from requests.exceptions import ConnectionError as Cut
from requests.exceptions import TooManyRedirects
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from adapters.scripted_wire import EX1, EX2, EX3, LOOKS, Fixture, access, fault, run_together
from exchange_push_operator.adapters.exchange_winrm import WinRMExchanges
from exchange_push_operator.adapters.winrm_server import Server
from exchange_push_operator.core.errors import (
    OutcomeUnknown,
    PushError,
    Refused,
    SpecError,
    Unreachable,
)
from exchange_push_operator.core.ports import ExchangeAccess
from exchange_push_operator.core.reasons import Reason


@pytest.fixture
def lab() -> Fixture:
    return Fixture()


# what it costs


def test_a_start_costs_four_requests_and_a_warm_batch_two(lab: Fixture) -> None:
    lab.look()
    assert lab.world.verbs == ["create", "command", "send", "receive"]
    lab.look()
    assert lab.world.verbs[4:] == ["send", "receive"]
    counted = {"starts": 1, "resets": 0, "resends": 0, "requests": 6, "calls": 2}
    assert lab.pool.counters == counted


def test_a_change_on_a_cold_server_waits_for_the_ready_line(lab: Fixture) -> None:
    lab.change()
    assert lab.world.verbs == ["create", "command", "send", "receive", "send", "receive"]
    assert b"Restart-Service" not in lab.world.sent[0]


def test_a_batch_stops_at_the_first_error_when_it_changes_something(lab: Fixture) -> None:
    lab.change()
    assert b'"stopOnError":true' in lab.world.sent[-1]
    lab.look()
    assert b'"stopOnError":false' in lab.world.sent[-1]


def test_an_empty_batch_sends_nothing(lab: Fixture) -> None:
    assert lab.exchange().run(EX1, ()) == ()
    assert lab.world.verbs == []


# what keeps it from starting

NETWORK = pytest.mark.parametrize(
    ("cause", "word"),
    [
        pytest.param(
            NameResolutionError("ex1", HTTPConnection("ex1"), gaierror(-2, "x")),
            "resolve",
            id="name",
        ),
        pytest.param(
            NewConnectionError(HTTPConnection("ex1"), "[Errno 111]"), "listens", id="refused"
        ),
        pytest.param(ConnectTimeoutError(), "firewalls", id="silence"),
    ],
)


@NETWORK
def test_a_server_that_cannot_be_reached_is_told_apart_and_tried_once(
    lab: Fixture, cause: Exception, word: str
) -> None:
    lab.fails("create", Cut(cause))
    with pytest.raises(Unreachable, match=word) as caught:
        lab.look()
    assert EX1 in str(caught.value)
    assert "Errno" not in str(caught.value)
    assert lab.world.verbs == ["create", "close_session"]


@NETWORK
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


# when it ends


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


def test_a_process_does_not_serve_more_than_200_requests(lab: Fixture) -> None:
    for _ in range(201):
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


class Raced(WinRMExchanges):
    """A pool in which something happens just when a caller has found its server."""

    meanwhile: Callable[[], object] | None = None

    def _server(self, name: str, access: ExchangeAccess) -> Server:
        server = super()._server(name, access)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return server


@pytest.fixture
def raced(lab: Fixture) -> Raced:
    pool = Raced(protocol_factory=lab.world, clock=lab.clock, pause=lab.clock.pause)
    lab.pool = pool
    return pool


def test_a_process_that_is_closed_for_idleness_just_before_it_is_used_is_replaced(
    lab: Fixture, raced: Raced
) -> None:
    lab.look()
    raced.meanwhile = lambda: raced.close_idle(lab.clock.now + 60)
    assert len(lab.look()) == len(LOOKS)
    assert lab.pool.counters["starts"] == 2
    lab.pool.close()
    assert not lab.world.open_shells, "a process that nobody knows any more"


@pytest.mark.parametrize("before", ["nothing", "a look"])
def test_nothing_is_opened_any_more_once_the_pool_is_closed(
    lab: Fixture, raced: Raced, before: str
) -> None:
    if before == "a look":
        lab.look()
    raced.meanwhile = raced.close
    with pytest.raises(Unreachable, match="stopping"):
        lab.look()
    assert not lab.world.open_shells


# who uses it


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


def test_who_waits_for_a_server_that_does_not_end_gives_up_and_others_go_on(lab: Fixture) -> None:
    lab.pool = WinRMExchanges(protocol_factory=lab.world, clock=lab.clock, turn=0.01)
    busy, over = threading.Event(), threading.Event()

    def hang(_: dict[str, Any]) -> dict[str, Any]:
        if not busy.is_set():
            busy.set()
            assert over.wait(10)
        return {"ok": True, "output": [], "errors": []}

    def others() -> None:
        assert busy.wait(10)
        try:
            with pytest.raises(Unreachable, match="does not end"):
                lab.look(EX1)
            lab.look(EX2)
            lab.pool.connect(access("2")).run(EX1, LOOKS)
        finally:
            over.set()

    lab.world.results = hang
    run_together(lambda: lab.look(EX1), others)
