"""Tokens of service accounts, from a real API server, with no more rights than the chart grants.

What the API server issues is then shown to the simulated Entra ID, which checks it against the
keys that this API server publishes.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests

from exchange_push_operator.adapters.kubernetes_api import KubernetesApi, sign_in
from exchange_push_operator.adapters.kubernetes_service_accounts import KubernetesServiceAccounts
from exchange_push_operator.core.clouds import CLOUDS
from exchange_push_operator.core.errors import Refused, Unreachable
from exchange_push_operator.core.ports import GraphAccess, Sensitive
from exchange_push_operator.core.reasons import Reason
from handlers.cluster_bench import CHART, RELEASE
from lab.binaries import helm_binary
from lab.control_plane import ControlPlane
from lab.microsoft365.directory import FederatedCredential
from lab.microsoft365.federation import account_subject
from lab.microsoft365.in_process import InProcessGraph
from lab.microsoft365.sample import CLIENT, FABRIKAM, principal, sample

pytestmark = pytest.mark.lab

NAMESPACE = "service-accounts"
AUDIENCE = CLOUDS["Global"].federated_audience
MINUTES = 60


@pytest.fixture(name="kubeconfig", scope="module")
def operator_with_the_charts_rights(control_plane: ControlPlane) -> Path:
    control_plane.create_namespace(NAMESPACE)
    for name in ("entra", "foreign"):
        control_plane.run_kubectl("create", "serviceaccount", name, namespace=NAMESPACE)
    policy = {"namespaces": {NAMESPACE: {"serviceAccounts": ["entra", "missing"]}}}
    values = json.dumps({"policy": policy, "watchNamespaces": [NAMESPACE]})
    command = [str(helm_binary()), "template", RELEASE, str(CHART), "--namespace", NAMESPACE]
    command += ["--show-only", "templates/rbac.yaml", "--values", "-"]
    rendered = subprocess.run(
        command, input=values, capture_output=True, text=True, timeout=60, check=True
    )
    control_plane.run_kubectl("apply", "-f", "-", input=rendered.stdout, namespace=NAMESPACE)
    return control_plane.service_account_kubeconfig(NAMESPACE, RELEASE)


@pytest.fixture(name="accounts")
def accounts_of_the_cluster(kubeconfig: Path) -> Iterator[KubernetesServiceAccounts]:
    client = sign_in(kubeconfig, 2)
    yield KubernetesServiceAccounts(KubernetesApi(client))
    client.rest_client.close()


def published(control_plane: ControlPlane, path: str) -> dict[str, Any]:
    """A document of the API server's OIDC issuer."""
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {control_plane.admin_token}"
        answer = session.get(f"{control_plane.url}{path}", verify=str(control_plane.ca_file))
    document: dict[str, Any] = answer.json()
    return document


def test_a_token_is_of_the_account_for_one_audience_and_ten_minutes(
    accounts: KubernetesServiceAccounts,
) -> None:
    token = accounts.token(NAMESPACE, "entra", AUDIENCE)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["sub"] == account_subject(NAMESPACE, "entra")
    assert claims["aud"] == [AUDIENCE]
    assert claims["exp"] - claims["iat"] == 10 * MINUTES


def test_such_a_token_opens_nothing_in_the_cluster(
    accounts: KubernetesServiceAccounts, control_plane: ControlPlane
) -> None:
    token = accounts.token(NAMESPACE, "entra", AUDIENCE)
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {token}"
        answer = session.get(f"{control_plane.url}/api", verify=str(control_plane.ca_file))
    assert answer.status_code == 401


def test_entra_id_takes_the_token_by_the_keys_that_the_api_server_publishes(
    accounts: KubernetesServiceAccounts, control_plane: ControlPlane
) -> None:
    issuer = published(control_plane, "/.well-known/openid-configuration")["issuer"]
    keys = published(control_plane, "/openid/v1/jwks")
    model = sample()
    model.tokens.issuers[issuer] = lambda: keys
    trusted = FederatedCredential(issuer, account_subject(NAMESPACE, "entra"), AUDIENCE)
    principal(model, CLIENT).federated = (trusted,)
    access = GraphAccess(
        authority="https://login.microsoftonline.com",
        graph="https://graph.microsoft.com",
        tenant_id=FABRIKAM,
        client_id=CLIENT,
        client_secret=None,
        certificate=None,
        private_key=None,
        version="1",
        federated_token=Sensitive(lambda: accounts.token(NAMESPACE, "entra", AUDIENCE)),
    )
    assert InProcessGraph(model, access).identity().tenant_id == FABRIKAM


def test_an_account_that_is_missing_is_named(accounts: KubernetesServiceAccounts) -> None:
    with pytest.raises(Refused) as refused:
        accounts.token(NAMESPACE, "missing", AUDIENCE)
    assert refused.value.reason is Reason.SERVICE_ACCOUNT_NOT_FOUND
    assert str(refused.value) == (
        "service account service-accounts/missing does not exist; create it, or correct its name "
        "in spec"
    )


@pytest.mark.parametrize(("where", "name"), [(NAMESPACE, "foreign"), ("default", "entra")])
def test_an_account_that_the_policy_does_not_name_is_kept_back_by_rbac_too(
    accounts: KubernetesServiceAccounts, where: str, name: str
) -> None:
    with pytest.raises(Refused, match=f"service account {where}/{name}: the operator may not ask"):
        accounts.token(where, name, AUDIENCE)


class _Scripted(KubernetesApi):
    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def call(self, *_: Any, **__: Any) -> Any:
        return self._answer


@pytest.mark.parametrize("answer", [[], {}, {"status": {}}, {"status": {"token": 5}}], ids=str)
def test_an_answer_without_a_token_is_no_answer(answer: Any) -> None:
    with pytest.raises(Unreachable, match="holds no token"):
        KubernetesServiceAccounts(_Scripted(answer)).token(NAMESPACE, "entra", AUDIENCE)
