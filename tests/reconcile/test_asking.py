"""Which server is asked what, when all answer, when the first is away, when none does."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from exchange_push_operator.reconcile.side_by_side import side_by_side
from lab.exchange.faults import set_fault
from lab.in_process import Lab, Operator, lab

EX1, EX2, EX3 = (f"ex{number}.corp.fabrikam.com" for number in (1, 2, 3))
SPEC = {"exchange": {"servers": [{"name": name} for name in (EX1, EX2, EX3)]}}


@pytest.fixture
def outside() -> Lab:
    """Three servers, in sync."""
    found = lab(servers=3)
    found.resource["spec"]["exchange"]["servers"] = SPEC["exchange"]["servers"]
    found.operator().run()
    assert found.condition("Ready") == ("True", "Succeeded")
    return found


def about_the_organization(operator: Operator) -> list[str]:
    """The servers that were asked for AuthConfig."""
    asked = operator.exchange.requests
    return [server for server, batch, _ in asked if any("Get-AuthConfig" in one for one in batch)]


def test_every_server_is_asked_once_and_the_first_for_the_organization(outside: Lab) -> None:
    operator = outside.operator()
    operator.step()
    assert operator.exchange.calls_by_server == {EX1: 1, EX2: 1, EX3: 1}
    assert about_the_organization(operator) == [EX1]


def test_another_one_speaks_for_the_organization_where_the_first_is_away(outside: Lab) -> None:
    set_fault(outside.organization, "down", value=True, server=EX1)
    operator = outside.operator()
    operator.step()
    assert operator.exchange.calls_by_server == {EX1: 1, EX2: 2, EX3: 1}
    assert about_the_organization(operator) == [EX1, EX2]
    assert outside.condition("CertificateReady")[0] == "True"


def test_one_that_goes_away_before_it_speaks_is_away_too(outside: Lab) -> None:
    set_fault(outside.organization, "down", value=True, server=EX1)
    operator = outside.operator()
    operator.before = goes_away(outside, operator, EX2)
    operator.step()
    assert about_the_organization(operator) == [EX1, EX2, EX3]
    away = {row["name"] for row in outside.status["servers"] if row.get("awaySince")}
    assert away == {EX1, EX2}


def goes_away(outside: Lab, operator: Operator, server: str) -> Callable[[], None]:
    """At its second call."""

    def before() -> None:
        if operator.exchange.calls_by_server.get(server, 0) > 1:
            set_fault(outside.organization, "down", value=True, server=server)

    return before


def test_a_quota_on_the_only_server_that_answers_is_a_pause_of_minutes() -> None:
    outside = lab(servers=1)
    set_fault(outside.organization, "quota", value=True)
    outcome = outside.operator().step()
    assert outside.condition("Ready") == ("Unknown", "Throttled")
    assert outcome.requeue.at_least >= 120


def test_servers_are_asked_at_the_same_time_and_answers_stay_in_order() -> None:
    meeting = threading.Barrier(3, timeout=10)

    def ask(name: str) -> str:
        meeting.wait()
        return name.upper()

    assert side_by_side(ask, (EX3, EX1, EX2)) == [EX3.upper(), EX1.upper(), EX2.upper()]


def test_what_one_raises_comes_to_whoever_asked() -> None:
    def ask(name: str) -> str:
        raise KeyError(name)

    with pytest.raises(KeyError):
        side_by_side(ask, (EX1, EX2))


def test_a_pass_that_an_edit_has_overtaken_says_nothing(outside: Lab) -> None:
    operator, before = outside.operator(), outside.status
    outside.edit({**outside.resource["spec"], "interval": "2h"})
    operator.memory.superseded = lambda: True

    outcome = operator.step()

    assert outside.status == before
    assert (outcome.events, outcome.requeue.kind) == ((), "retry")
