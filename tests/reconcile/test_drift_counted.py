"""Drift is counted once when it is seen, and once when it is changed back."""

from __future__ import annotations

import pytest

from exchange_push_operator.reconcile.outcome import Drift
from lab.exchange.faults import set_fault
from lab.in_process import BY_SECRET, Lab, Operator, lab

pytestmark = pytest.mark.lab

PROXY = ("ProxyReady",)


def settled() -> tuple[Lab, Operator]:
    outside = lab(BY_SECRET)
    operator = outside.operator()
    operator.run()
    return outside, operator


def test_setting_up_is_no_drift() -> None:
    operator = lab(BY_SECRET).operator()
    outcomes = [*operator.run(), operator.step()]
    assert any(outcome.changes for outcome in outcomes)
    assert {outcome.drift for outcome in outcomes} == {Drift()}


def test_what_somebody_changed_is_counted_once_and_so_is_its_correction() -> None:
    outside, operator = settled()
    outside.administrator("Disable-PushNotificationProxy", Confirm=False)
    assert operator.step().drift == Drift(detected=PROXY, corrected=PROXY)
    assert operator.step().drift == Drift()


def test_an_edit_of_the_resource_is_no_drift() -> None:
    outside, operator = settled()
    outside.edit({**BY_SECRET, "proxy": {"state": "Disabled"}})
    outcomes = operator.run()
    assert any(outcome.changes for outcome in outcomes)
    assert {outcome.drift for outcome in outcomes} == {Drift()}


def test_observing_counts_a_drift_once_and_corrects_nothing() -> None:
    outside, operator = settled()
    outside.edit({**BY_SECRET, "managementPolicy": "Observe"})
    operator.run()
    outside.administrator("Disable-PushNotificationProxy", Confirm=False)
    drifts = [operator.step().drift for _ in range(3)]
    assert drifts == [Drift(detected=PROXY), Drift(), Drift()]


def test_a_correction_that_takes_two_passes_is_counted_when_it_is_seen() -> None:
    outside, operator = settled()
    outside.administrator("Disable-PushNotificationProxy", Confirm=False)
    set_fault(outside.organization, "die_before_change", 1)
    drifts = [outcome.drift for outcome in operator.run()]
    assert sum(len(drift.detected) for drift in drifts) == 1
    assert sum(len(drift.corrected) for drift in drifts) == 1
