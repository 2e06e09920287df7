"""Input that cannot work: what is said, that nothing is changed and nothing leaks, the cure.

One table, a row for each case. A cure that the operator would find out by itself at
`spec.retryInterval` is brought forward by the reconcile annotation.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from lab import wait
from lab.installation import Manifest
from lab.microsoft365.sample import CONTOSO, FABRIKAM, SECRET
from lab.microsoft365.world import system_clock
from lab.network.ca import PrivateCA, key_pem, rsa_key, self_signed
from lab.running import RunningLab

WRONG_PASSWORD = "canary-wrong-password-93c1"
SLOWEST = {"retryInterval": "1h"}  # only what the test asks for brings it forward


def secret(lab: RunningLab, name: str, data: dict[str, str], type_: str = "Opaque") -> None:
    lab.installation.apply(lab.installation.secret(name, data, type_))


def account(lab: RunningLab) -> dict[str, str]:
    one = lab.endpoints["exchange"][0]
    return {"username": one["username"], "password": one["password"]}


def without_secret(lab: RunningLab) -> None:
    lab.kubectl("delete", "secret", "fabrikam-exchange")


def with_another_key(lab: RunningLab) -> None:
    without_secret(lab)
    given = account(lab)
    secret(lab, "fabrikam-exchange", {"username": given["username"], "pass": given["password"]})


def with_a_wrong_password(lab: RunningLab) -> None:
    secret(lab, "fabrikam-exchange", {**account(lab), "password": WRONG_PASSWORD})


def with_an_expired_certificate(lab: RunningLab) -> None:
    certificate = self_signed("expired", start=system_clock() - timedelta(days=40), days=30)
    pem = certificate.public_bytes(Encoding.PEM).decode()
    pair = {"tls.crt": pem, "tls.key": key_pem(rsa_key("expired")).decode()}
    secret(lab, "fabrikam-entra", pair, "kubernetes.io/tls")


def good_secrets(lab: RunningLab) -> None:
    lab.write_secrets()


def ex1_does_not_resolve(lab: RunningLab) -> None:
    for port in (5985, 5986):
        lab.redirect.remove("ex1.corp.fabrikam.com", port)


def ex1_resolves(lab: RunningLab) -> None:
    lab.write_redirections()


def other_hosts_only(lab: RunningLab) -> None:
    policy = lab.installation.policy()
    policy["namespaces"][lab.namespace]["exchangeHosts"] = ["*.branch.fabrikam.com"]
    lab.write_policy(policy)


def policy_of_the_examples(lab: RunningLab) -> None:
    lab.write_policy()


def both_tenants_allowed(lab: RunningLab) -> None:
    policy = lab.installation.policy()
    policy["namespaces"][lab.namespace]["tenantIds"] = [FABRIKAM, CONTOSO]
    lab.write_policy(policy)


def other_authority(lab: RunningLab) -> None:
    secret(lab, "corp-ca", {"ca.crt": PrivateCA("somebody else's CA").pem().decode()})


def right_authority(lab: RunningLab) -> None:
    secret(lab, "corp-ca", {"ca.crt": Path(lab.endpoints["ca"]).read_text("ascii")})


def fault(name: str, value: Any, target: str = "exchange") -> Callable[[RunningLab], None]:
    return lambda lab: lab.control.fault(name, value, target)


def without_roles(lab: RunningLab) -> None:
    """From the start on: a token that was issued keeps its roles until it expires."""
    lab.stop_operator()
    lab.control.post("/roles", roles=[])
    lab.start_operator(*lab.operator_flags)


def with_roles(lab: RunningLab) -> None:
    lab.control.post("/roles", roles=["Application.ReadWrite.All", "Organization.Read.All"])


def made_anew(lab: RunningLab) -> None:
    """Tenant and domain are immutable: the cure is another resource."""
    lab.kubectl("delete", "epc", "fabrikam")
    lab.apply()


@dataclass(frozen=True)
class Case:
    breaks: Callable[[RunningLab], None]
    condition: tuple[str, str, str]
    words: tuple[str, ...]
    cure: Callable[[RunningLab], None]
    spec: Mapping[str, Any] = field(default_factory=dict)


ONE_SERVER = {"exchange": {"servers": [{"name": "ex1.corp.fabrikam.com"}]}}
OWN_CA = {"caSecretRef": {"name": "corp-ca", "key": "ca.crt"}}

CASES = {
    "unknown tenant domain": Case(
        lambda _: None,
        ("PrerequisitesMet", "False", "TenantNotFound"),
        ("fabrikam.example", "spec.tenant.domain", "verify"),
        lambda lab: lab.control.post("/domains", domain="fabrikam.example"),
        {"tenant": {"domain": "fabrikam.example"}},
    ),
    "tenantId of another tenant": Case(
        both_tenants_allowed,
        ("Stalled", "True", "TenantMismatch"),
        ("tenantId", CONTOSO, FABRIKAM),
        made_anew,
        {"tenant": {"tenantId": CONTOSO}},
    ),
    "Secret missing": Case(
        without_secret,
        ("Stalled", "True", "SecretNotFound"),
        ("fabrikam-exchange", "create"),
        good_secrets,
    ),
    "Secret with another key": Case(
        with_another_key,
        ("Stalled", "True", "SecretInvalid"),
        ("fabrikam-exchange", "password"),
        good_secrets,
    ),
    "wrong password": Case(
        with_a_wrong_password,
        ("Stalled", "True", "AccessDenied"),
        ("CORP\\svc-epo", ".corp.fabrikam.com", "password"),
        good_secrets,
    ),
    "expired client certificate": Case(
        with_an_expired_certificate,
        ("Stalled", "True", "SecretInvalid"),
        ("tls.crt has expired", "renew"),
        good_secrets,
    ),
    "server that does not resolve": Case(
        ex1_does_not_resolve,
        ("Ready", "Unknown", "Unreachable"),
        ("ex1.corp.fabrikam.com", "DNS"),
        ex1_resolves,
        ONE_SERVER,
    ),
    "host not allowed by the policy": Case(
        other_hosts_only,
        ("Stalled", "True", "NotAllowedByPolicy"),
        ("ex1.corp.fabrikam.com", "exchangeHosts", "policy"),
        policy_of_the_examples,
    ),
    "TLS certificate that is not trusted": Case(
        other_authority,
        ("Stalled", "True", "AccessDenied"),
        ("ex1.corp.fabrikam.com", "not trusted", "caSecretRef"),
        right_authority,
        {"exchange": {**ONE_SERVER["exchange"], "connection": OWN_CA}},
    ),
    "server older than CU3": Case(
        fault("version", "15.0.712.24", "ex1.corp.fabrikam.com"),
        ("PrerequisitesMet", "False", "ServerTooOld"),
        ("ex1.corp.fabrikam.com", "CU3 (15.0.775.38)", "update"),
        fault("version", "15.2.2562.17", "ex1.corp.fabrikam.com"),
    ),
    "cmdlet that RBAC does not grant": Case(
        fault("denied_cmdlets", ["Get-AuthConfig"]),
        ("Stalled", "True", "AccessDenied"),
        ("Get-AuthConfig", "credentialsSecretRef", "assign a management role"),
        fault("denied_cmdlets", []),
    ),
    "principal not found": Case(
        fault("not_provisioned", value=True, target="microsoft365"),
        ("PrincipalCredentialReady", "False", "PrincipalNotFound"),
        ("00000002-0000-0ff1-ce00-000000000000",),
        fault("not_provisioned", value=False, target="microsoft365"),
    ),
    "Graph permission missing": Case(
        without_roles,
        ("Stalled", "True", "AccessDenied"),
        ("Application.Read",),
        with_roles,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_told_changes_nothing_and_recovers(running_lab: RunningLab, name: str) -> None:
    lab, case = running_lab, CASES[name]
    log_starts = len(lab.operator_log)
    case.breaks(lab)

    lab.apply(lab.example(**SLOWEST, **case.spec))
    told = lab.wait_condition(*case.condition)

    assert "\n" not in told["message"]
    missing = [word for word in case.words if word not in told["message"]]
    assert not missing, told["message"]
    assert lab.condition("Ready")["status"] != "True"
    assert changes(lab) == []
    assert leaked(lab, log_starts) == []

    case.cure(lab)
    lab.reconcile_now()
    lab.wait_ready()
    assert leaked(lab, log_starts) == []


def test_a_malformed_interval_is_refused_with_the_field_named(running_lab: RunningLab) -> None:
    lab = running_lab
    manifest = lab.example(interval="soon")

    said = lab.kubectl("apply", "-f", "-", stdin=json.dumps(manifest), check=False)

    assert "spec.interval" in said
    assert "duration" in said
    assert lab.resource() == {}


def changes(lab: RunningLab) -> list[Any]:
    """What was changed in Exchange and asked of Graph."""
    state = lab.control.state()
    asked = state["microsoft365"]["requests"]
    writes = [one for one in asked if one.startswith(("PATCH", "PUT", "DELETE"))]
    return [*state["exchange"]["changes"], *writes]


def leaked(lab: RunningLab, log_starts: int) -> list[str]:
    """Secrets that can be read in status, events or the operator's log."""
    shown: list[Manifest | str] = [lab.resource(), *lab.events(), lab.operator_log[log_starts:]]
    text = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in shown)
    return [secret for secret in secrets(lab) if secret in text]


def secrets(lab: RunningLab) -> list[str]:
    pem = Path(lab.endpoints["entra"]["clientCertificate"]).read_text("ascii")
    key = pem.splitlines()[1:4]
    return [account(lab)["password"], WRONG_PASSWORD, SECRET, *key]


def test_a_wrong_password_is_sent_once_so_that_no_account_is_locked(
    running_lab: RunningLab,
) -> None:
    lab = running_lab
    with_a_wrong_password(lab)
    lab.apply(lab.example(**SLOWEST))
    lab.wait_condition("Stalled", "True", "AccessDenied")

    for _ in range(3):
        asked = lab.reconcile_now()
        wait.until(lambda: lab.status().get("lastHandledReconcileAt") == asked, 20, "a look")  # noqa: B023 - waited for at once

    assert lab.control.counters()["signIns"]["failures"] == {"CORP\\svc-epo": 1}
