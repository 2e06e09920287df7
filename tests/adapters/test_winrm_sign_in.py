"""A wrong password is sent as seldom as can be: Active Directory locks accounts."""

from __future__ import annotations

import threading
from functools import partial
from itertools import pairwise

import pytest
from requests.exceptions import ConnectionError as Cut
from urllib3.exceptions import ConnectTimeoutError
from winrm.exceptions import InvalidCredentialsError

from adapters.scripted_wire import EX1, EX2, EX3, EX4, LOOKS, Fixture, run_together
from exchange_push_operator.core.errors import Refused, Unreachable
from exchange_push_operator.core.reasons import Reason


@pytest.fixture
def lab() -> Fixture:
    return Fixture()


def test_a_wrong_password_is_sent_once_in_five_minutes_at_first(lab: Fixture) -> None:
    lab.fails("create", *[InvalidCredentialsError()] * 2)
    for _ in range(5):
        with pytest.raises(Refused) as caught:
            lab.look()
        assert caught.value.reason is Reason.ACCESS_DENIED
        lab.clock.now += 59
    assert lab.world.count("create") == 1
    assert lab.world.count("delete") == 0
    lab.clock.now += 59
    with pytest.raises(Refused):
        lab.look()
    assert lab.world.count("create") == 2


def test_a_wrong_password_is_sent_so_seldom_that_active_directory_forgets_it(lab: Fixture) -> None:
    sent: list[float] = []
    lab.world.trouble["create"] = [InvalidCredentialsError()] * 99
    for _ in range(24 * 60):
        tried = lab.world.count("create")
        with pytest.raises(Refused):
            lab.look()
        sent += [lab.clock.now] * (lab.world.count("create") - tried)
        lab.clock.now += 60
    counted = most = 1
    for before, after in pairwise(sent):  # the counter is reset 30 minutes after the last one
        counted = counted + 1 if after - before < 1800 else 1
        most = max(most, counted)
    assert most < 5


def test_a_password_that_was_turned_down_is_not_tried_again_from_another_secret(
    lab: Fixture,
) -> None:
    lab.fails("create", *[InvalidCredentialsError()] * 9)
    for version in ("exchange/one@1", "exchange/one@2", "other/two@7"):
        with pytest.raises(Refused):
            lab.exchange(version).run(EX1, LOOKS)
    assert lab.world.count("create") == 1


def test_another_password_is_tried_at_once(lab: Fixture) -> None:
    lab.fails("create", InvalidCredentialsError())
    with pytest.raises(Refused):
        lab.look()
    lab.exchange("2", "better").run(EX1, LOOKS)
    assert lab.world.accesses[-1].version == "2"


def test_a_password_that_was_turned_down_is_carried_to_no_other_server(lab: Fixture) -> None:
    lab.fails("create", *[InvalidCredentialsError()] * 9)
    for server in (EX1, EX2, EX3, EX3):
        with pytest.raises(Refused, match=EX1):
            lab.look(server)
    assert lab.world.count("create") == 1


def test_servers_that_are_asked_at_once_hear_a_wrong_password_once(lab: Fixture) -> None:
    before = lab.world.count("create")
    lab.fails("create", *[InvalidCredentialsError()] * 9)
    barrier = threading.Barrier(4, timeout=10)

    def ask(server: str) -> None:
        barrier.wait()
        with pytest.raises(Refused):
            lab.look(server)

    run_together(*[partial(ask, server) for server in (EX1, EX2, EX3, EX4)])
    assert lab.world.count("create") - before == 1


def test_a_password_that_was_changed_since_the_last_pass_is_tried_once_too(lab: Fixture) -> None:
    lab.look(EX1)
    lab.pool.close_idle(lab.clock.now + 3000)
    lab.clock.now += 3000
    test_servers_that_are_asked_at_once_hear_a_wrong_password_once(lab)


def test_a_server_that_says_no_keeps_nobody_from_working_where_another_has_said_yes(
    lab: Fixture,
) -> None:
    for _ in range(20):
        lab.look(EX1)
        lab.world.trouble["create"] = [InvalidCredentialsError()]
        with pytest.raises(Refused, match=EX2):
            lab.look(EX2)
        lab.world.trouble["create"] = []
        lab.look(EX3)
        lab.clock.now += 120
        lab.pool.close_idle(lab.clock.now)


def test_a_second_server_that_says_no_stops_all(lab: Fixture) -> None:
    lab.look(EX1)
    lab.fails("create", *[InvalidCredentialsError()] * 2)
    for server in (EX2, EX3, EX4):
        with pytest.raises(Refused):
            lab.look(server)
    assert lab.world.count("create") == 3
    lab.look(EX1)  # its process is up


def test_once_a_server_has_taken_the_password_the_others_sign_in_side_by_side(
    lab: Fixture,
) -> None:
    lab.look(EX1)
    meeting = threading.Barrier(3, timeout=10)
    lab.world.on_create = meeting.wait
    run_together(*[partial(lab.look, server) for server in (EX2, EX3, EX4)])


@pytest.mark.parametrize("others", [(EX2,), (EX2, EX3)])
def test_a_server_that_is_away_keeps_no_other_one_from_signing_in(
    lab: Fixture, others: tuple[str, ...]
) -> None:
    served, waiting = threading.Event(), threading.Event()

    def away() -> None:
        waiting.set()
        assert served.wait(10)
        raise Cut(ConnectTimeoutError())

    def rest() -> None:
        assert waiting.wait(10)
        for server in others:
            lab.look(server)
        served.set()

    def silent() -> None:
        with pytest.raises(Unreachable, match="firewalls"):
            lab.look(EX1)

    lab.world.on_knock = {EX1.partition(".")[0].upper(): away}
    run_together(silent, rest)


def test_a_change_is_not_unknown_when_the_password_was_turned_down_before_it(
    lab: Fixture,
) -> None:
    lab.look()
    lab.fails("send", InvalidCredentialsError())
    with pytest.raises(Refused):
        lab.change()


def test_a_process_is_never_used_with_another_password(lab: Fixture) -> None:
    lab.exchange("1", "one").run(EX1, LOOKS)
    lab.exchange("1", "two").run(EX1, LOOKS)
    assert lab.world.wires == 2


def test_status_names_the_same_server_whichever_turns_the_password_down_next(lab: Fixture) -> None:
    lab.fails("create", *[InvalidCredentialsError()] * 9)
    said = set()
    for server in (EX2, EX1, EX3):
        with pytest.raises(Refused) as caught:
            lab.look(server)
        said.add(str(caught.value))
        lab.clock.now += 3600
    assert len(said) == 1
    assert EX2 in said.pop()
