"""The resource on a real API server: what it takes, what it refuses, and what it says then."""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from crd_lab import EXAMPLE, installed_crd
from lab.control_plane import ControlPlane

pytestmark = pytest.mark.lab

NAMESPACE = "crd"
GUID = "8b7a6c5d-0000-4000-8000-1a2b3c4d5e6f"
OTHER_GUID = "9c8b7a6d-0000-4000-8000-2b3c4d5e6f70"
THUMBPRINT = "7595DBDEA83DACB5757441D44899BCDB9911253C"
HTTPS_URL = "https://issuer.example.com/metadata/json/1/?realm=fabrikam.com"
WORKLOAD = {"serviceAccountRef": {"name": "entra"}}
SECRET = {"secretRef": {"name": "entra", "key": "client-secret"}}

Changes = dict[str, Any]  # a dotted path below spec -> its value, None to leave the field out


def resource(name: str, changes: Changes) -> str:
    """The minimal example under another name, with changes to its spec."""
    body = copy.deepcopy(EXAMPLE)
    body["metadata"] = {"name": name, "namespace": NAMESPACE}
    for path, value in changes.items():
        *parents, leaf = path.split(".")
        place = body["spec"]
        for parent in parents:
            place = place.setdefault(parent, {})
        if value is None:
            place.pop(leaf)
        else:
            place[leaf] = value
    return json.dumps(body)


@pytest.fixture(scope="module")
def api(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    with installed_crd(control_plane, NAMESPACE) as installed:
        yield installed


def servers(*names: str) -> list[dict[str, str]]:
    return [{"name": name} for name in names]


@dataclass(frozen=True)
class Rule:
    """One rule of the schema: changes that pass, changes that are refused, and the answer then."""

    says: str
    passes: Changes
    refuses: Changes
    answer: tuple[str, ...]


def duration(field: str, shortest: str, longest: str, too_short: str, too_long: str) -> list[Rule]:
    """The rules of one duration: bounds, and the way it is written."""
    told = (f"spec.{field}", f"{shortest} to {longest}")
    rules = [
        Rule(f"{field} is at most {longest}", {field: longest}, {field: too_long}, told),
        Rule(f"{field} has a unit", {field: longest}, {field: "90"}, told),
        Rule(f"{field} has no days", {field: longest}, {field: "1d"}, told),
    ]
    if too_short:
        at_least = f"{field} is at least {shortest}"
        rules.append(Rule(at_least, {field: shortest}, {field: too_short}, told))
    return rules


RULES = [
    Rule(
        "a tenant has a domain",
        {"tenant.domain": "fabrikam.onmicrosoft.com"},
        {"tenant.domain": None},
        ("spec.tenant.domain", "Required"),
    ),
    Rule(
        "the domain has a dot",
        {"tenant.domain": "fabrikam.co.uk"},
        {"tenant.domain": "fabrikam"},
        ("spec.tenant.domain", "must be a domain of the tenant"),
    ),
    Rule(
        "the domain is in lower case",
        {"tenant.domain": "xn--fbrikam-5wa.com"},
        {"tenant.domain": "Fabrikam.com"},
        ("spec.tenant.domain", "written in lower case"),
    ),
    Rule(
        "the tenant id is a GUID",
        {"tenant.tenantId": GUID},
        {"tenant.tenantId": "fabrikam"},
        ("spec.tenant.tenantId", "must be a GUID"),
    ),
    Rule(
        "the cloud is a known one",
        {"tenant.cloud": "USGovernmentL4", "proxy.uri": HTTPS_URL},
        {"tenant.cloud": "Germany"},
        ("spec.tenant.cloud", '"Global", "USGovernmentL4"'),
    ),
    Rule(
        "an identity is a service account, a certificate or a secret: one of them",
        {"tenant.credentials.clientCertificate": None, "tenant.credentials.clientSecret": SECRET},
        {"tenant.credentials.clientSecret": SECRET},
        ("spec.tenant.credentials", "exactly one of workloadIdentity, clientCertificate"),
    ),
    Rule(
        "an identity is a service account, a certificate or a secret: not nothing",
        {},
        {"tenant.credentials.clientCertificate": None},
        ("spec.tenant.credentials", "exactly one of workloadIdentity, clientCertificate"),
    ),
    Rule(
        "an identity is a service account, a certificate or a secret: not two of them",
        {
            "tenant.credentials.clientCertificate": None,
            "tenant.credentials.workloadIdentity": WORKLOAD,
        },
        {"tenant.credentials.workloadIdentity": WORKLOAD},
        ("spec.tenant.credentials", "exactly one of workloadIdentity, clientCertificate"),
    ),
    Rule(
        "a service account is named as Kubernetes names it",
        {},
        {
            "tenant.credentials.clientCertificate": None,
            "tenant.credentials.workloadIdentity": {"serviceAccountRef": {"name": "a/token"}},
        },
        ("spec.tenant.credentials.workloadIdentity.serviceAccountRef.name", "should match"),
    ),
    Rule(
        "an identity has a client id",
        {"tenant.credentials.clientId": GUID},
        {"tenant.credentials.clientId": None},
        ("spec.tenant.credentials.clientId", "Required"),
    ),
    Rule(
        "the client id is a GUID",
        {"tenant.credentials.clientId": GUID.upper()},
        {"tenant.credentials.clientId": "my-app"},
        ("spec.tenant.credentials.clientId", "must be a GUID"),
    ),
    Rule(
        "a managed principal needs an identity",
        {"tenant.credentials": None, "principal.target": "None", "tenant.tenantId": GUID},
        {"tenant.credentials": None},
        ("spec.tenant.credentials", "required unless principal.target is None"),
    ),
    Rule(
        "without a sign-in the tenant id is declared",
        {"principal.target": "None", "tenant.tenantId": GUID},
        {"principal.target": "None"},
        ("spec.tenant.tenantId", "required when principal.target is None"),
    ),
    Rule(
        "with a metadata URL of one's own the tenant id is declared",
        {"authServer.metadataUrl": HTTPS_URL, "tenant.tenantId": GUID},
        {"authServer.metadataUrl": HTTPS_URL},
        ("spec.tenant.tenantId", "required when authServer.metadataUrl is set"),
    ),
    *(
        Rule(
            f"{cloud} needs a metadata URL",
            {
                "tenant.cloud": cloud,
                "tenant.tenantId": GUID,
                "authServer.metadataUrl": HTTPS_URL,
                "proxy.state": "Unmanaged",
            },
            {"tenant.cloud": cloud, "tenant.tenantId": GUID, "proxy.state": "Unmanaged"},
            ("spec.authServer.metadataUrl", "required when tenant.cloud is China, Bleu or Delos"),
        )
        for cloud in ("China", "Bleu", "Delos")
    ),
    Rule(
        "clouds other than Global need a push URI",
        {"tenant.cloud": "USGovernmentL5", "proxy.uri": HTTPS_URL},
        {"tenant.cloud": "USGovernmentL5"},
        ("spec.proxy.uri", "required when proxy.state is Enabled and tenant.cloud is not Global"),
    ),
    Rule(
        "a proxy that is off needs no push URI",
        {"tenant.cloud": "USGovernmentL5", "proxy.state": "Disabled"},
        {"tenant.cloud": "USGovernmentL5", "proxy.state": "Enabled"},
        ("spec.proxy.uri", "set proxy.uri"),
    ),
    Rule(
        "the metadata URL is https",
        {"tenant.tenantId": GUID, "authServer.metadataUrl": HTTPS_URL},
        {"tenant.tenantId": GUID, "authServer.metadataUrl": "http://issuer.example.com/"},
        ("spec.authServer.metadataUrl", "must begin with https://"),
    ),
    Rule(
        "a URL names no user",
        {"proxy.uri": "https://outlook.office365.com:443/PushNotifications"},
        {"proxy.uri": "https://user:secret@outlook.office365.com/PushNotifications"},
        ("spec.proxy.uri", "without user name"),
    ),
    Rule(
        "the push URI is https",
        {"proxy.uri": "https://outlook.office365.com/PushNotifications"},
        {"proxy.uri": "http://outlook.office365.com/PushNotifications"},
        ("spec.proxy.uri", "must begin with https://"),
    ),
    Rule(
        "there is a server",
        {"exchange.servers": servers("ex1.corp.fabrikam.com")},
        {"exchange.servers": []},
        ("spec.exchange.servers", "at least 1"),
    ),
    Rule(
        "there are at most 64 servers",
        {"exchange.servers": servers(*(f"ex{n}.corp.fabrikam.com" for n in range(64)))},
        {"exchange.servers": servers(*(f"ex{n}.corp.fabrikam.com" for n in range(65)))},
        ("spec.exchange.servers", "at most 64"),
    ),
    Rule(
        "a server is listed once",
        {"exchange.servers": servers("ex1.corp.fabrikam.com", "ex2.corp.fabrikam.com")},
        {"exchange.servers": servers("ex1.corp.fabrikam.com", "ex1.corp.fabrikam.com")},
        ("spec.exchange.servers[1]", "Duplicate"),
    ),
    Rule(
        "upper and lower case make no other server",
        {"exchange.servers": servers("EX1.corp.fabrikam.com", "EX2.corp.fabrikam.com")},
        {"exchange.servers": servers("EX1.corp.fabrikam.com", "ex1.corp.fabrikam.com")},
        ("spec.exchange.servers", "must name each server once"),
    ),
    Rule(
        "a server has its full name",
        {"exchange.servers": servers("ex1.local")},
        {"exchange.servers": servers("ex1")},
        ("spec.exchange.servers[0].name", "must be a fully qualified domain name"),
    ),
    Rule(
        "a server is not an address",
        {"exchange.servers": servers("ex1.10.net")},
        {"exchange.servers": servers("10.0.0.1")},
        ("spec.exchange.servers[0].name", "must be a fully qualified domain name"),
    ),
    Rule(
        "a server name carries nothing else",
        {"exchange.servers": servers("mail-1.corp.fabrikam.com")},
        {"exchange.servers": servers("ex1.corp.fabrikam.com:5986")},
        ("spec.exchange.servers[0].name", "must be a fully qualified domain name"),
    ),
    Rule(
        "the transport is Kerberos or NTLM",
        {"exchange.connection.transport": "Kerberos"},
        {"exchange.connection.transport": "Basic"},
        ("spec.exchange.connection.transport", '"Kerberos", "NTLM"'),
    ),
    Rule(
        "the HTTP port is not for HTTPS",
        {"exchange.connection.port": 5986},
        {"exchange.connection.port": 5985},
        ("spec.exchange.connection.port", "leave port out, or set scheme to HTTP"),
    ),
    Rule(
        "the HTTPS port is not for HTTP",
        {"exchange.connection.port": 5985, "exchange.connection.scheme": "HTTP"},
        {"exchange.connection.port": 5986, "exchange.connection.scheme": "HTTP"},
        ("spec.exchange.connection.port", "leave port out, or set scheme to HTTPS"),
    ),
    Rule(
        "a port is a port",
        {"exchange.connection.port": 443},
        {"exchange.connection.port": 65536},
        ("spec.exchange.connection.port", "less than or equal to 65535"),
    ),
    Rule(
        "a connection has credentials",
        {"exchange.connection.credentialsSecretRef": {"name": "exchange.corp"}},
        {"exchange.connection.credentialsSecretRef": None},
        ("spec.exchange.connection.credentialsSecretRef", "Required"),
    ),
    Rule(
        "a Secret has a name that Kubernetes knows",
        {"exchange.connection.credentialsSecretRef": {"name": "exchange"}},
        {"exchange.connection.credentialsSecretRef": {"name": "../exchange"}},
        ("spec.exchange.connection.credentialsSecretRef.name",),
    ),
    Rule(
        "a CA bundle names its key",
        {"exchange.connection.caSecretRef": {"name": "corp-ca", "key": "ca.crt"}},
        {"exchange.connection.caSecretRef": {"name": "corp-ca"}},
        ("spec.exchange.connection.caSecretRef.key", "Required"),
    ),
    Rule(
        "a Secret of another namespace cannot be named",
        {"exchange.connection.credentialsSecretRef": {"name": "exchange"}},
        {"exchange.connection.credentialsSecretRef": {"name": "exchange", "namespace": "other"}},
        ("spec.exchange.connection.credentialsSecretRef.namespace", "unknown field"),
    ),
    Rule(
        "the certificate policy is Adopt or Manage",
        {"certificate.policy": "Manage"},
        {"certificate.policy": "Replace"},
        ("spec.certificate.policy", '"Adopt", "Manage"'),
    ),
    Rule(
        "a roll-over needs a principal",
        {"certificate.policy": "Adopt", "principal.target": "None", "tenant.tenantId": GUID},
        {"certificate.policy": "Manage", "principal.target": "None", "tenant.tenantId": GUID},
        ("spec", "certificate.policy Manage needs a principal"),
    ),
    Rule(
        "rotateAfter is a moment",
        {"certificate.rotateAfter": "2026-11-21T09:00:00Z"},
        {"certificate.rotateAfter": "2026-11-21 09:00"},
        ("spec.certificate.rotateAfter", "a moment with its offset from UTC, such as"),
    ),
    Rule(
        "rotateAfter may have a fraction of a second, and an offset",
        {"certificate.rotateAfter": "2026-11-21T10:00:00.5+01:00"},
        {"certificate.rotateAfter": "2026-11-21T10:00:00"},
        ("spec.certificate.rotateAfter", "a moment with its offset from UTC, such as"),
    ),
    Rule(
        "rotateAfter is a day of the calendar",
        {"certificate.rotateAfter": "2028-02-29T09:00:00Z"},
        {"certificate.rotateAfter": "2026-02-30T09:00:00Z"},
        ("spec.certificate.rotateAfter", "a moment with its offset from UTC, such as"),
    ),
    Rule(
        "a roll-over begins longer before the end than it takes",
        {
            "certificate.policy": "Manage",
            "certificate.renewBefore": "169h",
            "certificate.activateAfter": "168h",
        },
        {
            "certificate.policy": "Manage",
            "certificate.renewBefore": "168h",
            "certificate.activateAfter": "168h",
        },
        ("spec.certificate.renewBefore", "longer than certificate.activateAfter"),
    ),
    Rule(
        "under Adopt nothing is rolled over",
        {"certificate.renewBefore": "168h", "certificate.activateAfter": "168h"},
        {
            "certificate.policy": "Manage",
            "certificate.activateAfter": "720h",
            "certificate.renewBefore": "719h59m",
        },
        ("spec.certificate.renewBefore", "longer than certificate.activateAfter"),
    ),
    *duration("certificate.renewBefore", "168h", "26280h", "167h", "26281h"),
    *duration("certificate.activateAfter", "1h", "720h", "59m", "721h"),
    *duration("certificate.keyCredentialGracePeriod", "24h", "8760h", "23h", "8761h"),
    Rule(
        "a thumbprint has 40 digits",
        {"certificate.thumbprint": THUMBPRINT.lower()},
        {"certificate.thumbprint": THUMBPRINT[1:]},
        ("spec.certificate.thumbprint", "must be 40 hexadecimal digits"),
    ),
    Rule(
        "the principal is chosen",
        {"principal.target": "FirstPartyServicePrincipal"},
        {"principal.target": None},
        ("spec.principal.target", "Required"),
    ),
    Rule(
        "a dedicated application is named",
        {"principal.target": "DedicatedApplication", "principal.appId": GUID},
        {"principal.target": "DedicatedApplication"},
        ("spec.principal.appId", "required when principal.target is DedicatedApplication"),
    ),
    Rule(
        "a dedicated application is named by its GUID",
        {"principal.target": "DedicatedApplication", "principal.appId": GUID},
        {"principal.target": "DedicatedApplication", "principal.appId": "ExchangeServerApp"},
        ("spec.principal.appId", "must be a GUID"),
    ),
    Rule(
        "the shared principal is not named",
        {"principal.target": "FirstPartyServicePrincipal"},
        {"principal.target": "FirstPartyServicePrincipal", "principal.appId": GUID},
        ("spec.principal.appId", "DedicatedApplication only: remove it"),
    ),
    Rule(
        "the management policy is Manage, Observe or Approve",
        {"managementPolicy": "Approve"},
        {"managementPolicy": "Ask"},
        ("spec.managementPolicy", '"Manage", "Observe", "Approve"'),
    ),
    Rule(
        "who only observes disables nothing",
        {"managementPolicy": "Manage", "deletionPolicy": "Disable"},
        {"managementPolicy": "Observe", "deletionPolicy": "Disable"},
        ("spec.deletionPolicy", "set deletionPolicy to Retain"),
    ),
    *duration("interval", "5m", "168h", "4m59s", "168h1s"),
    *duration("retryInterval", "10s", "1h", "0s", "61m"),
    *duration("timeout", "30s", "1h", "29.9s", "2h"),
    *duration("verification.interval", "1h", "720h", "59m", "721h"),
    *duration("exchange.unreachableGracePeriod", "0s", "720h", "", "720.5h"),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.says)
def test_a_rule_lets_through_what_it_should_and_names_the_field_otherwise(
    api: ControlPlane, rule: Rule
) -> None:
    passes, refused = resource("passes", rule.passes), resource("refused", rule.refuses)
    answer = api.run_kubectl(
        "create", "--dry-run=server", "-f", "-", input=f"{passes}\n---\n{refused}", check=False
    )
    assert "passes created (server dry run)" in answer.stdout, answer.stderr
    assert "refused created" not in answer.stdout
    for part in rule.answer:
        assert part.lower() in answer.stderr.lower()


@dataclass(frozen=True)
class Update:
    """One rule on changes: what is stored, what it may become, and what it may not."""

    says: str
    name: str
    stored: Changes
    passes: Changes
    refuses: Changes
    answer: tuple[str, ...]


UPDATES = [
    Update(
        "the domain stays",
        "domain",
        {},
        {"proxy.organization": "contoso.com"},
        {"tenant.domain": "contoso.com"},
        ("spec.tenant.domain", "immutable: make a new resource"),
    ),
    Update(
        "the cloud stays",
        "cloud",
        {},
        {"tenant.cloud": "Global"},
        {"tenant.cloud": "USGovernmentL4", "proxy.uri": HTTPS_URL},
        ("spec.tenant.cloud", "immutable: make a new resource"),
    ),
    Update(
        "a cloud that was declared cannot fall back to the default",
        "fall-back",
        {"tenant.cloud": "USGovernmentL4", "proxy.state": "Unmanaged"},
        {"tenant.cloud": "USGovernmentL4", "proxy.state": "Disabled"},
        {"proxy.state": "Unmanaged"},
        ("spec.tenant.cloud", "immutable: make a new resource"),
    ),
    Update(
        "a tenant id can be declared later",
        "late-id",
        {},
        {"tenant.tenantId": GUID},
        {"tenant.tenantId": OTHER_GUID},
        ("spec.tenant.tenantId", "cannot be changed or removed"),
    ),
    Update(
        "a tenant id stays",
        "other-id",
        {"tenant.tenantId": GUID},
        {"tenant.tenantId": GUID, "suspend": True},
        {"tenant.tenantId": OTHER_GUID},
        ("spec.tenant.tenantId", "cannot be changed or removed"),
    ),
    Update(
        "a tenant id cannot be taken away",
        "no-id",
        {"tenant.tenantId": GUID},
        {"tenant.tenantId": GUID, "interval": "2h"},
        {},
        ("spec.tenant.tenantId", "cannot be changed or removed"),
    ),
]


@pytest.mark.parametrize("update", UPDATES, ids=lambda update: update.says)
def test_what_is_immutable_stays(api: ControlPlane, update: Update) -> None:
    api.run_kubectl("create", "-f", "-", input=resource(update.name, update.stored))
    api.run_kubectl("replace", "-f", "-", input=resource(update.name, update.passes))
    answer = api.run_kubectl(
        "replace", "-f", "-", input=resource(update.name, update.refuses), check=False
    )
    assert answer.returncode != 0
    for part in update.answer:
        assert part in answer.stderr
