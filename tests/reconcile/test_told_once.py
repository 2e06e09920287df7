"""Events tell transitions: once, and nothing while all stays as it is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from exchange_push_operator.core.config import RECONCILE_REQUESTED_AT, SUSPENDED
from exchange_push_operator.reconcile import Outcome
from lab.exchange.faults import set_fault
from lab.in_process import BY_SECRET, Lab, Operator, lab

pytestmark = pytest.mark.lab


def told(*outcomes: Outcome) -> list[tuple[str, str]]:
    return [(event.type, event.reason) for outcome in outcomes for event in outcome.events]


@pytest.fixture
def outside() -> Lab:
    return lab(BY_SECRET)


@pytest.fixture
def operator(outside: Lab) -> Operator:
    operator = outside.operator()
    operator.run()
    return operator


def passes(operator: Operator, count: int, pause: timedelta) -> list[Outcome]:
    outcomes = []
    for _ in range(count):
        operator.lab.clock.now += pause
        outcomes.append(operator.step())
    return outcomes


def test_in_a_steady_state_nothing_is_told(operator: Operator) -> None:
    assert told(*passes(operator, 50, timedelta(hours=1))) == []


def test_another_life_tells_nothing_again(outside: Lab, operator: Operator) -> None:
    del operator
    assert told(*outside.operator().run()) == []


def test_a_fault_that_stays_is_told_once_and_so_is_its_cure(
    outside: Lab, operator: Operator
) -> None:
    set_fault(outside.organization, "failing_cmdlet", "Get-AuthServer")
    during = told(*passes(operator, 20, timedelta(minutes=3)))
    assert len(during) == len(set(during)) <= 3
    set_fault(outside.organization, "failing_cmdlet", "")
    after = told(*passes(operator, 20, timedelta(minutes=3)))
    assert len(after) == len(set(after)) <= 2


def test_a_silence_of_everybody_is_told_once_after_the_grace_period(
    outside: Lab, operator: Operator
) -> None:
    set_fault(outside.organization, "down", value=True)
    quiet, then = told(operator.step()), told(*passes(operator, 20, timedelta(minutes=3)))
    assert quiet == []
    assert then == [("Warning", "Unreachable")]
    set_fault(outside.organization, "down", value=False)
    assert ("Normal", "Succeeded") in told(*passes(operator, 3, timedelta(minutes=3)))


def test_suspending_and_resuming_are_told_once_each(outside: Lab, operator: Operator) -> None:
    metadata = outside.resource["metadata"]
    metadata["annotations"] = {SUSPENDED: "true"}
    assert told(*passes(operator, 3, timedelta(minutes=3))) == [("Normal", "Suspended")]
    metadata["annotations"] = {}
    resumed = told(*passes(operator, 3, timedelta(minutes=3)))
    assert resumed == [("Normal", "Resumed"), ("Normal", "Succeeded")]


def test_a_request_to_look_is_confirmed_once(outside: Lab, operator: Operator) -> None:
    outside.resource["metadata"]["annotations"] = {RECONCILE_REQUESTED_AT: "2026-11-21T10:00:00Z"}
    handled = told(*passes(operator, 3, timedelta(minutes=3)))
    assert handled == [("Normal", "ReconcileRequestHandled")]
