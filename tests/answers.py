"""What servers, Graph and public documents answer, made up row by row for core and stages.

The default is the sample organisation of the lab when all is as declared. The names of the
properties are those of the allow-list; test_answers_spell_properties_as_the_allow_list_does holds
them together.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from exchange_push_operator.core import organization, principal, push_proxy
from exchange_push_operator.core.certificate_store import LOCAL_CERTIFICATES
from exchange_push_operator.core.commands import Cmdlet, GraphRequest
from exchange_push_operator.core.config import EXCHANGE_ONLINE, PushConfig, Target
from exchange_push_operator.core.errors import CmdletFailed, PushError, Unreachable
from exchange_push_operator.core.key_credentials import new_entry
from exchange_push_operator.core.looks import ORGANIZATION, Observations
from exchange_push_operator.core.organization import AUTH_CONFIG, LOCAL_SERVER
from exchange_push_operator.core.parse import parse
from exchange_push_operator.core.plan import Plan
from exchange_push_operator.core.ports import Answer, Identity
from exchange_push_operator.core.probes import monitoring_items
from exchange_push_operator.core.stage import Stage
from exchange_push_operator.core.timestamps import utc_text
from exchange_push_operator.core.x509 import Certificate, read_certificate
from lab.microsoft365.sample import CONTOSO, DEDICATED, FABRIKAM
from lab.microsoft365.sample import ORGANIZATION as ORGANIZATION_ID
from lab.network.ca import rsa_key
from lab.resources import resource

__all__ = ["CONTOSO", "DEDICATED", "FABRIKAM", "ORGANIZATION_ID"]

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
EX1, EX2, EX3 = (f"ex{number}.corp.fabrikam.com" for number in (1, 2, 3))
SE_RTM = "15.2.2562.17"
METADATA = "https://accounts.accesscontrol.windows.net/metadata/json/1/?realm=fabrikam.com"
PUSH = "https://outlook.office365.com/PushNotifications"
AUTH_SUBJECT = "Microsoft Exchange Server Auth Certificate"
SIGNING_SERVICES = ("ServiceHostStartedUTC", "OwaPoolStartedUTC", "EcpPoolStartedUTC")
PROBE = "PushNotificationsEnterpriseConnectivityProbe"
OBJECT = "a7f8c97a-a7cf-42bf-8bf2-9371e6e4184e"

Rows: TypeAlias = Sequence[Mapping[str, Any]]
Said: TypeAlias = Rows | CmdletFailed
Told: TypeAlias = tuple[str, str, tuple[str, ...]]


# certificates

_SHA256_WITH_RSA = bytes.fromhex("06092a864886f70d01010b")
_SHA1_WITH_RSA = bytes.fromhex("06092a864886f70d010105")


@functools.cache
def der(
    serial: int = 1,
    *,
    begins: int = -30,
    ends: int = 1796,
    subject: str = AUTH_SUBJECT,
    key: str = "rsa",
    sha1: bool = False,
) -> bytes:
    """A self-signed certificate; ``begins`` and ``ends`` are days from NOW. RSA keys are shared."""
    private = _key(key)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(serial)
        .not_valid_before(NOW + timedelta(days=begins))
        .not_valid_after(NOW + timedelta(days=ends))
        .sign(private, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )
    # Nobody signs with SHA-1 any more, so the name of the algorithm is changed afterwards.
    return made.replace(_SHA256_WITH_RSA, _SHA1_WITH_RSA) if sha1 else made


def certificate(serial: int = 1, **differing: Any) -> Certificate:
    """The same, read."""
    read = read_certificate(der(serial, **differing))
    assert read is not None
    return read


def _key(kind: str) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    return rsa_key("answers") if kind == "rsa" else _other_key(kind)


@functools.cache
def _other_key(kind: str) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    if kind == "small":
        return rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is the case
    return ec.generate_private_key(ec.SECP256R1())


AUTH = certificate()
NEXT = certificate(2)
TRANSPORT = certificate(3, subject="EX1")


def held(of: Certificate, *, key: bool = True, name: str = AUTH_SUBJECT) -> dict[str, Any]:
    """A row of Get-LocalCertificate or Get-ExchangeCertificate."""
    return {
        "Thumbprint": of.thumbprint,
        "HasPrivateKey": key,
        "FriendlyName": name,
        "RawData": of.base64,
    }


# rows of Exchange


def server(fqdn: str, **changes: Any) -> dict[str, Any]:
    """A row of Get-ExchangeServer."""
    return {
        "Name": fqdn.split(".", maxsplit=1)[0].upper(),
        "Fqdn": fqdn,
        "AdminDisplayVersion": "Version 15.2 (Build 2562.17)",
        "IsMailboxServer": True,
        "IsClientAccessServer": True,
        "IsEdgeServer": False,
        "Site": "corp.fabrikam.com/Configuration/Sites/Berlin",
        **changes,
    }


def local(fqdn: str, **changes: Any) -> dict[str, Any]:
    """The row of Get-LocalExchangeServer."""
    return {
        "Name": fqdn.split(".", maxsplit=1)[0].upper(),
        "Fqdn": fqdn,
        "Version": SE_RTM,
        "TimeUTC": utc_text(NOW),
        "HealthManagerStartedUTC": "2026-11-20T09:00:00.0000000Z",
        "SetupRunning": False,
        "TransportCertificateThumbprint": TRANSPORT.thumbprint,
        **dict.fromkeys(SIGNING_SERVICES, "2026-11-20T09:00:00.0000000Z"),
        **changes,
    }


def auth_config(current: str | None = AUTH.thumbprint, **changes: Any) -> dict[str, Any]:
    """The row of Get-AuthConfig."""
    return {
        "CurrentCertificateThumbprint": current or "",
        "PreviousCertificateThumbprint": "",
        "NextCertificateThumbprint": "",
        "NextCertificateEffectiveDate": None,
        "ServiceName": EXCHANGE_ONLINE,
        "Realm": "",
        "WhenChangedUTC": "2026-10-22T09:00:00.0000000Z",
        **changes,
    }


def auth_server(name: str = "MicrosoftSts", **changes: Any) -> dict[str, Any]:
    """A row of Get-AuthServer."""
    return {
        "Name": name,
        "Type": "MicrosoftACS",
        "Realm": FABRIKAM,
        "IssuerIdentifier": "00000001-0000-0000-c000-000000000000",
        "AuthMetadataUrl": METADATA,
        "Enabled": True,
        "ApplicationIdentifier": "",
        "TrustAnySSLCertificate": False,
        **changes,
    }


def evo_sts(application: str = "", **changes: Any) -> dict[str, Any]:
    """A row of Get-AuthServer: the one that HCW makes."""
    url = f"https://login.windows.net/{FABRIKAM}/federationmetadata/2007-06/federationmetadata.xml"
    row = auth_server(
        "EvoSts - 1",
        Type="AzureAD",
        AuthMetadataUrl=url,
        IssuerIdentifier=f"https://sts.windows.net/{FABRIKAM}/",
    )
    return {**row, "ApplicationIdentifier": application, **changes}


def partner(**changes: Any) -> dict[str, Any]:
    """The row of Get-PartnerApplication that Setup makes."""
    return {
        "Name": "Exchange Online",
        "ApplicationIdentifier": EXCHANGE_ONLINE,
        "Enabled": True,
        "Realm": "",
        **changes,
    }


def override(*parameters: str, **changes: Any) -> dict[str, Any]:
    """A row of Get-SettingOverride."""
    return {
        "Name": "EnableExchangeHybrid3PAppFeature",
        "ComponentName": "Global",
        "SectionName": "ExchangeOnpremAsThirdPartyAppId",
        "Parameters": list(parameters or ("Enabled=true",)),
        **changes,
    }


def proxy(**changes: Any) -> dict[str, Any]:
    """The row of Enable-PushNotificationProxy -WhatIf."""
    return {
        "Name": "OnPrem-Proxy",
        "Enabled": True,
        "Organization": "fabrikam.com",
        "Uri": PUSH,
        "WhenChangedUTC": "2026-10-22T09:00:00.0000000Z",
        **changes,
    }


def stored_proxy(**changes: Any) -> dict[str, Any]:
    """The row of Get-LocalPushNotificationProxy."""
    return {
        "Name": "OnPrem-Proxy",
        "WhenChangedUTC": "2026-10-22T09:00:00.0000000Z",
        **changes,
    }


def component(name: str = "ServerWideOffline", state: str = "Active") -> dict[str, Any]:
    """A row of Get-ServerComponentState."""
    return {"Component": name, "State": state}


def item(name: str = PROBE) -> dict[str, Any]:
    """A row of Get-MonitoringItemIdentity."""
    return {"Name": name, "HealthSetName": "PushNotifications.Proxy", "ItemType": "Probe"}


def missing(kind: str = "InvalidOperationException") -> CmdletFailed:
    """A cmdlet's error of a .NET type."""
    return CmdletFailed("the server's own words", kind=kind)


# Graph


def entry(of: Certificate = AUTH, **changes: Any) -> dict[str, Any]:
    """A key credential as Graph gives it out."""
    return {
        **new_entry(of, "aaaaaaaa-0000-4000-8000-000000000001", of.not_before),
        "customKeyIdentifier": of.thumbprint,
        **changes,
    }


# everything


def config(
    spec: Mapping[str, Any] | None = None, status: Mapping[str, Any] | None = None, **metadata: Any
) -> PushConfig:
    """The example resource with parts of its spec replaced."""
    return parse({**resource(spec, **metadata), "status": status or {}})


def dedicated_config() -> PushConfig:
    """One that targets the dedicated application."""
    return config({"principal": {"target": Target.DEDICATED.value, "appId": DEDICATED}})


def seen(
    asked: PushConfig | None = None,
    *,
    organization: Mapping[Cmdlet, Said] | None = None,
    servers: Mapping[str, Mapping[Cmdlet, Said]] | None = None,
    keys: Rows | PushError = (),
    document: Mapping[str, Any] | PushError | None = None,
    away: Sequence[str] = (),
) -> Observations:
    """All answers of a round; what a test gives replaces the answer to that look."""
    asked = asked or config()
    listed = [name for name in asked.servers if name not in away]
    answers = {(ORGANIZATION, look): said for look, said in _organization(asked).items()}
    answers |= {(ORGANIZATION, look): said for look, said in (organization or {}).items()}
    for name in listed:
        changed = {**_server(name), **(servers or {}).get(name, {})}
        answers |= {(name, look): said for look, said in changed.items()}
    graph = {look: _keys(()) for look in principal.requests(asked)}
    return Observations(
        FABRIKAM,
        cmdlets={key: _answer(said) for key, said in answers.items()},
        away={name: Unreachable(f"{name}: connection refused") for name in away},
        answered=tuple(listed),
        graph_answers={**graph, principal.request(asked): _keys(keys)},
        documents={asked.metadata_url: {"realm": FABRIKAM} if document is None else document},
        identity=Identity(FABRIKAM, frozenset({"Application.ReadWrite.All"})),
        period=(NOW, NOW),
    )


def beside(observed: Observations, keys: Rows | PushError) -> Observations:
    """The same, with other keys on the first-party principal that is not the target."""
    graph = {**observed.graph_answers, principal.SHARED: _keys(keys)}
    return replace(observed, graph_answers=graph)


def _keys(said: Rows | PushError) -> Mapping[str, Any] | PushError:
    return said if isinstance(said, PushError) else {"id": OBJECT, "keyCredentials": list(said)}


def _organization(asked: PushConfig) -> Mapping[Cmdlet, Said]:
    return {
        organization.ORGANIZATION_CONFIG: [{"Guid": ORGANIZATION_ID, "Name": "Fabrikam"}],
        organization.EXCHANGE_SERVERS: [server(name.lower()) for name in asked.servers],
        AUTH_CONFIG: [auth_config()],
        organization.AUTH_SERVERS: [auth_server()],
        organization.PARTNER_APPLICATIONS: [partner()],
        organization.SETTING_OVERRIDES: [],
        push_proxy.WHAT_IF: [proxy()],
        push_proxy.DIRECTORY: [stored_proxy()],
    }


def _server(name: str) -> Mapping[Cmdlet, Said]:
    return {
        LOCAL_SERVER: [local(name)],
        LOCAL_CERTIFICATES: [held(AUTH), held(TRANSPORT, name="Microsoft Exchange")],
        organization.component_states(name): [component()],
        monitoring_items(name): [item()],
    }


def _answer(said: Said) -> Answer:
    return Answer(error=said) if isinstance(said, CmdletFailed) else Answer(tuple(said))


def plan_of(
    stage: Stage[Any], asked: PushConfig, observed: Observations, now: datetime = NOW
) -> Plan:
    """What a stage makes of the answers."""
    return stage.plan(asked, stage.observe(asked, observed), now)


def told(plan: Plan) -> Told:
    """Status, reason and the lines an administrator would type."""
    finding = plan.finding
    return finding.status, finding.reason.value, tuple(step.text for step in plan.steps)


def advised(plan: Plan) -> set[str]:
    """The types of a plan's advisories."""
    return {advisory.type for advisory in plan.advisories}


def body(request: object) -> list[dict[str, Any]]:
    """The entries of a PATCH."""
    assert isinstance(request, GraphRequest)
    assert request.body is not None
    entries: list[dict[str, Any]] = request.body["keyCredentials"]
    return entries


def days(number: float) -> str:
    """A moment so many days from NOW, as Graph writes it."""
    return utc_text(NOW + timedelta(days=number))


def base64_of(thumbprint: str) -> str:
    """The older spelling of customKeyIdentifier."""
    return base64.b64encode(bytes.fromhex(thumbprint)).decode()
