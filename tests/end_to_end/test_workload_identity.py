"""No secret for Entra ID at all: the real API server issues the token, the tenant checks it."""

from __future__ import annotations

import json

import pytest
import yaml

from end_to_end.looking import assert_configured
from lab.microsoft365.federation import GLOBAL_AUDIENCE, account_subject
from lab.running import RunningLab

ACCOUNT = "fabrikam-entra"
IDENTITY = {
    "clientCertificate": None,
    "workloadIdentity": {"serviceAccountRef": {"name": ACCOUNT}},
}
TOKENS_OF_IT = f"""
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: tokens}}
rules:
- apiGroups: [""]
  resources: [serviceaccounts/token]
  resourceNames: [{ACCOUNT}]
  verbs: [create]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: tokens}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: tokens}}
subjects:
- {{kind: ServiceAccount, name: exchange-push-operator, namespace: exchange-push-operator}}
"""


@pytest.fixture(name="lab")
def cluster_that_the_tenant_trusts(running_lab: RunningLab) -> RunningLab:
    lab = running_lab
    lab.kubectl("delete", "secret", "fabrikam-entra")
    lab.kubectl("delete", "role,rolebinding", "tokens", "--ignore-not-found")
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

    role, binding = yaml.safe_load_all(TOKENS_OF_IT)
    for manifest in (role, binding):
        manifest["metadata"]["namespace"] = lab.namespace
    lab.installation.apply(role, binding)
    lab.reconcile_now()

    lab.wait_ready()
    assert_configured(lab)
    assert "eyJ" not in lab.operator_log
