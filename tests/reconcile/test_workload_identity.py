"""Signing in without a secret: a service account of the resource's namespace, where allowed."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from exchange_push_operator.core.clouds import CLOUDS
from exchange_push_operator.core.parse import parse
from exchange_push_operator.reconcile.session import open_session
from lab.in_process import ISSUER, Lab, lab
from lab.microsoft365.federation import account_subject
from lab.microsoft365.sample import CLIENT, FABRIKAM, principal

pytestmark = pytest.mark.lab

ACCOUNT = "fabrikam-entra"
SPEC: dict[str, Any] = {
    "tenant": {
        "tenantId": FABRIKAM,
        "credentials": {
            "clientCertificate": None,
            "workloadIdentity": {"serviceAccountRef": {"name": ACCOUNT}},
        },
    }
}
ELSEWHERE: dict[str, Any] = {
    "authServer": {"metadataUrl": "https://login.microsoftonline.com/metadata/json/1"},
    "proxy": {"uri": "https://outlook.office365.com/PushNotifications"},
}


def federated(**changes: Any) -> Lab:
    """The application trusts the cluster's account, the policy names it, there is no Secret."""
    outside = lab({**copy.deepcopy(SPEC), **changes})
    del outside.secrets["fabrikam-entra"]
    outside.accounts[ACCOUNT] = ""
    outside.policy["namespaces"]["exchange"]["serviceAccounts"] = [ACCOUNT]
    subject = account_subject("exchange", ACCOUNT)
    principal(outside.microsoft365, CLIENT).federated = (ISSUER.credential(subject),)
    return outside


def test_a_service_account_carries_the_resource_to_ready_without_a_secret() -> None:
    outside = federated()
    outside.operator().run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert outside.accounts[ACCOUNT] == "api://AzureADTokenExchange"


def test_the_audit_names_the_service_account_that_proves_the_application() -> None:
    outside = federated()
    operator = outside.operator()
    operator.run()
    (acting,) = [entry["acting"] for _, entry in operator.audited if "method" in entry]
    assert acting == {"tenant_id": FABRIKAM, "client_id": CLIENT, "service_account": ACCOUNT}


def test_steady_passes_ask_the_cluster_for_no_further_token() -> None:
    outside = federated()
    operator = outside.operator()
    operator.run()
    outside.accounts[ACCOUNT] = ""
    operator.step()
    assert outside.accounts[ACCOUNT] == ""


def test_an_account_that_the_policy_does_not_name_is_not_used() -> None:
    outside = federated()
    outside.policy["namespaces"]["exchange"]["serviceAccounts"] = ["another"]
    outside.operator().run()
    assert outside.condition("Stalled") == ("True", "NotAllowedByPolicy")
    assert outside.accounts[ACCOUNT] == ""
    assert outside.organization.changes == []


def test_an_account_taken_out_of_the_policy_is_not_used_any_more() -> None:
    outside = federated()
    operator = outside.operator()
    operator.run()
    outside.policy["namespaces"]["exchange"]["serviceAccounts"] = []
    operator.step()
    assert outside.condition("Stalled") == ("True", "NotAllowedByPolicy")


def test_a_missing_account_is_named_and_its_making_is_seen() -> None:
    outside = federated()
    del outside.accounts[ACCOUNT]
    operator = outside.operator()
    outcome = operator.run()[-1]
    assert outside.condition("Stalled") == ("True", "ServiceAccountNotFound")
    assert outcome.requeue.kind == "stalled"
    assert outside.organization.changes == []
    outside.accounts[ACCOUNT] = ""
    operator.run()
    assert outside.condition("Ready") == ("True", "Succeeded")


def test_an_account_of_another_namespace_is_another_subject() -> None:
    outside = federated()
    subject = account_subject("other", ACCOUNT)
    principal(outside.microsoft365, CLIENT).federated = (ISSUER.credential(subject),)
    outside.operator().run()
    assert outside.condition("Stalled") == ("True", "AccessDenied")
    assert outside.organization.changes == []


@pytest.mark.parametrize("cloud", CLOUDS)
def test_each_cloud_is_asked_with_its_own_audience(cloud: str) -> None:
    outside = federated(**ELSEWHERE)
    policy = outside.policy["namespaces"]["exchange"]
    policy |= {"issuerHosts": ["*"], "pushHosts": ["*"]}
    outside.resource["spec"]["tenant"]["cloud"] = cloud
    subject, audience = account_subject("exchange", ACCOUNT), CLOUDS[cloud].federated_audience
    application = principal(outside.microsoft365, CLIENT)
    application.federated = (ISSUER.credential(subject, audience),)
    session = open_session(parse(outside.resource), outside.operator().world, outside.clock())
    assert session.identity is not None
    assert session.identity.tenant_id == FABRIKAM
    assert outside.accounts[ACCOUNT] == audience
    asked = {line.split(" ")[1].split("/")[2] for line in outside.microsoft365.requests()}
    assert asked == {CLOUDS[cloud].authority.removeprefix("https://")}
