"""A wrong password is sent as seldom as can be: Active Directory locks accounts."""

from __future__ import annotations

import pytest
from winrm.exceptions import InvalidCredentialsError

from adapters.scripted_wire import EX1, EX2, EX3, EX4, LOOKS, Fixture
from exchange_push_operator.core.errors import Refused
from exchange_push_operator.core.reasons import Reason


@pytest.fixture
def lab() -> Fixture:
    return Fixture()


def test_a_wrong_password_is_sent_once_in_five_minutes(lab: Fixture) -> None:
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


def test_another_version_of_the_secret_is_tried_at_once(lab: Fixture) -> None:
    lab.fails("create", InvalidCredentialsError())
    with pytest.raises(Refused):
        lab.look()
    lab.exchange("2", "better").run(EX1, LOOKS)
    assert lab.world.accesses[-1].version == "2"


def test_a_wrong_password_is_not_carried_to_every_server(lab: Fixture) -> None:
    lab.fails("create", *[InvalidCredentialsError()] * 9)
    messages = []
    for server in (EX1, EX2, EX3, EX3):
        with pytest.raises(Refused) as caught:
            lab.look(server)
        messages.append(str(caught.value))
    assert lab.world.count("create") == 2
    assert EX1 in messages[2]


def test_one_server_that_says_no_does_not_keep_the_others_from_working(lab: Fixture) -> None:
    lab.fails("create", InvalidCredentialsError())
    with pytest.raises(Refused):
        lab.look(EX1)
    lab.look(EX2)
    lab.look(EX3)
    with pytest.raises(Refused):
        lab.look(EX1)
    assert lab.world.count("create") == 3


def test_a_server_that_says_yes_ends_the_row_of_those_that_say_no(lab: Fixture) -> None:
    no = InvalidCredentialsError()
    lab.fails("create", no, None, no, None)
    for server, is_refused in ((EX1, True), (EX2, False), (EX3, True), (EX4, False)):
        if is_refused:
            with pytest.raises(Refused):
                lab.look(server)
        else:
            lab.look(server)


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
