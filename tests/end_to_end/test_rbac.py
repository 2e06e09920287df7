"""The operator under exactly the rights that the chart renders, by the API server's audit log.

Nothing that it asks for is denied, and no right is granted that no story needs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from end_to_end.chart_flags import flags
from end_to_end.looking import assert_configured, is_configured
from lab import audit, wait
from lab.control_plane import ControlPlane
from lab.installation import Names
from lab.microsoft365.federation import GLOBAL_AUDIENCE, account_subject
from lab.running import Options, RunningLab

ACCOUNT = "fabrikam-entra"
IDENTITY = {
    "clientCertificate": None,
    "workloadIdentity": {"serviceAccountRef": {"name": ACCOUNT}},
}
WRONG = "canary-wrong-password-71f0"
LONG = "--max-interval=1h"  # only what happens wakes it

Values = Mapping[str, Any]


def everywhere(_names: Names) -> Values:
    return {}


def one_namespace_and_its_secrets(names: Names) -> Values:
    return {"watchNamespaces": [names.namespace], "secrets": {"watch": True}}


@contextmanager
def installed(cluster: ControlPlane, names: Names, values: Values) -> Iterator[RunningLab]:
    """The lab with the operator as the chart would start it, under the roles of the chart."""
    policy = {"namespaces": {names.namespace: {"serviceAccounts": [ACCOUNT]}}}
    given = {**values, "policy": policy}
    options = Options(
        cluster=cluster,
        names=names,
        chart=given,
        operator_flags=(*flags(given, names.operator_namespace), LONG),
    )
    with RunningLab(options) as lab:
        allowed = lab.installation.policy()
        allowed["namespaces"][names.namespace]["serviceAccounts"] = [ACCOUNT]
        lab.write_policy(allowed)
        yield lab


# Stories, each of which needs a right that no other needs.


def a_fresh_organisation_becomes_ready(lab: RunningLab) -> None:
    lab.apply()
    lab.wait_ready()
    assert_configured(lab)


def what_was_done_before_is_done_again(lab: RunningLab) -> None:
    """So the event of the first time is counted, and not written anew."""
    lab.control.post("/keys/remove", keyId=lab.status()["principalCredential"]["keyId"])
    lab.reconcile_now()
    wait.until(lambda: is_configured(lab), 30, "the key", interval=0.2)
    wait.until(lambda: any(one.get("series") for one in lab.events()), 20, "a series of events")


def a_service_account_signs_in(lab: RunningLab) -> None:
    place = {"name": ACCOUNT, "namespace": lab.namespace}
    lab.installation.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": place})
    found = lab.kubectl("get", "--raw", "/.well-known/openid-configuration")
    lab.control.post(
        "/federated",
        issuer=json.loads(found)["issuer"],
        subject=account_subject(lab.namespace, ACCOUNT),
        audience=GLOBAL_AUDIENCE,
        jwks=json.loads(lab.kubectl("get", "--raw", "/openid/v1/jwks")),
    )
    lab.apply(lab.example(tenant={"credentials": IDENTITY}))
    lab.wait_ready()


def the_resource_goes_and_takes_the_proxy_along(lab: RunningLab) -> None:
    """Its finalizer comes first and goes last."""
    lab.apply(lab.example(deletionPolicy="Disable"))
    lab.wait_ready()
    lab.kubectl("delete", "epc", "fabrikam", "--timeout=60s")
    assert not lab.control.state()["exchange"]["proxy"]["enabled"]


STORIES: tuple[Callable[[RunningLab], None], ...] = (
    a_fresh_organisation_becomes_ready,
    what_was_done_before_is_done_again,
    a_service_account_signs_in,
    the_resource_goes_and_takes_the_proxy_along,
)


def a_changed_secret_is_acted_upon_at_once(lab: RunningLab) -> None:
    """Nothing else would wake the resource within the hour."""
    account = {"username": lab.endpoints["exchange"][0]["username"], "password": WRONG}
    lab.installation.apply(lab.installation.secret("fabrikam-exchange", account))
    lab.apply(lab.example(retryInterval="1h"))
    lab.wait_condition("Stalled", "True", "AccessDenied")
    lab.write_secrets()
    lab.wait_ready()
    lab.kubectl("delete", "epc", "fabrikam", "--timeout=60s")
    lab.control.post("/reset")


SCOPES: dict[Callable[[Names], Values], tuple[Callable[[RunningLab], None], ...]] = {
    everywhere: STORIES,
    one_namespace_and_its_secrets: (a_changed_secret_is_acted_upon_at_once, *STORIES),
}


@pytest.mark.parametrize("values", SCOPES, ids=lambda it: it.__name__)
def test_what_the_chart_grants_is_what_the_operator_needs(
    control_plane: ControlPlane, values: Callable[[Names], Values]
) -> None:
    scope = values.__name__.replace("_", "-")
    names = Names(f"{scope}-mail", f"{scope}-operator", f"{scope}-role")
    with installed(control_plane, names, values(names)) as lab:
        for story in SCOPES[values]:
            story(lab)
        assert lab.stop_operator() == 0
        granted = audit.grants(lab.installation.rbac(), "exchange-push-operator")
        assert control_plane.audit_log is not None
        asked = audit.requests(
            control_plane.audit_log, f"{names.operator_namespace}:exchange-push-operator"
        )
    assert [one for one in asked if not one.allowed] == []
    unused = [one for one in granted if not any(one.covers(it) for it in asked)]
    assert unused == [], "granted, and no story needs it: drop the right, or add its story"
