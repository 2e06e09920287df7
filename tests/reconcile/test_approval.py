"""managementPolicy Approve: nothing is changed that nobody has approved, and each approval once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from lab.calendar import MANAGE, managed
from lab.exchange.build import add_auth_certificate
from lab.exchange.faults import set_fault
from lab.in_process import BY_SECRET, Lab, Operator, lab
from lab.resources import merged
from reconcile.test_crash import Counter, Killed
from reconcile.test_safety_rules import assert_untouched

pytestmark = pytest.mark.lab

APPROVE: Mapping[str, Any] = {**BY_SECRET, "managementPolicy": "Approve"}
AWAITS = ("False", "AwaitingApproval")
IN_SYNC = ("True", "NoDrift")


def approve(outside: Lab, plan: str | None = None, **spec: Any) -> str:
    """A commit that names the plan which status shows."""
    named = plan or str(outside.status["planHash"])
    outside.edit({**APPROVE, **spec, "approvedPlan": named})
    return named


def settled() -> tuple[Lab, Operator]:
    """All is as declared, by policy Manage; from now on nothing is changed without approval."""
    outside = lab(BY_SECRET)
    operator = outside.operator()
    operator.run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    outside.clock.forward(hours=2)
    outside.edit(APPROVE)
    operator.run()
    return outside, operator


def drift(outside: Lab) -> None:
    outside.administrator("Set-AuthServer", Identity="MicrosoftSts", Enabled=False)


def drifted() -> tuple[Lab, Operator]:
    outside, operator = settled()
    drift(outside)
    operator.run()
    return outside, operator


def enabled(outside: Lab) -> bool:
    return all(server["enabled"] for server in outside.exchange()["authServers"])


def message(outside: Lab, type_: str = "InSync") -> str:
    (found,) = (c for c in outside.status["conditions"] if c["type"] == type_)
    text: str = found["message"]
    return text


def approvals(outside: Lab, operator: Operator, most: int = 12, **spec: Any) -> list[list[str]]:
    """Approve whatever is planned until nothing is; the events of each approved plan."""
    plans: list[list[str]] = []
    for _ in range(most):
        operator.run()
        if not outside.status.get("planHash"):
            return plans
        ids = [change["id"] for change in outside.status["plannedChanges"]]
        plans.append([name[3:].split(".")[0] for name in ids])
        approve(outside, **spec)
    message = f"no end after {most} approvals: {plans}"
    raise AssertionError(message)


def test_nothing_is_written_before_somebody_approves_the_plan() -> None:
    outside = lab(APPROVE, auth_certificate=False)
    operator = outside.operator()
    for _ in range(3):
        operator.run()
        outside.clock.forward(hours=1)
    assert_untouched(outside)
    assert outside.condition("InSync") == AWAITS
    assert outside.status["planHash"] in message(outside)
    assert operator.audited == []


def test_a_plan_that_waits_is_not_looked_at_faster_than_the_interval() -> None:
    outside, operator = drifted()
    before = outside.status
    (outcome,) = operator.run()
    assert outcome.requeue.kind == "steady"
    assert outside.condition("Reconciling") == ("", "")
    assert outside.status == before


def test_the_approved_plan_is_performed_and_audited_by_its_name() -> None:
    outside, operator = drifted()
    operator.audited.clear()
    named = approve(outside)
    operator.run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert outside.condition("InSync") == IN_SYNC
    assert [(e["approved_plan"], e["plan_hash"]) for _, e in operator.audited] == [(named, named)]
    assert outside.status["history"][0] | {"time": ""} == {
        "time": "",
        "stage": "AuthServerReady",
        "target": "MicrosoftSts",
        "action": "Correct the auth server",
        "outcome": "Succeeded",
    }


def test_without_approval_the_audit_names_no_approved_plan() -> None:
    operator = lab(BY_SECRET).operator()
    operator.run()
    assert {entry["approved_plan"] for _, entry in operator.audited} == {None}


def test_an_approval_is_not_good_for_the_same_drift_on_another_day() -> None:
    outside, operator = drifted()
    stale = approve(outside)
    operator.run()
    outside.clock.forward(hours=2)
    drift(outside)
    operator.run()
    assert not enabled(outside)
    assert outside.condition("InSync") == AWAITS
    assert f"names {stale}" in message(outside)
    approve(outside)
    operator.run()
    assert enabled(outside)


def test_an_approval_is_not_good_for_an_object_that_is_made_anew() -> None:
    outside = lab(APPROVE)
    outside.operator().run()
    approve(outside)
    outside.resource["metadata"]["uid"] = "4f9c1e7a-0000-4000-8000-2a6d8b3c5e10"
    outside.resource["status"] = {"observedGeneration": -1}
    outside.operator().run()
    assert outside.condition("InSync") == AWAITS
    assert_untouched(outside)


def test_a_change_that_somebody_undoes_at_once_is_not_made_again_under_the_same_approval() -> None:
    outside, _ = drifted()
    stale = approve(outside)
    fixed: list[bool] = []

    def undo() -> None:
        if enabled(outside):
            fixed.append(True)
            drift(outside)

    operator = Operator(outside, after=undo)
    for _ in range(4):
        operator.run()
        outside.clock.forward(minutes=20)
    assert fixed == [True]
    assert outside.condition("InSync") == AWAITS
    assert f"names {stale}" in message(outside)


def test_an_approval_of_another_plan_does_nothing() -> None:
    outside, operator = drifted()
    approve(outside, plan="0123456789ab")
    operator.run()
    assert not enabled(outside)


def test_a_plan_that_has_changed_before_the_write_is_not_performed() -> None:
    outside, operator = drifted()
    approve(outside)
    outside.administrator("Disable-PushNotificationProxy", Confirm=False)
    operator.run()
    assert not enabled(outside)
    assert outside.condition("InSync") == AWAITS
    assert [change["stage"] for change in outside.status["plannedChanges"]] == [
        "AuthServerReady",
        "ProxyReady",
        "Verified",
        "Verified",
    ]


def test_a_key_that_somebody_adds_in_the_meantime_voids_the_approval() -> None:
    outside = lab(APPROVE)
    operator = outside.operator()
    operator.run()
    named = approve(outside)
    outside.microsoft365.set_fault("rival", 1)
    operator.run()
    written = [entry["event"] for _, entry in operator.audited]
    assert "KeyCredentialAdded" not in written
    assert outside.status["planHash"] != named
    assert outside.condition("InSync") == AWAITS


def test_a_plan_may_be_approved_before_the_operator_has_seen_the_resource() -> None:
    """As a command that plans without a cluster shows it: looked at once, published, performed."""
    outside = lab(APPROVE)
    operator = outside.operator()
    operator.run()
    approve(outside)
    del outside.resource["status"]
    outcomes = outside.operator().run()
    assert [outcome.requeue.kind for outcome in outcomes] == ["now", "now", "steady"]
    assert enabled(outside)
    assert outside.status["history"] != []
    assert outside.condition("InSync") == IN_SYNC


RESTARTS = ["HealthManagerRestarted"] * 2


def test_the_first_configuration_is_approved_as_one_with_the_restarts_that_follow() -> None:
    outside = lab(APPROVE)
    assert approvals(outside, outside.operator()) == [
        ["AuthServerCreated", "KeyCredentialAdded", "ProxyEnabled", *RESTARTS],
    ]
    assert outside.condition("Ready") == ("True", "Succeeded")


def test_correcting_the_proxy_is_approved_as_one_with_the_restarts_that_follow() -> None:
    outside, operator = settled()
    outside.administrator("Disable-PushNotificationProxy", Confirm=False)
    operator.audited.clear()
    assert approvals(outside, operator) == [["ProxyEnabled", *RESTARTS]]
    assert len({entry["approved_plan"] for _, entry in operator.audited}) == 1
    assert [entry["outcome"] for entry in outside.status["history"][:3]] == ["Succeeded"] * 3
    assert outside.condition("Ready") == ("True", "Succeeded")


def test_a_restart_that_turns_out_not_to_be_needed_drops_out_and_is_not_told_as_made() -> None:
    outside, operator = settled()
    set_fault(outside.organization, "stale_probe", "passes")
    outside.administrator("Disable-PushNotificationProxy", Confirm=False)
    before = outside.status["history"]
    assert approvals(outside, operator) == [["ProxyEnabled", *RESTARTS]]
    assert outside.condition("InSync") == IN_SYNC
    assert [e["action"] for e in outside.status["history"] if e not in before] == [
        "Enable the push notification proxy"
    ]


def test_restarts_that_follow_are_forgotten_neither_over_other_work_nor_by_a_kill() -> None:
    outside, operator = settled()
    outside.administrator("Disable-PushNotificationProxy", Confirm=False)
    operator.run()
    named = approve(outside)
    set_fault(outside.organization, "failing_cmdlet", "Restart-Service")
    operator.step()
    set_fault(outside.organization, "failing_cmdlet", "")
    drift(outside)
    outside.clock.forward(minutes=2)
    outside.operator().run()
    assert outside.status["planHash"] != named  # for the auth server, which it did not have
    assert [change["stage"] for change in outside.status["plannedChanges"]] == [
        "AuthServerReady",
        "Verified",
        "Verified",
    ]


def test_what_cannot_be_looked_at_for_a_while_stays_approved() -> None:
    outside = lab(APPROVE)
    operator = outside.operator()
    operator.run()
    named = approve(outside)
    outside.microsoft365.set_fault("graph_failure", {"status": 503, "times": 100})
    operator.run()
    assert outside.status["planHash"] == named
    outside.microsoft365.set_fault("graph_failure", {"status": 503, "times": 0})
    outside.clock.forward(minutes=10)
    operator.run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert {entry["outcome"] for entry in outside.status["history"]} == {"Succeeded"}


def test_an_approval_whose_every_step_turned_out_not_to_be_needed_is_spent_all_the_same() -> None:
    outside = lab({**BY_SECRET, "verification": {"restartHealthManager": False}})
    outside.operator().run()
    outside.edit(APPROVE)
    operator = outside.operator()
    operator.run()
    assert len(outside.status["plannedChanges"]) == len(RESTARTS)
    stale = approve(outside)
    set_fault(outside.organization, "stale_probe", "passes")
    operator.run()
    assert outside.condition("InSync") == IN_SYNC
    assert outside.status["history"][0]["outcome"] == "NotNeeded"
    set_fault(outside.organization, "stale_probe", "fails")
    outside.clock.forward(days=40)
    operator.run()
    assert outside.condition("InSync") == AWAITS
    assert f"names {stale}" in message(outside)


def test_what_the_spec_does_not_want_any_more_is_not_told_as_made() -> None:
    outside = lab(APPROVE)
    operator = outside.operator()
    operator.run()
    approve(outside, proxy={"state": "Unmanaged"}, verification={"enabled": False})
    operator.run()
    assert {(e["stage"], e["outcome"]) for e in outside.status["history"]} == {
        ("AuthServerReady", "Succeeded"),
        ("PrincipalCredentialReady", "Succeeded"),
        ("ProxyReady", "NotNeeded"),
        ("Verified", "NotNeeded"),
    }


def test_a_planned_change_of_a_stage_that_nobody_knows_ends_no_pass() -> None:
    """Another version, or somebody's hand, has written it."""
    outside, operator = drifted()
    outside.status["plannedChanges"].append({"id": "02-Other.0123456789ab", "stage": "Other"})
    approve(outside)
    operator.run()
    assert outside.condition("InSync") == IN_SYNC


SIGNING = ["ServiceRestarted"] * 3  # MSExchangeServiceHost, the pools of OWA and ECP


def test_an_organisation_without_a_certificate_asks_where_a_step_is_not_known_beforehand() -> None:
    outside = lab(APPROVE, auth_certificate=False)
    assert approvals(outside, outside.operator()) == [
        ["CertificateCreated", "AuthServerCreated", "ProxyEnabled", *RESTARTS],
        ["CertificateAssigned", *SIGNING, *SIGNING, "KeyCredentialAdded", *RESTARTS],
    ]
    assert outside.condition("Ready") == ("True", "Succeeded")


def test_a_certificate_that_lies_in_the_stores_is_assigned_by_one_approval() -> None:
    outside = lab(APPROVE, auth_certificate=False)
    add_auth_certificate(outside.organization)
    (plan,) = approvals(outside, outside.operator())
    assert plan[:7] == ["CertificateAssigned", *SIGNING, *SIGNING]
    assert plan[-2:] == RESTARTS
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert {entry["outcome"] for entry in outside.status["history"]} == {"Succeeded"}


def test_a_roll_over_asks_four_times_in_its_weeks() -> None:
    outside = managed(left=75)
    outside.operator().run()
    spec = merged(APPROVE, MANAGE)
    outside.edit(spec)
    operator, plans = outside.operator(), []
    for _ in range(80):
        operator.run()
        plan = outside.status.get("planHash")
        if plan and plan != outside.resource["spec"].get("approvedPlan"):
            plans += [change["id"][3:].split(".")[0] for change in outside.status["plannedChanges"]]
            plans.append("approved")
            outside.edit({**spec, "approvedPlan": plan})
            operator.run()
        outside.clock.forward(hours=12)
        outside.organization.tick()
    assert " ".join(plans).split(" approved") == [
        "CertificateCreated",
        " CertificateImported",
        " CertificateStaged KeyCredentialAdded",
        " KeyCredentialRemoved",
        "",
    ]
    assert outside.condition("Ready") == ("True", "Succeeded")


def test_a_kill_at_any_remote_call_of_an_approved_plan_neither_repeats_nor_loses_it() -> None:
    expected, calls = _counted()
    assert calls > 10
    for at in range(1, calls + 1):
        outside, _ = drifted()
        approve(outside)
        counter = Counter(at)
        with pytest.raises(Killed):
            Operator(outside, before=counter, after=counter).run()
        outside.operator().run()
        assert outside.outside() == expected, at
        assert outside.condition("InSync") == IN_SYNC, at
        outside.clock.forward(hours=2)
        drift(outside)
        outside.operator().run()
        assert not enabled(outside), f"the approval was used twice after a kill at {at}"


def test_a_transport_role_is_given_back_without_an_approval_of_its_own() -> None:
    outside = lab(APPROVE, auth_certificate=False)
    set_fault(outside.organization, "creation_takes_transport", value=True)
    before = outside.outside()["transport"]
    operator = outside.operator()
    operator.run()
    approve(outside)
    operator.run()
    assert "CertificateCreated" in [entry["event"] for _, entry in operator.audited]
    assert outside.outside()["transport"] == before


def test_who_goes_back_to_manage_needs_no_approval() -> None:
    outside, operator = drifted()
    outside.edit({**BY_SECRET, "managementPolicy": "Manage"})
    operator.run()
    assert enabled(outside)


def test_a_failure_that_repeats_is_in_the_history_once_and_under_the_same_approval() -> None:
    outside, operator = drifted()
    named = approve(outside)
    set_fault(outside.organization, "failing_cmdlet", "Set-AuthServer")
    for _ in range(3):
        operator.run()
        outside.clock.forward(minutes=2)
    assert outside.condition("InSync") == ("False", "ChangeFailed")
    assert outside.status["planHash"] == named
    assert [e["outcome"] for e in outside.status["history"]].count("Failed") == 1


def _counted() -> tuple[Any, int]:
    outside, _ = drifted()
    approve(outside)
    counter = Counter()
    Operator(outside, before=counter, after=counter).run()
    return outside.outside(), counter.count
