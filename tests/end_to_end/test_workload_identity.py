"""No secret for Entra ID at all: the real API server issues the token, the tenant checks it."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from end_to_end.looking import assert_configured
from lab.microsoft365.federation import GLOBAL_AUDIENCE, account_subject
from lab.resources import ROOT
from lab.running import RunningLab

ACCOUNT = "fabrikam-entra"
ROLE = "exchange-push-operator-token"
IDENTITY = {
    "clientCertificate": None,
    "workloadIdentity": {"serviceAccountRef": {"name": ACCOUNT}},
}
INSTALL = ROOT / "docs/install.md"


def documented() -> list[list[str]]:
    """The commands of "Without the chart", as a person would copy them, without ``kubectl``."""
    block = INSTALL.read_text("utf-8").split("### Without the chart")[1].split("```")[1]
    lines = block.removeprefix("sh\n").replace("\\\n", " ").strip().splitlines()
    commands = [shlex.split(line) for line in lines]
    assert [command[0] for command in commands] == ["kubectl", "kubectl"]
    return [command[1:] for command in commands]


@pytest.fixture(name="lab")
def cluster_that_the_tenant_trusts(running_lab: RunningLab) -> RunningLab:
    lab = running_lab
    lab.kubectl("delete", "secret", "fabrikam-entra")
    lab.kubectl("delete", "role,rolebinding", ROLE, "--ignore-not-found")
    place = {"name": ACCOUNT, "namespace": lab.namespace}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": place}
    lab.installation.apply(account)
    policy = lab.installation.policy()
    policy["namespaces"][lab.namespace]["serviceAccounts"] = [ACCOUNT]
    lab.write_policy(policy)
    issuer = json.loads(lab.kubectl("get", "--raw", "/.well-known/openid-configuration"))["issuer"]
    lab.control.post(
        "/federated",
        issuer=issuer,
        subject=account_subject(lab.namespace, ACCOUNT),
        audience=GLOBAL_AUDIENCE,
        jwks=json.loads(lab.kubectl("get", "--raw", "/openid/v1/jwks")),
    )
    return lab


def test_a_service_account_signs_in_as_soon_as_rbac_allows_its_token(lab: RunningLab) -> None:
    lab.apply(lab.example(tenant={"credentials": IDENTITY}))
    lab.wait_condition("Stalled", "True")
    assert lab.condition("Stalled")["reason"] == "AccessDenied"
    assert f"service account {lab.namespace}/{ACCOUNT}" in lab.condition("Stalled")["message"]

    for command in documented():
        lab.kubectl(*command)
    lab.reconcile_now()

    lab.wait_ready()
    assert_configured(lab)
    assert re.search(r"eyJ[\w-]+\.eyJ", lab.operator_log) is None  # a token; base64 has no dots
