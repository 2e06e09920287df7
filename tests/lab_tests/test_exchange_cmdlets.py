"""The rules of the lab's Exchange cmdlets."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from exchange_push_operator.core.errors import CmdletFailed
from lab.exchange.build import add_auth_certificate, add_server, default_organization
from lab.exchange.dump import dump
from lab.exchange.faults import UnknownFaultError, set_fault
from lab.exchange.organization import Organization
from lab.exchange.runner import Administrator, administrator, allow_list, invoke
from lab.exchange.texts import CULTURES
from lab.microsoft365.sample import CONTOSO, FABRIKAM, sample

EX1, EX2 = "ex1.corp.fabrikam.com", "ex2.corp.fabrikam.com"
ACS = "https://accounts.accesscontrol.windows.net"
URL = f"{ACS}/metadata/json/1/?realm=fabrikam.com"
AUTH = "CN=Microsoft Exchange Server Auth Certificate"


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 21, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def forward(self, **amount: float) -> None:
        self.time += timedelta(**amount)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def organization(clock: Clock) -> Organization:
    return default_organization(clock=clock, microsoft365=sample(clock=clock))


@pytest.fixture
def admin(organization: Organization) -> Administrator:
    return administrator(organization)


def kind_of(admin: Administrator, name: str, **parameters: Any) -> str:
    with pytest.raises(CmdletFailed) as caught:
        admin.run(name, **parameters)
    return caught.value.kind


def new_certificate(admin: Administrator, **parameters: Any) -> str:
    made = admin.run(
        "New-ExchangeCertificate", **{"Services": "None", "SubjectName": AUTH} | parameters
    )
    return str(made[0]["Thumbprint"])


UNKNOWN = "00" * 20
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("Get-Nothing", {}, "CommandNotFoundException"),
    ("Get-AuthConfig", {"Colour": "red"}, "ParameterBindingException"),
    ("New-AuthServer", {"Name": "MicrosoftSts"}, "ParameterBindingException"),
    ("Set-AuthServer", {"Identity": "none", "Enabled": True}, "ManagementObjectNotFoundException"),
    ("Set-PartnerApplication", {"Identity": "none"}, "ManagementObjectNotFoundException"),
    ("Get-ExchangeServer", {"Identity": "ex9"}, "ManagementObjectNotFoundException"),
    ("Get-ServerComponentState", {"Identity": "ex9"}, "ManagementObjectNotFoundException"),
    (
        "Set-AuthConfig",
        {"CertificateThumbprint": UNKNOWN, "Force": True},
        "InvalidOperationException",
    ),
    ("Get-ExchangeCertificate", {"Thumbprint": UNKNOWN}, "InvalidOperationException"),
    ("New-ExchangeCertificate", {}, "HostException"),
    ("New-ExchangeCertificate", {"Services": "IIS, SMTP"}, "HostException"),
    (
        "New-ExchangeCertificate",
        {"Services": "None", "FriendlyName": "x" * 64},
        "ParameterBindingArgumentTransformationException",
    ),
    (
        "New-ExchangeCertificate",
        {"Services": "FTP"},
        "ParameterBindingArgumentTransformationException",
    ),
    ("Disable-PushNotificationProxy", {}, "HostException"),
    (
        "Enable-PushNotificationProxy",
        {"Organization": "fabrikam.com", "Uri": "nonsense"},
        "ParameterBindingArgumentTransformationException",
    ),
    (
        "New-AuthServer",
        {"Name": "a", "AuthMetadataUrl": f"{ACS}/metadata/json/1/?realm=nobody.example"},
        "AuthMetadataBuilderException",
    ),
]


@pytest.mark.parametrize(("name", "parameters", "kind"), REFUSED)
def test_what_cannot_be_is_refused_and_changes_nothing(
    organization: Organization,
    admin: Administrator,
    name: str,
    parameters: dict[str, Any],
    kind: str,
) -> None:
    before = dump(organization)
    assert kind_of(admin, name, **parameters) == kind
    assert dump(organization) == before


@pytest.mark.parametrize("culture", CULTURES)
def test_messages_follow_the_culture_of_the_server_and_types_do_not(
    organization: Organization, admin: Administrator, culture: str
) -> None:
    set_fault(organization, "culture", culture)
    with pytest.raises(CmdletFailed) as caught:
        admin.run("Set-AuthServer", Identity="none", Enabled=True)
    assert caught.value.kind == "ManagementObjectNotFoundException"
    assert ("couldn't be found" in str(caught.value)) == (culture == "en-US")
    assert "RequestId=" in caught.value.identifier


def test_a_cmdlet_that_rbac_does_not_grant_does_not_exist(organization: Organization) -> None:
    set_fault(organization, "denied_cmdlets", ["Get-AuthConfig"])
    outcome = invoke(organization, organization.server(EX1), "Get-AuthConfig", {}, "CORP\\svc-epo")
    assert outcome.error is not None
    assert outcome.error.kind == "CommandNotFoundException"
    assert administrator(organization).run("Get-AuthConfig")


@pytest.mark.parametrize("name", sorted(allow_list()))
def test_every_look_of_the_allow_list_answers_with_exactly_its_properties(
    organization: Organization, name: str
) -> None:
    rule = allow_list()[name]
    needed = {
        "Identity": EX1 if "Component" in name or "Server" in name else "PushNotifications.Proxy",
        "Server": EX1,
        "Service": "EWS",
        "TargetUri": "https://outlook.office365.com/ews/exchange.asmx",
        "Uri": "https://outlook.office365.com/",
    }
    parameters: dict[str, Any] = {
        key: value for key, value in needed.items() if key in rule["parameters"]
    }
    if rule.get("changes"):
        parameters = {"WhatIf": True} if "WhatIf" in rule["parameters"] else {}
    if rule.get("changes") and not parameters:
        return
    if name == "Invoke-MonitoringProbe":
        parameters["Identity"] += r"\PushNotificationsEnterpriseConnectivityProbe"
    outcome = invoke(organization, organization.server(EX1), name, parameters, "CORP\\svc-epo")
    assert outcome.error is None
    assert all(list(row) == rule["output"] for row in outcome.rows)


def test_the_organisation_after_setup_is_valid_and_has_no_auth_server(
    organization: Organization, admin: Administrator
) -> None:
    state = dump(organization)
    current = state["authConfig"]["current"]
    for server in state["servers"]:
        held = {one["thumbprint"]: one for one in server["certificates"]}
        assert held[current]["privateKey"]
        assert server["transportCertificate"] not in ("", current)
    assert admin.run("Get-AuthServer") == []
    assert admin.run("Enable-PushNotificationProxy", WhatIf=True)[0]["Enabled"] is False


def test_certificates_are_real_and_each_has_a_key_of_its_own(organization: Organization) -> None:
    keys = set()
    for server in organization.servers.values():
        for thumbprint, held in server.store.items():
            certificate = x509.load_der_x509_certificate(held.der)
            assert held.key is not None
            public = held.key.public_key()
            assert certificate.public_key() == public
            digest = hashlib.sha1(held.der, usedforsecurity=False).hexdigest()
            assert digest.upper() == thumbprint
            keys.add(public.public_numbers().n)
    assert len(keys) == 3  # two transport certificates, one Auth certificate


def test_a_new_certificate_without_services_leaves_the_transport_certificate_alone(
    organization: Organization, admin: Administrator, clock: Clock
) -> None:
    before = admin.server.transport
    made = admin.server.store[new_certificate(admin, FriendlyName="mine", DomainName=())]
    assert admin.server.transport == before
    assert made.services == frozenset()
    assert made.friendly_name == "mine"
    certificate = made.x509
    assert certificate.subject.rfc4514_string() == AUTH
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert key.key_size == 2048
    years = (certificate.not_valid_after_utc - clock()).days / 365.25
    assert 4.9 < years < 5.1
    assert list(organization.server(EX2).store) != list(admin.server.store)


def test_a_switch_lets_creation_take_the_transport_role_and_enable_gives_it_back(
    organization: Organization, admin: Administrator
) -> None:
    before = admin.server.transport
    set_fault(organization, "creation_takes_transport", value=True)
    made = new_certificate(admin)
    assert admin.server.transport == made
    arguments: dict[str, Any] = {"Thumbprint": before, "Services": "SMTP"}
    assert kind_of(admin, "Enable-ExchangeCertificate", **arguments) == "HostException"
    admin.run("Enable-ExchangeCertificate", **arguments, Force=True)
    assert admin.server.transport == before


def test_a_certificate_is_not_taken_into_auth_config_unless_it_can_sign(
    organization: Organization, admin: Administrator, clock: Clock
) -> None:
    public = add_auth_certificate(organization, private_key=False)
    expired = add_auth_certificate(organization, lifetime=timedelta(days=10))
    elsewhere = add_auth_certificate(organization, servers=("ex2",))
    for thumbprint in (public, expired, elsewhere):
        arguments = {"CertificateThumbprint": thumbprint, "Force": True}
        assert kind_of(admin, "Set-AuthConfig", **arguments) == "InvalidOperationException"
    listed = admin.run("Get-ExchangeCertificate", Thumbprint=expired)
    assert listed[0]["Status"] == "Invalid"
    clock.forward(days=-25)
    assert admin.run("Get-ExchangeCertificate", Thumbprint=expired)[0]["Status"] == "Valid"


def test_set_auth_config_without_force_asks_and_so_fails(admin: Administrator) -> None:
    arguments = {"CertificateThumbprint": new_certificate(admin)}
    assert kind_of(admin, "Set-AuthConfig", **arguments) == "HostException"


@pytest.mark.parametrize("distributes", [True, False])
def test_the_servicelet_hands_the_private_key_to_the_other_servers(
    organization: Organization, admin: Administrator, *, distributes: bool
) -> None:
    set_fault(organization, "distributes_key", distributes)
    made = new_certificate(admin)
    admin.run("Set-AuthConfig", CertificateThumbprint=made, Force=True, Confirm=False)
    assert (made in organization.server(EX2).store) is distributes
    assert dump(organization)["authConfig"]["current"] == made


def test_a_server_that_was_down_gets_the_key_later(
    organization: Organization, admin: Administrator
) -> None:
    set_fault(organization, "down", value=True, server=EX2)
    made = new_certificate(admin)
    admin.run("Set-AuthConfig", CertificateThumbprint=made, Force=True)
    assert made not in organization.server(EX2).store
    set_fault(organization, "down", value=False, server=EX2)
    organization.tick()
    assert organization.server(EX2).store[made].key is not None


def test_a_staged_certificate_is_published_on_its_date(
    organization: Organization, admin: Administrator, clock: Clock
) -> None:
    old = dump(organization)["authConfig"]["current"]
    made = new_certificate(admin)
    date = clock() + timedelta(hours=49)
    admin.run("Set-AuthConfig", NewCertificateThumbprint=made, NewCertificateEffectiveDate=date)
    assert dump(organization)["authConfig"]["next"] == made
    clock.forward(hours=50)
    state = dump(organization)["authConfig"]
    assert (state["current"], state["previous"], state["next"]) == (made, old, "")


def test_an_auth_server_takes_realm_and_issuer_from_its_document(admin: Administrator) -> None:
    admin.run("New-AuthServer", Name="MicrosoftSts", AuthMetadataUrl=URL)
    (row,) = admin.run("Get-AuthServer")
    assert row["Realm"] == FABRIKAM
    assert row["IssuerIdentifier"] == "00000001-0000-0000-c000-000000000000"
    other = URL.replace("fabrikam", "contoso")
    admin.run("Set-AuthServer", Identity="microsoftsts", AuthMetadataUrl=other)
    assert admin.run("Get-AuthServer")[0]["Realm"] == CONTOSO


def test_an_auth_server_of_that_name_exists_once(admin: Administrator) -> None:
    admin.run("New-AuthServer", Name="MicrosoftSts", AuthMetadataUrl=URL)
    arguments = {"Name": "MICROSOFTSTS", "AuthMetadataUrl": URL}
    assert kind_of(admin, "New-AuthServer", **arguments) == "ADObjectAlreadyExistsException"


def test_a_server_without_way_out_cannot_make_an_auth_server(
    organization: Organization, admin: Administrator
) -> None:
    set_fault(organization, "outbound_blocked", value=True, server=EX1)
    arguments = {"Name": "MicrosoftSts", "AuthMetadataUrl": URL}
    assert kind_of(admin, "New-AuthServer", **arguments) == "AuthMetadataBuilderException"


def test_enabling_the_proxy_moves_its_date_only_if_something_changes(
    admin: Administrator, clock: Clock
) -> None:
    first = admin.run("Enable-PushNotificationProxy", Organization="fabrikam.com")[0]
    assert first["Uri"] == "https://outlook.office365.com/PushNotifications"
    clock.forward(minutes=1)
    assert admin.run("Enable-PushNotificationProxy", Organization="fabrikam.com")[0] == first
    assert admin.run("Enable-PushNotificationProxy", WhatIf=True, Organization="x.example") == [
        first
    ]
    admin.run("Disable-PushNotificationProxy", Confirm=False)
    (looked,) = admin.run("Enable-PushNotificationProxy", WhatIf=True)
    assert looked["Enabled"] is False
    assert looked["WhenChangedUTC"] == clock()


def test_a_look_at_the_proxy_may_say_nothing(
    organization: Organization, admin: Administrator
) -> None:
    set_fault(organization, "proxy_look", "nothing")
    assert admin.run("Enable-PushNotificationProxy", WhatIf=True) == []


def test_before_cu3_there_is_no_proxy_and_no_probe(organization: Organization) -> None:
    old = add_server(organization, "EX3", version="15.0.712.24", roles=frozenset({"Mailbox"}))
    admin = administrator(organization, old.fqdn)
    kind = kind_of(admin, "Enable-PushNotificationProxy", WhatIf=True)
    assert kind == "CommandNotFoundException"
    arguments = {"Identity": "PushNotifications.Proxy", "Server": old.fqdn}
    assert admin.run("Get-MonitoringItemIdentity", **arguments) == []
    row = admin.run("Get-ExchangeServer", Identity="ex3")[0]
    assert row["AdminDisplayVersion"] == "Version 15.0 (Build 712.24)"
    assert (row["IsMailboxServer"], row["IsClientAccessServer"]) == (True, False)


@pytest.mark.parametrize("fault", ["down", "rpc_down"])
def test_certificates_of_an_unreachable_server_are_another_error_than_missing_ones(
    organization: Organization, admin: Administrator, fault: str
) -> None:
    set_fault(organization, fault, value=True, server=EX2)
    kind = kind_of(admin, "Get-ExchangeCertificate", Server=EX2, Thumbprint=UNKNOWN)
    assert kind == "RpcClientException"
    set_fault(organization, fault, value=False)
    kind = kind_of(admin, "Get-ExchangeCertificate", Server=EX2, Thumbprint=UNKNOWN)
    assert kind == "InvalidOperationException"


def test_a_change_is_seen_by_other_servers_after_so_many_looks(organization: Organization) -> None:
    set_fault(organization, "replication_lag_looks", 2)
    here, there = administrator(organization, EX1), administrator(organization, EX2)
    here.run("New-AuthServer", Name="MicrosoftSts", AuthMetadataUrl=URL)
    assert len(here.run("Get-AuthServer")) == 1
    seen = [len(there.run("Get-AuthServer")) for _ in range(3)]
    assert seen == [0, 0, 1]
    assert len(there.run("Get-AuthServer", DomainController="dc-ex1.corp.fabrikam.com")) == 1


def test_a_change_is_seen_by_other_servers_after_so_many_seconds(
    organization: Organization, clock: Clock
) -> None:
    set_fault(organization, "replication_lag_seconds", 30)
    here, there = administrator(organization, EX1), administrator(organization, EX2)
    here.run("New-AuthServer", Name="MicrosoftSts", AuthMetadataUrl=URL)
    assert there.run("Get-AuthServer") == []
    clock.forward(seconds=30)
    assert len(there.run("Get-AuthServer")) == 1


def test_what_was_changed_by_whom_is_logged_and_looks_are_not(
    organization: Organization, admin: Administrator
) -> None:
    admin.run("Enable-PushNotificationProxy", WhatIf=True)
    replace(admin, account="CORP\\bob").run("Disable-PushNotificationProxy", Confirm=False)
    admin.run("Enable-PushNotificationProxy", Organization="fabrikam.com", Confirm=False)
    assert dump(organization)["changes"] == [
        {
            "cmdlet": "Enable-PushNotificationProxy",
            "parameters": {"Organization": "fabrikam.com", "Confirm": False},
            "server": EX1,
            "account": "CORP\\Administrator",
        }
    ]


@pytest.mark.parametrize(("name", "value"), [("nonsense", True), ("down", 1), ("latency", "fast")])
def test_a_switch_that_does_not_exist_or_fit_is_refused(
    organization: Organization, name: str, value: Any
) -> None:
    with pytest.raises(UnknownFaultError):
        set_fault(organization, name, value)
