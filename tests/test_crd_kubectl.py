"""The resource as people and tools meet it: kubectl, defaults, examples, server-side apply."""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from crd_lab import EXAMPLE, EXAMPLES, installed_crd
from lab.control_plane import ControlPlane

pytestmark = pytest.mark.lab

NAMESPACE = "crd-kubectl"
COLUMNS = ["NAME", "READY", "REASON", "TENANT", "SERVERS", "CERT-EXPIRES", "AGE"]
WIDE = [*COLUMNS, "INSYNC", "MODE", "MESSAGE"]
WHEN = "2026-11-21T09:00:00Z"


def condition(kind: str, status: str, reason: str, message: str) -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": 1,
        "lastTransitionTime": WHEN,
    }


STATUS: dict[str, Any] = {
    "observedGeneration": 1,
    "tenantId": "72f988bf-0000-4000-8000-2d7cd011db47",
    "organizationId": "0f7c2a54-0000-4000-8000-9f61d7b3c8aa",
    "serversReady": "2/2",
    "lastHandledReconcileAt": WHEN,
    "certificate": {
        "thumbprint": "7595DBDEA83DACB5757441D44899BCDB9911253C",
        "sha256": "0c" * 32,
        "notBefore": "2026-11-21T08:58:00Z",
        "notAfter": "2031-11-21T08:58:00Z",
        "origin": "Adopted",
        "publicKey": "MIIDL",
        "next": {
            "thumbprint": "0095DBDEA83DACB5757441D44899BCDB9911253C",
            "notAfter": "2036-11-21T08:58:00Z",
            "effectiveDate": "2031-10-21T08:58:00Z",
        },
    },
    "clientCertificate": {"notAfter": "2027-11-21T08:58:00Z"},
    "principalCredential": {
        "keyId": "5f0e2a54-0000-4000-8000-9f61d7b3c8aa",
        "endDateTime": "2027-11-21T08:58:00Z",
        "foreignKeys": 1,
    },
    "proxy": {
        "state": "Enabled",
        "organization": "fabrikam.com",
        "uri": "https://outlook.office365.com/PushNotifications",
    },
    "servers": [
        {
            "name": "ex1.corp.fabrikam.com",
            "ready": True,
            "version": "15.2.2562.17",
            "certificate": "Present",
            "probe": "Succeeded",
        },
        {
            "name": "ex2.corp.fabrikam.com",
            "ready": False,
            "reason": "Unreachable",
            "message": "ex2.corp.fabrikam.com does not answer: check that WinRM listens there",
            "probe": "Failed",
            "probeError": "The remote server returned an error: (401) Unauthorized.",
            "awaySince": WHEN,
        },
    ],
    "planHash": "6f2c41d09b7e",
    "plannedChanges": [
        {
            "id": "auth-server",
            "stage": "AuthServerReady",
            "target": "MicrosoftSts",
            "action": "New-AuthServer",
            "command": "New-AuthServer -Name MicrosoftSts",
        }
    ],
    "history": [
        {
            "time": WHEN,
            "stage": "ProxyReady",
            "target": "fabrikam.com",
            "action": "Enable the push notification proxy",
            "outcome": "Succeeded",
        }
    ],
    "advisories": [{"type": "FirstPartyPrincipalDeprecated", "message": "Plan to move away."}],
    "conditions": [
        condition("Ready", "True", "Succeeded", "push notifications of fabrikam.com are proxied"),
        condition("InSync", "True", "NoDrift", "nothing to change"),
    ],
}


def api_object(name: str, **spec: Any) -> dict[str, Any]:
    """The minimal example under another name, with changes at the top of its spec."""
    body = copy.deepcopy(EXAMPLE)
    body["metadata"] = {"name": name, "namespace": NAMESPACE}
    body["spec"].update(spec)
    return body


@pytest.fixture(scope="module")
def api(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    with installed_crd(control_plane, NAMESPACE) as installed:
        yield installed


def create(api: ControlPlane, body: Mapping[str, Any]) -> dict[str, Any]:
    """Create it, give what the API server made of it."""
    answer = api.run_kubectl("create", "-o", "json", "-f", "-", input=json.dumps(body))
    stored: dict[str, Any] = json.loads(answer.stdout)
    return stored


def write_status(api: ControlPlane, name: str, status: Mapping[str, Any]) -> dict[str, Any]:
    """Write the status subresource, give what was stored."""
    patch = json.dumps({"status": status})
    answer = api.run_kubectl(
        *("patch", "epc", name, "--subresource=status", "--type=merge", "-p", patch, "-o", "json"),
        namespace=NAMESPACE,
    )
    stored: dict[str, Any] = json.loads(answer.stdout)["status"]
    return stored


def table(text: str, header: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a kubectl table by the places of its headings."""
    head, *rows = text.splitlines()
    assert head.split() == header
    starts = [head.index(name) for name in header]
    ends = [*starts[1:], None]
    spans = list(zip(header, starts, ends, strict=True))
    return [{name: row[start:end].strip() for name, start, end in spans} for row in rows]


def test_what_is_left_out_is_filled_in_but_for_what_the_operator_computes(
    api: ControlPlane,
) -> None:
    spec = create(api, api_object("defaults"))["spec"]
    assert spec["tenant"]["cloud"] == "Global"
    assert spec["exchange"]["unreachableGracePeriod"] == "24h"
    assert spec["exchange"]["connection"] == {
        "transport": "NTLM",  # declared
        "scheme": "HTTPS",
        "credentialsSecretRef": {"name": "fabrikam-exchange"},
        "hostScript": "Streamed",
    }
    assert spec["certificate"] == {
        "policy": "Adopt",
        "renewBefore": "1680h",
        "activateAfter": "49h",
        "keyCredentialGracePeriod": "168h",
        "restartServices": "OnImmediatePublish",
    }
    assert spec["authServer"] == {"name": "MicrosoftSts"}
    assert spec["principal"] == {"target": "FirstPartyServicePrincipal", "dropExpiredKeys": False}
    assert spec["proxy"] == {"state": "Enabled"}
    assert spec["verification"] == {
        "enabled": True,
        "interval": "24h",
        "restartHealthManager": "WhenOwed",
    }
    scalars = {name: value for name, value in spec.items() if not isinstance(value, dict)}
    assert scalars == {
        "managementPolicy": "Manage",
        "suspend": False,
        "deletionPolicy": "Retain",
        "interval": "1h",
        "retryInterval": "2m",
        "timeout": "5m",
    }


def test_kerberos_is_the_default_transport(api: ControlPlane) -> None:
    body = api_object("kerberos")
    del body["spec"]["exchange"]["connection"]["transport"]
    assert create(api, body)["spec"]["exchange"]["connection"]["transport"] == "Kerberos"


def test_a_parent_that_is_given_in_part_is_filled_up(api: ControlPlane) -> None:
    parts = {"verification": {"enabled": False}, "proxy": {"organization": "fabrikam.com"}}
    spec = create(api, api_object("in-part", **parts))["spec"]
    assert spec["verification"]["interval"] == "24h"
    assert spec["proxy"] == {"organization": "fabrikam.com", "state": "Enabled"}


def test_a_list_comes_back_as_it_was_written(api: ControlPlane) -> None:
    exchange = copy.deepcopy(EXAMPLE["spec"]["exchange"])
    exchange["servers"] = [{"name": "EX2.corp.fabrikam.com"}, {"name": "ex1.corp.fabrikam.com"}]
    spec = create(api, api_object("in-order", exchange=exchange))["spec"]
    assert spec["exchange"]["servers"] == exchange["servers"]


def test_a_new_resource_is_not_observed_yet_whatever_it_claims(api: ControlPlane) -> None:
    claimed = {**api_object("new"), "status": STATUS}
    assert create(api, claimed)["status"] == {"observedGeneration": -1}


def test_every_field_of_status_is_kept(api: ControlPlane) -> None:
    create(api, api_object("status"))
    assert write_status(api, "status", STATUS) == STATUS


def test_kubectl_get_shows_the_columns_of_the_design(api: ControlPlane) -> None:
    create(api, api_object("columns"))
    write_status(api, "columns", STATUS)
    plain = api.run_kubectl("get", "exchangepushconfigs", "columns", namespace=NAMESPACE)
    wide = api.run_kubectl("get", "exchange", "columns", "-o", "wide", namespace=NAMESPACE)
    (row,) = table(plain.stdout, COLUMNS)
    assert row.pop("AGE")
    assert row == {
        "NAME": "columns",
        "READY": "True",
        "REASON": "Succeeded",
        "TENANT": "fabrikam.com",
        "SERVERS": "2/2",
        "CERT-EXPIRES": "2031-11-21T08:58:00Z",
    }
    (row,) = table(wide.stdout, WIDE)
    assert (row["INSYNC"], row["MODE"]) == ("True", "Manage")
    assert row["MESSAGE"] == "push notifications of fabrikam.com are proxied"


def test_two_writers_of_conditions_do_not_erase_each_other(api: ControlPlane) -> None:
    create(api, api_object("writers"))
    head = {"apiVersion": EXAMPLE["apiVersion"], "kind": EXAMPLE["kind"]}
    for writer, kind in (("first", "Ready"), ("second", "InSync")):
        one = {"conditions": [condition(kind, "True", "Succeeded", "well")]}
        body = {**head, "metadata": {"name": "writers", "namespace": NAMESPACE}, "status": one}
        api.run_kubectl(
            *("apply", "--server-side", "--subresource=status", f"--field-manager={writer}"),
            *("-f", "-"),
            input=json.dumps(body),
        )
    path = "{.status.conditions[*].type}"
    found = api.run_kubectl("get", "epc/writers", "-o", f"jsonpath={path}", namespace=NAMESPACE)
    assert found.stdout.split() == ["Ready", "InSync"]


def test_wait_for_ready_works_on_the_conditions(api: ControlPlane) -> None:
    create(api, api_object("waited-for"))
    write_status(api, "waited-for", STATUS)
    answer = api.run_kubectl(
        "wait", "epc/waited-for", "--for=condition=Ready", "--timeout=10s", namespace=NAMESPACE
    )
    assert "condition met" in answer.stdout


@pytest.mark.parametrize(
    "selector",
    [
        "spec.suspend=true",
        "spec.tenant.domain=selected.fabrikam.com",
        "spec.tenant.tenantId=11111111-0000-4000-8000-2d7cd011db47",
        "spec.principal.target=None",
        "spec.managementPolicy=Observe",
        "spec.tenant.cloud=USGovernmentL4",
    ],
)
def test_resources_can_be_selected_by_field(api: ControlPlane, selector: str) -> None:
    body = api_object(
        "selected",
        suspend=True,
        managementPolicy="Observe",
        principal={"target": "None"},
        proxy={"state": "Unmanaged"},
        tenant={
            "domain": "selected.fabrikam.com",
            "tenantId": "11111111-0000-4000-8000-2d7cd011db47",
            "cloud": "USGovernmentL4",
        },
    )
    api.run_kubectl("apply", "-f", "-", input=json.dumps(body))
    found = api.run_kubectl(
        "get", "epc", "--field-selector", selector, "-o", "name", namespace=NAMESPACE
    )
    assert found.stdout.split() == ["exchangepushconfig.exchangepush.dev/selected"]


@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        ("epc", "declares that an on-premises Exchange organisation proxies"),
        ("epc.spec.tenant.cloud", "USGovernmentL4 is GCC High"),
        ("epc.spec.exchange.connection", "always authenticated and always encrypted"),
        ("epc.spec.exchange.servers.name", "neither a short name nor an IP address"),
        ("epc.spec.principal.target", "there is no default, since it is a decision"),
        ("epc.spec.deletionPolicy", "at once, even while the operator is down"),
        ("epc.status.conditions", "Reconciling and Stalled are there only while they are True"),
        ("epc.status.servers.awaySince", "Since when the server is away"),
    ],
)
def test_kubectl_explain_reads_like_documentation(
    api: ControlPlane, field: str, sentence: str
) -> None:
    told = " ".join(api.run_kubectl("explain", field).stdout.split())
    assert sentence in told
    assert "<no description>" not in told


@pytest.mark.parametrize("how", [(), ("--server-side", "--field-manager=gitops")])
@pytest.mark.parametrize("example", ["secrets", "pushconfig", "pushconfig-full"])
def test_the_examples_apply(api: ControlPlane, example: str, how: tuple[str, ...]) -> None:
    text = (EXAMPLES / f"{example}.yaml").read_text()
    text = text.replace("namespace: exchange\n", f"namespace: {NAMESPACE}\n")
    api.run_kubectl("delete", "--ignore-not-found", "-f", "-", input=text)
    api.run_kubectl("apply", "--validate=strict", *how, "-f", "-", input=text)
    again = api.run_kubectl("diff", *how, "-f", "-", input=text, check=False)
    assert again.returncode == 0, again.stdout


def test_null_is_refused_by_server_side_apply(api: ControlPlane) -> None:
    body = api_object("null")
    body["spec"]["tenant"]["tenantId"] = None
    answer = api.run_kubectl(
        "apply", "--server-side", "-f", "-", input=json.dumps(body), check=False
    )
    assert answer.returncode != 0
    assert "spec.tenant.tenantId" in answer.stderr
