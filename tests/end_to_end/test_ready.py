"""From a declared resource to a configured organisation and tenant, over the real protocols."""

from __future__ import annotations

import json
from typing import Any

import pytest

from end_to_end.looking import (
    assert_configured,
    exchange_changes,
    first_party_keys,
    is_configured,
    servers,
)
from lab import wait
from lab.microsoft365.sample import SECRET
from lab.running import RunningLab

STAGES = (
    "PrerequisitesMet",
    "CertificateReady",
    "AuthServerReady",
    "PrincipalCredentialReady",
    "ProxyReady",
    "Verified",
)
HTTPS = {"scheme": "HTTPS"}
HTTP = {"scheme": "HTTP"}
CERTIFICATE = {"clientCertificate": {"secretRef": {"name": "fabrikam-entra"}}}
# As docs/entra.md has it, "Permissions".
KEY_CHANGE = '{.status.plannedChanges[?(@.stage=="PrincipalCredentialReady")].command}'
CLIENT_SECRET = {
    "clientCertificate": None,
    "clientSecret": {"secretRef": {"name": "fabrikam-secret", "key": "client-secret"}},
}


@pytest.mark.parametrize("scheme", [HTTPS, HTTP], ids=["WinRM over HTTPS", "WinRM over HTTP"])
@pytest.mark.parametrize(
    "identity", [CERTIFICATE, CLIENT_SECRET], ids=["client certificate", "client secret"]
)
def test_a_fresh_organisation_becomes_ready(
    running_lab: RunningLab, scheme: dict[str, Any], identity: dict[str, Any]
) -> None:
    lab = running_lab
    lab.installation.apply(lab.installation.secret("fabrikam-secret", {"client-secret": SECRET}))

    lab.apply(lab.example(tenant={"credentials": identity}, exchange={"connection": scheme}))
    lab.wait_ready()

    for stage in STAGES:
        assert lab.condition(stage)["status"] == "True", stage
    assert_configured(lab)
    for counted in lab.control.counters()["exchange"].values():
        assert counted["requests"]["processes"] == 1


def test_a_certificate_is_made_where_auth_config_names_none(running_lab: RunningLab) -> None:
    lab = running_lab
    lab.control.post("/reset", authCertificate=False)
    transport = [one["transportCertificate"] for one in servers(lab)]

    lab.apply()
    lab.wait_ready()

    assert_configured(lab)
    assert exchange_changes(lab).count("New-ExchangeCertificate") == 1
    assert lab.status()["certificate"]["origin"] == "Created"
    assert [one["transportCertificate"] for one in servers(lab)] == transport


def test_events_tell_what_was_done(running_lab: RunningLab) -> None:
    lab = running_lab
    lab.apply()
    lab.wait_ready()
    expected = {
        "CertificateAdopted",
        "AuthServerCreated",
        "KeyCredentialAdded",
        "ProxyEnabled",
        "HealthManagerRestarted",
        "Succeeded",
    }

    def told() -> set[str]:
        reasons = {event["reason"] for event in lab.events()}
        assert expected <= reasons, reasons
        return reasons

    assert wait.until(told, 15, "the events") == expected
    assert {event["type"] for event in lab.events()} == {"Normal"}


def test_kubectl_wait_and_the_columns_say_ready(running_lab: RunningLab) -> None:
    lab = running_lab
    lab.apply()

    lab.kubectl("wait", "epc/fabrikam", "--for=condition=Ready", "--timeout=60s")
    head, row = lab.kubectl("get", "exchangepushconfigs").splitlines()

    assert head.split() == ["NAME", "READY", "REASON", "TENANT", "SERVERS", "CERT-EXPIRES", "AGE"]
    assert row.split()[:5] == ["fabrikam", "True", "Succeeded", "fabrikam.com", "2/2"]
    head, row = lab.kubectl("get", "epc", "-o", "wide").splitlines()
    assert head.split()[-3:] == ["INSYNC", "MODE", "MESSAGE"]
    assert "push notifications of fabrikam.com are proxied and verified on 2 servers" in row


def test_drift_is_corrected(running_lab: RunningLab) -> None:
    lab = running_lab
    lab.apply()
    lab.wait_ready()

    lab.control.cmdlet("Disable-PushNotificationProxy", Confirm=False)
    lab.control.post("/keys/remove", keyId=lab.status()["principalCredential"]["keyId"])

    wait.until(lambda: is_configured(lab), 30, "the proxy and the key to be back")
    lab.wait_ready()


def test_suspended_asks_nobody_until_it_is_resumed(running_lab: RunningLab) -> None:
    lab = running_lab
    lab.apply(lab.example(suspend=True))
    lab.wait_condition("Ready", "Unknown", "Suspended")
    before = lab.control.counters()
    assert before["microsoft365"] == []
    assert all(one["requests"] == {} for one in before["exchange"].values())

    lab.apply(lab.example(suspend=False))
    lab.wait_ready()

    lab.kubectl("annotate", "epc", "fabrikam", "exchangepush.dev/suspended=true")
    wait.until(lambda: lab.condition("Ready")["reason"] == "Suspended", 30, "it to be suspended")
    lab.control.cmdlet("Disable-PushNotificationProxy", Confirm=False)
    lab.kubectl("annotate", "epc", "fabrikam", "exchangepush.dev/suspended-")
    wait.until(lambda: lab.control.state()["exchange"]["proxy"]["enabled"], 30, "the correction")
    lab.wait_ready()


def test_observe_plans_and_changes_nothing(running_lab: RunningLab) -> None:
    lab = running_lab
    lab.apply(lab.example(managementPolicy="Observe"))
    lab.wait_condition("InSync", "False", "DriftDetected")

    status = lab.status()

    assert lab.condition("Ready")["reason"] == "ObservationSucceeded"
    stages = [one["stage"] for one in status["plannedChanges"]]
    assert stages[:3] == ["AuthServerReady", "PrincipalCredentialReady", "ProxyReady"]
    assert "New-AuthServer" in status["plannedChanges"][0]["command"]
    forms = lab.kubectl("get", "epc", "fabrikam", "-o", f"jsonpath={KEY_CHANGE}").splitlines()
    assert [form.split()[0] for form in forms] == ["PATCH", "az", "Invoke-MgGraphRequest"]
    assert exchange_changes(lab) == []
    assert len(first_party_keys(lab)) == 1

    lab.apply(lab.example(managementPolicy="Manage"))
    lab.wait_ready()
    assert lab.status()["plannedChanges"] == []


def test_read_only_plans_and_changes_nothing(running_lab: RunningLab) -> None:
    lab = running_lab
    lab.restart_operator("--max-interval=1s", "--read-only")

    lab.apply()
    lab.wait_condition("InSync", "False", "DriftDetected")

    assert exchange_changes(lab) == []
    assert len(first_party_keys(lab)) == 1


def test_deleting_leaves_everything_by_default(running_lab: RunningLab) -> None:
    lab = running_lab
    lab.apply()
    lab.wait_ready()
    assert "finalizers" not in lab.resource()["metadata"]

    lab.kubectl("delete", "epc", "fabrikam", "--timeout=20s")

    assert_configured(lab)


def test_deleting_with_disable_switches_the_proxy_off(running_lab: RunningLab) -> None:
    lab = running_lab
    lab.apply(lab.example(deletionPolicy="Disable"))
    lab.wait_ready()
    assert lab.resource()["metadata"]["finalizers"] == ["exchangepush.dev/disable"]

    lab.kubectl("delete", "epc", "fabrikam", "--timeout=60s")

    assert not lab.control.state()["exchange"]["proxy"]["enabled"]
    # AuthConfig still names the certificate: free/busy may rest on the key
    assert len(first_party_keys(lab)) == 2


def test_the_reconcile_annotation_is_handled_and_echoed(running_lab: RunningLab) -> None:
    lab = running_lab
    lab.restart_operator("--max-interval=1h")
    lab.apply()
    lab.wait_ready()
    lab.control.cmdlet("Disable-PushNotificationProxy", Confirm=False)

    asked = lab.reconcile_now()

    wait.until(lambda: lab.status().get("lastHandledReconcileAt") == asked, 30, "the echo")
    assert lab.control.state()["exchange"]["proxy"]["enabled"]


def test_what_the_policy_does_not_allow_is_refused_before_a_secret_is_read(
    running_lab: RunningLab,
) -> None:
    lab = running_lab
    lab.write_policy({"namespaces": {}})
    lab.kubectl("delete", "secret", "fabrikam-exchange", "fabrikam-entra")

    lab.apply()
    stalled = lab.wait_condition("Stalled", "True", "NotAllowedByPolicy")

    assert "policy" in stalled["message"]
    counters = lab.control.counters()
    assert counters["microsoft365"] == []
    assert all(one["requests"] == {} for one in counters["exchange"].values())
    assert "fabrikam-e" not in json.dumps(lab.status())


def test_sigterm_ends_it_cleanly_and_no_shell_stays_open(running_lab: RunningLab) -> None:
    lab = running_lab
    lab.apply()
    lab.wait_ready()

    code = lab.stop_operator()

    assert code == 0
    assert all(one["openShells"] == 0 for one in lab.control.counters()["exchange"].values())
