"""The lab's rules of a roll-over: staging, publishing, copying; who still signs with the old."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from exchange_push_operator.core.errors import CmdletFailed
from lab.exchange.build import add_auth_certificate, default_organization
from lab.exchange.chain import StageFailed, signed_token
from lab.exchange.dump import dump
from lab.exchange.faults import set_fault
from lab.exchange.organization import ACCOUNT, Organization
from lab.exchange.runner import Administrator, administrator, invoke

EX1, EX2 = "ex1.corp.fabrikam.com", "ex2.corp.fabrikam.com"
RESTARTS = (
    ("Restart-Service", "MSExchangeServiceHost"),
    ("Restart-WebAppPool", "MSExchangeOWAAppPool"),
    ("Restart-WebAppPool", "MSExchangeECPAppPool"),
)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 21, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def organization(clock: Clock) -> Organization:
    return default_organization(clock=clock)


@pytest.fixture
def admin(organization: Organization) -> Administrator:
    return administrator(organization)


def stage(admin: Administrator, thumbprint: str, hours: float, **more: Any) -> None:
    date = admin.organization.clock() + timedelta(hours=hours)
    admin.run(
        "Set-AuthConfig",
        NewCertificateThumbprint=thumbprint,
        NewCertificateEffectiveDate=date,
        **more,
    )


def kind_of(admin: Administrator, name: str, **parameters: Any) -> str:
    with pytest.raises(CmdletFailed) as caught:
        admin.run(name, **parameters)
    return caught.value.kind


def auth_config(admin: Administrator) -> dict[str, Any]:
    (row,) = admin.run("Get-AuthConfig")
    return row


@pytest.mark.parametrize("hours", [-1, 0])
def test_the_effective_date_must_be_greater_than_the_current_time(
    organization: Organization, admin: Administrator, hours: float
) -> None:
    coming = add_auth_certificate(organization)
    with pytest.raises(CmdletFailed, match="must be greater than the current time"):
        stage(admin, coming, hours, Force=True)
    assert auth_config(admin)["NextCertificateThumbprint"] == ""


def test_a_date_less_than_48_hours_ahead_asks_unless_forced(
    organization: Organization, admin: Administrator
) -> None:
    coming = add_auth_certificate(organization)
    with pytest.raises(CmdletFailed) as caught:
        stage(admin, coming, 47)
    assert caught.value.kind == "HostException"
    stage(admin, coming, 47, Force=True)
    stage(admin, coming, 49)
    assert auth_config(admin)["NextCertificateThumbprint"] == coming


def test_publishing_makes_next_current_and_current_previous(
    organization: Organization, admin: Administrator, clock: Clock
) -> None:
    old = auth_config(admin)["CurrentCertificateThumbprint"]
    coming = add_auth_certificate(organization)
    stage(admin, coming, 49)
    clock.time += timedelta(minutes=1)
    admin.run("Set-AuthConfig", PublishCertificate=True)
    row = auth_config(admin)
    assert row["CurrentCertificateThumbprint"] == coming
    assert row["PreviousCertificateThumbprint"] == old
    assert (row["NextCertificateThumbprint"], row["NextCertificateEffectiveDate"]) == ("", None)
    assert row["WhenChangedUTC"] == clock.time
    admin.run("Set-AuthConfig", ClearPreviousCertificate=True)
    assert auth_config(admin)["PreviousCertificateThumbprint"] == ""


def test_there_must_be_something_to_publish(admin: Administrator) -> None:
    assert kind_of(admin, "Set-AuthConfig", PublishCertificate=True) == "InvalidOperationException"


def test_parameter_sets_do_not_mix(organization: Organization, admin: Administrator) -> None:
    made = add_auth_certificate(organization)
    mixed = {"CertificateThumbprint": made, "PublishCertificate": True, "Force": True}
    assert kind_of(admin, "Set-AuthConfig", **mixed) == "ParameterBindingException"
    assert kind_of(admin, "Set-AuthConfig", Force=True) == "ParameterBindingException"


def test_a_copy_brings_the_private_key_to_another_server(
    organization: Organization, admin: Administrator
) -> None:
    made = add_auth_certificate(organization, servers=("ex1",))
    admin.run("Copy-ExchangeCertificate", Thumbprint=made, Server=EX2)
    copy = organization.server(EX2).store[made]
    assert copy.key is not None
    assert copy.services == frozenset()


def test_a_copy_fails_without_an_exportable_key_and_where_it_is_already(
    organization: Organization, admin: Administrator
) -> None:
    made = add_auth_certificate(organization, servers=("ex1",))
    ex1 = organization.server(EX1)
    ex1.add(replace(ex1.store[made], exportable=False))
    arguments = {"Thumbprint": made, "Server": EX2}
    assert kind_of(admin, "Copy-ExchangeCertificate", **arguments) == "InvalidOperationException"
    assert made not in organization.server(EX2).store
    everywhere = {"Thumbprint": auth_config(admin)["CurrentCertificateThumbprint"], "Server": EX2}
    assert kind_of(admin, "Copy-ExchangeCertificate", **everywhere) == "InvalidOperationException"


def test_a_copy_needs_rpc_to_the_other_server(
    organization: Organization, admin: Administrator
) -> None:
    made = add_auth_certificate(organization, servers=("ex1",))
    set_fault(organization, "rpc_down", value=True, server=EX2)
    arguments = {"Thumbprint": made, "Server": EX2}
    assert kind_of(admin, "Copy-ExchangeCertificate", **arguments) == "RpcClientException"


def test_a_new_key_is_exportable_only_where_that_was_asked_for(admin: Administrator) -> None:
    (made,) = admin.run("New-ExchangeCertificate", Services="None")
    arguments = {"Thumbprint": made["Thumbprint"], "Server": EX2}
    assert kind_of(admin, "Copy-ExchangeCertificate", **arguments) == "InvalidOperationException"


@pytest.mark.parametrize("cure", ["restarts", "an hour"])
def test_a_server_signs_with_the_old_certificate_until_it_reads_anew(
    organization: Organization, admin: Administrator, clock: Clock, cure: str
) -> None:
    set_fault(organization, "old_signature_seconds", 3600)
    old = auth_config(admin)["CurrentCertificateThumbprint"]
    made = add_auth_certificate(organization)
    admin.run("Set-AuthConfig", CertificateThumbprint=made, Force=True)
    assert signs_with(organization) == old
    if cure == "an hour":
        clock.time += timedelta(hours=1)
    else:
        for name, what in RESTARTS:
            assert signs_with(organization) == old
            admin.run(name, Name=what)
    assert signs_with(organization) == made


def signs_with(organization: Organization) -> str:
    """The certificate without which the first server has no signature."""
    ex1 = organization.server(EX1)
    for thumbprint, held in list(ex1.store.items()):
        del ex1.store[thumbprint]
        with pytest.raises(StageFailed) as caught:
            signed_token(organization, ex1)
        ex1.add(held)
        if "Missing signing certificate" in str(caught.value):
            return thumbprint
    raise AssertionError("nothing is missed")


def test_restarts_are_seen_on_the_server_itself(
    organization: Organization, admin: Administrator, clock: Clock
) -> None:
    clock.time += timedelta(hours=2)
    for name, what in RESTARTS:
        admin.run(name, Name=what)
    (row,) = invoke(
        organization, organization.server(EX1), "Get-LocalExchangeServer", {}, ACCOUNT
    ).rows
    started = ("ServiceHostStartedUTC", "OwaPoolStartedUTC", "EcpPoolStartedUTC")
    assert {row[name] for name in started} == {row["TimeUTC"]}
    assert row["HealthManagerStartedUTC"] < row["TimeUTC"]


def test_the_directory_tells_the_proxys_date_only(
    organization: Organization, admin: Administrator
) -> None:
    (row,) = admin.run("Get-LocalPushNotificationProxy")
    assert set(row) == {"Name", "WhenChangedUTC"}
    set_fault(organization, "directory_unreadable", value=True)
    assert kind_of(admin, "Get-LocalPushNotificationProxy") == "DirectoryServicesCOMException"


def test_a_server_says_its_site_and_auth_config_its_domain_controller(
    admin: Administrator,
) -> None:
    assert admin.run("Get-ExchangeServer")[0]["Site"].endswith("/Sites/Default-First-Site-Name")
    assert auth_config(admin)["OriginatingServer"] == "dc-ex1.corp.fabrikam.com"
    (row,) = admin.run("Get-AuthConfig", DomainController="dc-ex2.corp.fabrikam.com")
    assert row["OriginatingServer"] == "dc-ex2.corp.fabrikam.com"


def test_a_dump_shows_what_was_restarted(organization: Organization) -> None:
    (first, *_) = dump(organization)["servers"]
    assert first["serviceHostStarted"] == first["owaPoolStarted"] == first["ecpPoolStarted"]
