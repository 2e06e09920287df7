"""The walk as a user sees it in status, events and the time of the next look."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from exchange_push_operator.reconcile import Outcome
from lab.exchange.faults import set_fault
from lab.in_process import BY_SECRET, Lab, Operator, lab

pytestmark = pytest.mark.lab

EX2 = "ex2.corp.fabrikam.com"


def ready(spec: dict[str, Any] | None = None) -> tuple[Lab, Operator]:
    """A lab whose resource is Ready, and the operator that made it so."""
    outside = lab(spec)
    operator = outside.operator()
    operator.run()
    assert outside.condition("Ready")[0] == "True"
    return outside, operator


def reasons(outcomes: list[Outcome]) -> list[str]:
    return [event.reason for outcome in outcomes for event in outcome.events]


def changes(outside: Lab) -> int:
    return len(outside.organization.changes)


def test_a_fresh_organisation_becomes_ready_and_says_what_was_done() -> None:
    outside = lab()
    outcomes = outside.operator().run()
    assert outcomes[-1].requeue.kind == "steady"
    assert set(reasons(outcomes)) == {
        "AuthServerCreated",
        "KeyCredentialAdded",
        "ProxyEnabled",
        "HealthManagerRestarted",
        "CertificateAdopted",
        "Succeeded",
    }
    assert outside.status["serversReady"] == "2/2"
    assert outside.status["certificate"]["origin"] == "Adopted"
    assert outside.status["proxy"]["state"] == "Enabled"


def test_a_certificate_that_we_made_says_so() -> None:
    outside = lab(auth_certificate=False)
    outside.operator().run()
    assert outside.status["certificate"]["origin"] == "Created"


def declared_anew() -> tuple[Lab, Operator]:
    """An organisation in order, and a resource that has just been created for it."""
    outside, _ = ready()
    outside.resource["status"] = {"observedGeneration": -1}
    return outside, outside.operator()


def test_an_organisation_in_order_is_told_of_in_one_pass() -> None:
    outside, operator = declared_anew()
    made = changes(outside)
    outcome = operator.step()
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert outcome.requeue.kind == "steady"
    assert reasons([outcome]) == ["CertificateAdopted", "Succeeded"]
    told = copy.deepcopy(outside.status)
    operator.step()
    assert (outside.status, changes(outside)) == (told, made)


def test_what_a_first_pass_tells_follows_what_was_told_before() -> None:
    outside, _ = ready()
    told = {c["type"]: c["lastTransitionTime"] for c in outside.status["conditions"]}
    del outside.resource["status"]["organizationId"]
    outside.clock.forward(hours=1)
    outside.operator().step()
    assert outside.status["organizationId"]
    assert {c["type"]: c["lastTransitionTime"] for c in outside.status["conditions"]} == told


def test_where_something_is_to_be_changed_whose_organisation_it_is_is_written_first() -> None:
    outside, operator = declared_anew()
    outside.administrator("Disable-PushNotificationProxy", Confirm=False)
    made = changes(outside)
    outcome = operator.step()
    assert outside.status["organizationId"]
    assert outside.condition("Ready") == ("Unknown", "Progressing")
    assert (outcome.requeue.kind, changes(outside)) == ("now", made)
    operator.step()
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert changes(outside) > made


def test_observing_tells_of_drift_in_one_pass() -> None:
    outside, operator = declared_anew()
    outside.administrator("Disable-PushNotificationProxy", Confirm=False)
    outside.edit({"managementPolicy": "Observe"})
    made = changes(outside)
    operator.step()
    assert outside.condition("InSync") == ("False", "DriftDetected")
    assert changes(outside) == made


def test_a_second_pass_changes_nothing_and_tells_nothing() -> None:
    outside, operator = ready()
    before, made = copy.deepcopy(outside.status), changes(outside)
    outside.clock.forward(hours=1)
    outcome = operator.step()
    assert outcome.status == before
    assert outcome.events == ()
    assert changes(outside) == made


def test_a_steady_pass_asks_each_server_once() -> None:
    outside, operator = ready()
    operator.exchange.requests.clear()
    outside.clock.forward(hours=1)
    operator.step()
    assert [server for server, _, _ in operator.exchange.requests] == [
        "ex1.corp.fabrikam.com",
        EX2,
    ]


def test_a_probe_is_repeated_after_its_interval() -> None:
    outside, operator = ready()
    outside.clock.forward(hours=25)
    operator.exchange.requests.clear()
    operator.step()
    asked = [cmdlets for _, cmdlets, _ in operator.exchange.requests]
    assert sum("Invoke-MonitoringProbe" in look for looks in asked for look in looks) == 2


def test_a_restart_does_not_probe_again_what_was_verified_today() -> None:
    outside, _ = ready()
    outside.clock.forward(hours=1)
    operator = outside.operator()
    operator.step()
    assert len(operator.exchange.requests) == 2


@pytest.mark.parametrize(
    ("command", "parameters", "event"),
    [
        ("Disable-PushNotificationProxy", {"Confirm": False}, "ProxyEnabled"),
        (
            "Set-AuthServer",
            {
                "Identity": "MicrosoftSts",
                "AuthMetadataUrl": "https://accounts.accesscontrol.windows.net/metadata/json/1/"
                "?realm=fabrikam.onmicrosoft.com",
            },
            "AuthServerCorrected",
        ),
        ("Set-AuthServer", {"Identity": "MicrosoftSts", "Enabled": False}, "AuthServerCorrected"),
        (
            "Set-PartnerApplication",
            {"Identity": "Exchange Online", "Enabled": False},
            "PartnerApplicationEnabled",
        ),
    ],
    ids=["proxy disabled", "other URL", "auth server disabled", "partner disabled"],
)
def test_drift_is_corrected_and_told(command: str, parameters: Any, event: str) -> None:
    outside, operator = ready()
    before = outside.outside()
    outside.administrator(command, **parameters)
    outcomes = operator.run()
    assert outside.outside() == before
    assert {event, "DriftCorrected"} <= set(reasons(outcomes))
    assert outside.condition("Ready") == ("True", "Succeeded")


def test_a_key_that_was_removed_is_added_again() -> None:
    outside, operator = ready()
    before = outside.outside()
    ours = outside.status["principalCredential"]["keyId"]
    outside.microsoft365.remove_keys(
        "fabrikam.com", "00000002-0000-0ff1-ce00-000000000000", key_id=ours
    )
    operator.run()
    assert outside.outside() == before


def test_a_change_that_is_not_seen_yet_is_settling_and_not_repeated() -> None:
    outside = lab()
    outside.microsoft365.set_fault("read_lag", 8)
    operator = outside.operator()
    for _ in range(4):
        operator.step()
    assert sum("PATCH" in line for line in outside.microsoft365.requests()) == 1
    assert outside.condition("PrincipalCredentialReady") == ("Unknown", "Settling")
    assert outside.condition("InSync") == ("Unknown", "Settling")
    assert outside.condition("Ready") == ("Unknown", "Progressing")
    assert outside.condition("Reconciling") == ("True", "ProgressingWithRetry")
    operator.run(most=20)
    assert sum("PATCH" in line for line in outside.microsoft365.requests()) == 1
    assert outside.condition("Ready") == ("True", "Succeeded")


def test_an_identity_that_may_only_read_waits_for_an_administrator() -> None:
    outside = lab()
    outside.microsoft365.grant(
        "fabrikam.com", "3f2b1c8a-0000-4000-8000-6d1f7c9a5e21", ["Application.Read.All"]
    )
    operator = outside.operator()
    operator.run()
    assert outside.condition("InSync") == ("False", "AwaitingAdministrator")
    assert outside.condition("Stalled") == ("", "")
    assert "PATCH /v1.0/servicePrincipals/" in outside.status["plannedChanges"][0]["command"]


def test_a_refused_cmdlet_stalls_with_the_cmdlets_name() -> None:
    outside = lab()
    set_fault(outside.organization, "denied_cmdlets", ["New-AuthServer"])
    outcomes = outside.operator().run()
    assert outside.condition("Stalled") == ("True", "AccessDenied")
    assert outside.condition("InSync") == ("False", "ChangeRefused")
    assert outcomes[-1].requeue.kind == "stalled"
    message = outside.status["conditions"][0]["message"]
    assert "New-AuthServer" in message


def test_a_locked_principal_stalls() -> None:
    outside = lab()
    outside.microsoft365.set_fault("first_party_locked", value=True)
    outside.operator().run()
    assert outside.condition("Stalled") == ("True", "PrincipalLocked")


def test_a_server_in_maintenance_is_neither_changed_nor_counted() -> None:
    outside = lab()
    set_fault(outside.organization, "maintenance", value=True, server=EX2)
    outside.operator().run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert outside.status["serversReady"] == "1/2"
    assert outside.status["servers"][1]["reason"] == "InMaintenance"
    assert not [c for c in outside.organization.changes if c.server.lower().startswith("ex2")]


def test_a_server_away_is_written_down_once_and_costs_ready_only_after_its_grace() -> None:
    outside, operator = ready()
    set_fault(outside.organization, "down", value=True, server=EX2)
    operator.step()
    since = outside.status["servers"][1]["awaySince"]
    outside.clock.forward(hours=2)
    operator = outside.operator()
    operator.step()
    assert outside.status["servers"][1]["awaySince"] == since
    assert outside.condition("Ready") == ("True", "Succeeded")
    outside.clock.forward(hours=23)
    operator.step()
    assert outside.condition("Ready") == ("Unknown", "Unreachable")
    set_fault(outside.organization, "down", value=False, server=EX2)
    operator.run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert "awaySince" not in outside.status["servers"][1]


def test_a_short_silence_of_all_servers_is_not_news() -> None:
    outside, operator = ready()
    before = copy.deepcopy(outside.status)
    set_fault(outside.organization, "down", value=True)
    outside.clock.forward(minutes=1)
    assert operator.step().status == before
    outside.clock.forward(minutes=6)
    operator.step()
    assert outside.condition("Ready") == ("Unknown", "Unreachable")
    assert outside.condition("ProxyReady") == ("Unknown", "Unreachable")


def test_a_short_throttling_of_graph_is_not_news_either() -> None:
    outside, operator = ready(BY_SECRET)
    before = copy.deepcopy(outside.status)
    throttled = {"status": 429, "times": 99, "retryAfter": 5}
    outside.microsoft365.set_fault("graph_failure", throttled)
    outside.clock.forward(minutes=1)
    assert operator.step().status == before
    outside.clock.forward(minutes=6)
    operator.step()
    assert outside.condition("PrincipalCredentialReady") == ("Unknown", "Throttled")


def test_servers_without_the_probe_are_ready_with_an_advisory() -> None:
    outside = lab()
    set_fault(outside.organization, "probe_missing", value=True)
    outside.operator().run()
    assert outside.condition("Verified") == ("Unknown", "ProbeNotAvailable")
    assert outside.condition("Ready") == ("True", "Succeeded")


@pytest.mark.parametrize("status", [404, 410])
def test_a_service_that_is_gone_leaves_ready_alone(status: int) -> None:
    outside = lab()
    outside.microsoft365.set_fault("push_failure", {"status": status})
    outside.operator().run()
    outside.clock.forward(minutes=10)
    outside.operator().run()
    assert outside.condition("Verified") == ("False", "ServiceGone")
    assert outside.condition("Ready") == ("True", "Succeeded")


def test_a_probe_that_fails_for_another_reason_does_not() -> None:
    outside, operator = ready()
    set_fault(outside.organization, "outbound_blocked", value=True)
    outside.clock.forward(hours=25)
    operator.step()
    assert outside.condition("Verified") == ("False", "NoConnection")
    assert outside.condition("Ready") == ("False", "NoConnection")
    assert outside.status["servers"][0]["probeError"]


@pytest.mark.parametrize(
    ("spec", "condition", "expected"),
    [
        ({"proxy": {"state": "Unmanaged"}}, "ProxyReady", ("True", "NotManaged")),
        ({"proxy": {"state": "Disabled"}}, "Verified", ("True", "NotManaged")),
        ({"verification": {"enabled": False}}, "Verified", ("True", "NotManaged")),
        (
            {
                "tenant": {
                    "tenantId": "72f988bf-0000-4000-8000-2d7cd011db47",
                    "credentials": None,
                },
                "principal": {"target": "None"},
                "verification": {"enabled": False},
            },
            "PrincipalCredentialReady",
            ("True", "NotManaged"),
        ),
    ],
    ids=["proxy unmanaged", "proxy disabled", "no verification", "no principal"],
)
def test_what_is_not_managed_is_true(
    spec: dict[str, Any], condition: str, expected: tuple[str, str]
) -> None:
    outside = lab(spec)
    outside.operator().run()
    assert outside.condition(condition) == expected
    assert outside.condition("Ready") == ("True", "Succeeded")


def test_with_target_none_and_a_declared_tenant_nothing_leaves_but_winrm() -> None:
    outside = lab(
        {
            "tenant": {"tenantId": "72f988bf-0000-4000-8000-2d7cd011db47", "credentials": None},
            "principal": {"target": "None"},
            "verification": {"enabled": False},
        }
    )
    outside.operator().step()
    assert outside.microsoft365.requests() == ()


def test_suspended_keeps_the_stage_conditions_and_resuming_looks_again() -> None:
    outside, operator = ready()
    outside.edit({"suspend": True})
    operator.run()
    assert outside.condition("Ready") == ("Unknown", "Suspended")
    assert outside.condition("ProxyReady") == ("True", "UpToDate")
    outside.edit({"suspend": False})
    operator.run()
    assert outside.condition("Ready") == ("True", "Succeeded")


def test_a_requested_look_is_echoed() -> None:
    outside, operator = ready()
    outside.resource["metadata"]["annotations"] = {
        "exchangepush.dev/reconcile-requested-at": "2026-11-21T09:00:00Z"
    }
    operator.step()
    assert outside.status["lastHandledReconcileAt"] == "2026-11-21T09:00:00Z"


def test_a_resource_of_before_a_rule_existed_stalls_and_names_the_field() -> None:
    outside = lab()
    outside.resource["spec"]["interval"] = "soon"
    outcome = outside.operator().step()
    assert outside.condition("Stalled") == ("True", "InvalidSpec")
    assert "spec.interval" in outside.status["conditions"][0]["message"]
    assert [event.type for event in outcome.events] == ["Warning"]


def test_a_tenant_that_moves_stops_everything() -> None:
    outside, operator = ready()
    outside.status["tenantId"] = "c0ffee00-0000-4000-8000-000000000001"
    operator.run()
    assert outside.condition("Stalled") == ("True", "TenantMismatch")


def test_a_pass_that_takes_longer_than_its_timeout_ends() -> None:
    outside = lab()
    operator = outside.operator()
    operator.step()
    slow = Operator(outside, before=lambda: outside.clock.forward(minutes=6))
    outcome = slow.step()
    assert outcome.requeue.kind == "retry"
    assert changes(outside) == 0
