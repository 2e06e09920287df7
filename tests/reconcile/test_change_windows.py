"""Change windows: outside of them changes wait, and looking goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from exchange_push_operator.core.timestamps import parse_utc
from lab.calendar import MANAGE, Watch, managed
from lab.exchange.faults import set_fault
from lab.in_process import BY_SECRET, Lab, Operator, lab
from lab.microsoft365.clouds import EXCHANGE_ONLINE
from lab.microsoft365.sample import FABRIKAM
from lab.resources import merged
from reconcile.test_deletion import forget_the_certificate
from reconcile.test_safety_rules import assert_untouched

pytestmark = pytest.mark.lab

# The lab's time begins on Saturday, 2026-11-21T09:00:00Z.
OPENS = "2026-11-21T21:00:00Z"
TONIGHT = {"days": ["Sat"], "start": "22:00", "duration": "6h", "timeZone": "Europe/Berlin"}
WINDOWS: Mapping[str, Any] = {**BY_SECRET, "changeWindows": [TONIGHT]}
OUTSIDE = ("False", "OutsideWindow")


def message(outside: Lab) -> str:
    (found,) = (c for c in outside.status["conditions"] if c["type"] == "InSync")
    text: str = found["message"]
    return text


def at(outside: Lab, moment: str) -> None:
    outside.clock.now = parse_utc(moment)


def events(operator: Operator) -> list[str]:
    return [entry["event"] for _, entry in operator.audited]


def test_outside_of_its_windows_nothing_is_changed_and_the_next_opening_is_told() -> None:
    outside = lab(WINDOWS)
    (*_, outcome) = outside.operator().run()
    assert_untouched(outside)
    assert outside.condition("InSync") == OUTSIDE
    assert f"opens at {OPENS}" in message(outside)
    assert outside.condition("Ready")[0] == "False"
    assert outside.condition("Reconciling") == ("", "")
    assert [event.type for event in outcome.events if event.reason == "OutsideWindow"] == ["Normal"]


def test_looking_goes_on_and_what_is_told_stands_still() -> None:
    outside = lab(WINDOWS)
    operator = outside.operator()
    operator.run()
    before = outside.status
    for _ in range(5):
        outside.clock.forward(hours=2)
        (outcome,) = operator.run()
        assert outcome.requeue.kind == "steady"
        assert outside.status == before
    outside.administrator("Enable-PushNotificationProxy", Organization="fabrikam.com")
    operator.run()
    assert outside.status != before


def test_the_next_look_comes_no_later_than_the_window_opens() -> None:
    outside = lab(WINDOWS)
    operator = outside.operator()
    operator.run()
    at(outside, "2026-11-21T20:59:00Z")
    (outcome,) = operator.run()
    assert outcome.requeue.no_later == 60


def test_inside_of_a_window_it_works_as_ever() -> None:
    outside = lab(WINDOWS)
    at(outside, OPENS)
    outside.operator().run()
    assert outside.condition("Ready") == ("True", "Succeeded")


def test_a_step_under_way_is_finished_and_the_next_one_waits() -> None:
    outside = lab(WINDOWS)
    at(outside, "2026-11-22T02:59:50Z")

    def takes_two_seconds() -> None:
        if outside.exchange()["authServers"]:
            at(outside, "2026-11-22T03:00:01Z")

    operator = Operator(outside, after=takes_two_seconds)
    operator.run()
    assert events(operator) == ["AuthServerCreated"]
    assert outside.condition("InSync") == OUTSIDE
    assert "opens at 2026-11-28T21:00:00Z" in message(outside)


def test_an_approved_plan_waits_for_its_window_and_needs_no_second_approval() -> None:
    outside = lab({**WINDOWS, "managementPolicy": "Approve"})
    operator = outside.operator()
    operator.run()
    assert outside.condition("InSync") == ("False", "AwaitingApproval")
    named = outside.status["planHash"]
    outside.edit({**WINDOWS, "managementPolicy": "Approve", "approvedPlan": named})
    operator.run()
    assert_untouched(outside)
    assert outside.condition("InSync") == OUTSIDE
    at(outside, OPENS)
    operator.run()
    assert {entry["approved_plan"] for _, entry in operator.audited} == {named}
    assert len(operator.audited) == 5


def test_a_plan_that_changes_while_it_waits_for_its_window_waits_for_approval_again() -> None:
    outside = lab({**WINDOWS, "managementPolicy": "Approve"})
    operator = outside.operator()
    operator.run()
    named = outside.status["planHash"]
    outside.edit({**WINDOWS, "managementPolicy": "Approve", "approvedPlan": named})
    operator.run()
    outside.microsoft365.set_fault("rival", 1)
    at(outside, OPENS)
    operator.run()
    assert "KeyCredentialAdded" not in events(operator)
    assert outside.condition("InSync") == ("False", "AwaitingApproval")


def key_vanishes() -> tuple[Lab, str]:
    """A next certificate is staged, and hours before its date its key is taken away."""
    outside = managed(left=69)
    operator = Operator(outside, after=Watch(outside))
    operator.run()
    coming = outside.status["certificate"]["next"]
    closed = {**TONIGHT, "days": ["Wed"], "start": "03:00", "duration": "1h"}
    spec = merged(merged(BY_SECRET, MANAGE), {"changeWindows": [closed]})
    outside.edit(spec)
    outside.clock.forward(hours=47)
    (gone,) = (k for k in outside.key_credentials() if k["thumbprint"] == coming["thumbprint"])
    outside.microsoft365.remove_keys(FABRIKAM, EXCHANGE_ONLINE, gone["keyId"])
    return outside, coming["effectiveDate"]


def effective(outside: Lab) -> str:
    date: str = outside.status["certificate"]["next"]["effectiveDate"]
    return date


def test_the_date_of_a_next_certificate_without_its_key_is_moved_outside_of_windows_too() -> None:
    outside, date = key_vanishes()
    operator = outside.operator()
    operator.run()
    assert events(operator) == ["CertificateDateMoved"]
    assert effective(outside) > date
    assert outside.condition("InSync") == OUTSIDE


def test_the_installer_may_have_even_that_wait() -> None:
    outside, date = key_vanishes()
    operator = Operator(outside, safety_acts=False)
    operator.run()
    assert events(operator) == []
    assert effective(outside) == date


def test_with_approve_even_a_safety_act_waits_until_somebody_approves_it() -> None:
    outside, date = key_vanishes()
    outside.edit({**outside.resource["spec"], "managementPolicy": "Approve"})
    operator = outside.operator()
    operator.run()
    assert events(operator) == []
    assert effective(outside) == date
    assert outside.condition("InSync") == ("False", "AwaitingApproval")
    named = outside.status["planHash"]
    outside.edit({**outside.resource["spec"], "approvedPlan": named})
    operator.run()
    assert events(operator) == ["CertificateDateMoved"]


def test_a_transport_role_is_given_back_after_the_window_has_closed() -> None:
    outside = lab(WINDOWS, auth_certificate=False)
    set_fault(outside.organization, "creation_takes_transport", value=True)
    before = outside.outside()["transport"]
    at(outside, "2026-11-22T02:59:50Z")

    def closes() -> None:
        if outside.outside()["transport"] != before:
            at(outside, "2026-11-22T03:00:01Z")

    operator = Operator(outside, after=closes)
    operator.run()
    assert events(operator) == ["CertificateCreated", "TransportCertificateRestored"]
    assert outside.outside()["transport"] == before


def test_what_deletion_undoes_waits_for_a_window_and_stalls_nobody() -> None:
    disable = {**BY_SECRET, "deletionPolicy": "Disable"}
    outside = lab(disable)
    operator = outside.operator()
    operator.run()
    outside.edit({**disable, "changeWindows": [TONIGHT]})
    operator.run()
    outside.delete()
    operator.run()
    outside.clock.forward(hours=1)
    (outcome,) = operator.run()
    assert outside.exchange()["proxy"]["enabled"]
    assert outside.condition("Stalled") == ("", "")
    assert outcome.requeue.kind == "steady"
    at(outside, OPENS)
    operator.run()
    assert not outside.exchange()["proxy"]["enabled"]
    assert outside.deleted


def test_of_what_deletion_undoes_no_step_begins_after_the_window_has_closed() -> None:
    disable = {**BY_SECRET, "deletionPolicy": "Disable"}
    outside = lab(disable)
    outside.operator().run()
    forget_the_certificate(outside)  # so that there are two steps: the proxy, and our key
    outside.edit({**disable, "changeWindows": [TONIGHT]})
    outside.delete()
    at(outside, "2026-11-22T02:59:50Z")

    def closes() -> None:
        if not outside.exchange()["proxy"]["enabled"]:
            outside.clock.now = max(outside.clock.now, parse_utc("2026-11-22T03:00:01Z"))

    operator = Operator(outside, after=closes)
    operator.run()
    assert events(operator) == ["ProxyDisabled"]
    at(outside, "2026-11-28T21:00:00Z")
    operator.run()
    assert events(operator) == ["ProxyDisabled", "KeyCredentialRemoved"]
    assert outside.deleted
