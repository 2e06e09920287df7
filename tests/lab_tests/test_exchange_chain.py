"""The lab's probe succeeds only if every link of the chain truly holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from lab.exchange.build import add_auth_certificate, default_organization
from lab.exchange.faults import set_fault
from lab.exchange.organization import Organization
from lab.exchange.runner import administrator
from lab.exchange.texts import CULTURES
from lab.microsoft365.directory import KeyCredential
from lab.microsoft365.sample import CONTOSO, DEDICATED, FABRIKAM, principal, sample
from lab.microsoft365.world import Microsoft365

EX1, EX2 = "ex1.corp.fabrikam.com", "ex2.corp.fabrikam.com"
FIRST_PARTY = "00000002-0000-0ff1-ce00-000000000000"
URL = "https://accounts.accesscontrol.windows.net/metadata/json/1/?realm=fabrikam.com"
PROBE = r"PushNotifications.Proxy\PushNotificationsEnterpriseConnectivityProbe"

World: TypeAlias = tuple[Organization, Microsoft365]


def upload(organization: Organization, cloud: Microsoft365, app_id: str = FIRST_PARTY) -> None:
    """Put the current Auth certificate on a principal, as the operator would."""
    server = organization.server(EX1)
    held = server.store[organization.view().auth_config().current]
    holder = principal(cloud, app_id)
    holder.keys = (*holder.keys, KeyCredential.of(held.x509, "CN=operator"))


@pytest.fixture
def world() -> World:
    """An organisation in which everything is configured."""
    cloud = sample()
    organization = default_organization(microsoft365=cloud)
    admin = administrator(organization)
    admin.run("New-AuthServer", Name="MicrosoftSts", AuthMetadataUrl=URL)
    upload(organization, cloud)
    admin.run("Enable-PushNotificationProxy", Organization="fabrikam.com", Confirm=False)
    for server in (EX1, EX2):
        administrator(organization, server).run("Restart-Service", Name="MSExchangeHM")
    return organization, cloud


def probe(world: World, server: str = EX1) -> dict[str, Any]:
    admin = administrator(world[0], server)
    (row,) = admin.run("Invoke-MonitoringProbe", Identity=PROBE, Server=server)
    return row


def oauth(world: World) -> dict[str, Any]:
    target = "https://outlook.office365.com/ews/exchange.asmx"
    admin = administrator(world[0])
    (row,) = admin.run("Test-OAuthConnectivity", Service="EWS", TargetUri=target, AppOnly=True)
    return row


@pytest.mark.parametrize("server", [EX1, EX2])
def test_the_probe_succeeds_where_everything_holds(world: World, server: str) -> None:
    assert probe(world, server) == {"ResultType": "Succeeded", "Error": "", "Exception": ""}
    assert oauth(world)["ResultType"] == "Success"


def _run(name: str, **parameters: Any) -> Callable[[World], None]:
    return lambda world: void(administrator(world[0]).run(name, **parameters))


def _fault(name: str, value: Any) -> Callable[[World], None]:
    return lambda world: set_fault(world[0], name, value, EX1)


def void(_: Any) -> None:
    """Make a statement of a value."""


def _remove_keys(world: World) -> None:
    world[1].remove_keys(FABRIKAM, FIRST_PARTY)


def _remove_certificate(world: World) -> None:
    thumbprint = world[0].view().auth_config().current
    _run("Remove-ExchangeCertificate", Thumbprint=thumbprint)(world)


def _new_certificate(world: World) -> None:
    thumbprint = add_auth_certificate(world[0])
    _run("Set-AuthConfig", CertificateThumbprint=thumbprint, Force=True)(world)


BREAKS: dict[str, tuple[Callable[[World], None], str]] = {
    "the proxy is off": (_run("Disable-PushNotificationProxy", Confirm=False), "isn't enabled"),
    "the health manager is older than the proxy's last change": (
        _run("Enable-PushNotificationProxy", Organization="fabrikam.net"),
        "cached configuration",
    ),
    "the server is in maintenance": (_fault("maintenance", value=True), "ServerWideOffline"),
    "the component is off": (
        _fault("push_component_inactive", value=True),
        "PushNotificationsProxy",
    ),
    "the server lost the certificate": (_remove_certificate, "Missing signing certificate"),
    "the clock says that the certificate is over": (
        _fault("clock_skew", 3600 * 24 * 365 * 6.0),
        "Missing signing certificate",
    ),
    "the auth server is off": (
        _run("Set-AuthServer", Identity="MicrosoftSts", Enabled=False),
        "Unable to get the token from Auth Server",
    ),
    "the auth server is another tenant's": (
        _run(
            "Set-AuthServer",
            Identity="MicrosoftSts",
            AuthMetadataUrl=URL.replace("fabrikam", "contoso"),
        ),
        "Unable to get the token from Auth Server",
    ),
    "the key is not in Entra ID": (
        _remove_keys,
        "Client assertion contains an invalid signature. [Reason - The key was not found",
    ),
    "the certificate was replaced and Entra ID not told": (_new_certificate, "key was not found"),
    "the server has no way out": (_fault("outbound_blocked", value=True), "Unable to connect"),
    "the clock is an hour ahead": (_fault("clock_skew", 4000.0), "(401) Unauthorized"),
}
# names of components, and what Entra ID itself says
SAID_IN_EVERY_LANGUAGE = {
    "the server is in maintenance",
    "the component is off",
    "the key is not in Entra ID",
    "the certificate was replaced and Entra ID not told",
}


@pytest.mark.parametrize("name", BREAKS)
def test_the_probe_fails_and_says_why_when(world: World, name: str) -> None:
    broken, text = BREAKS[name]
    broken(world)
    row = probe(world)
    assert row["ResultType"] == "Failed"
    assert text in row["Error"]
    assert text in row["Exception"]


@pytest.mark.parametrize(
    ("culture", "phrase"),
    [
        ("en-US", "Not Found"),
        ("de-DE", "Nicht gefunden"),
        ("fr-FR", "Introuvable"),
        ("pt-BR", "Não Localizado"),
        ("zh-CN", "未找到"),
    ],
)
def test_the_status_of_an_endpoint_that_is_gone_is_shown(
    world: World, culture: str, phrase: str
) -> None:
    set_fault(world[0], "culture", culture)

    world[1].set_fault("push_failure", {"status": 404})
    assert f"(404) {phrase}" in probe(world)["Error"]
    assert oauth(world)["ResultType"] == "Success"


@pytest.mark.parametrize("culture", CULTURES)
@pytest.mark.parametrize("name", BREAKS)
def test_what_the_probe_says_is_in_the_language_of_the_server(
    world: World, culture: str, name: str
) -> None:
    set_fault(world[0], "culture", culture)
    broken, text = BREAKS[name]
    broken(world)
    said = probe(world)["Error"]
    assert (text in said) == (culture == "en-US" or name in SAID_IN_EVERY_LANGUAGE)


def test_the_probe_of_another_server_tells_of_that_server(world: World) -> None:
    thumbprint = world[0].view().auth_config().current
    administrator(world[0], EX2).run("Remove-ExchangeCertificate", Thumbprint=thumbprint)
    assert probe(world, EX1)["ResultType"] == "Succeeded"
    assert probe(world, EX2)["ResultType"] == "Failed"


def test_a_restarted_health_manager_knows_the_changed_proxy(world: World) -> None:
    _run("Enable-PushNotificationProxy", Organization="fabrikam.net")(world)
    assert probe(world)["ResultType"] == "Failed"
    _run("Restart-Service", Name="MSExchangeHM")(world)
    assert probe(world)["ResultType"] == "Succeeded"


def _dedicate(world: World, parameter: str = "Enabled=true") -> None:
    admin = administrator(world[0])
    url = f"https://accounts.accesscontrol.windows.net/{FABRIKAM}/metadata/json/1"
    admin.run("New-AuthServer", Name="EvoSts", AuthMetadataUrl=url, Type="AzureAD")
    admin.run("Set-AuthServer", Identity="EvoSts", ApplicationIdentifier=DEDICATED)
    admin.run(
        "New-SettingOverride",
        Name="EnableExchangeHybrid3PAppFeature",
        Component="Global",
        Section="ExchangeOnpremAsThirdPartyAppId",
        Parameters=(parameter,),
    )


def test_exchange_signs_as_the_dedicated_application_once_all_is_there(world: World) -> None:
    _dedicate(world)
    assert "key was not found" in oauth(world)["Detail"]
    upload(*world, DEDICATED)
    assert DEDICATED in oauth(world)["Detail"]


@pytest.mark.parametrize(
    "version", ["15.2.1748.23", "15.2.1544.24", "15.1.2507.54", "15.0.1497.48"]
)
def test_an_older_build_goes_on_signing_as_the_first_party(world: World, version: str) -> None:
    _dedicate(world)
    set_fault(world[0], "version", version)
    assert FIRST_PARTY in oauth(world)["Detail"]


@pytest.mark.parametrize(
    "version", ["15.2.2562.41", "15.2.1748.24", "15.2.1544.25", "15.1.2507.55"]
)
def test_a_build_with_the_update_signs_as_the_dedicated_application(
    world: World, version: str
) -> None:
    _dedicate(world)
    upload(*world, DEDICATED)
    set_fault(world[0], "version", version)
    assert DEDICATED in oauth(world)["Detail"]


def test_an_override_that_says_false_enables_nothing(world: World) -> None:
    _dedicate(world, "Enabled=false")
    assert FIRST_PARTY in oauth(world)["Detail"]


def test_the_tenant_of_the_proxy_chooses_the_auth_server(world: World) -> None:
    admin = administrator(world[0])
    url = URL.replace("fabrikam", "contoso")
    admin.run("New-AuthServer", Name="A second tenant", AuthMetadataUrl=url)
    assert probe(world)["ResultType"] == "Succeeded"
    _run("Enable-PushNotificationProxy", Organization="contoso.com")(world)
    _run("Restart-Service", Name="MSExchangeHM")(world)
    assert CONTOSO not in probe(world)["Error"]
    assert probe(world)["ResultType"] == "Failed"


def test_a_probe_may_be_missing_or_not_listed_while_the_health_manager_is_old(
    world: World,
) -> None:
    admin = administrator(world[0])
    arguments = {"Identity": "PushNotifications.Proxy", "Server": EX1}
    assert len(admin.run("Get-MonitoringItemIdentity", **arguments)) == 1
    set_fault(world[0], "stale_probe", "unlisted")
    _run("Enable-PushNotificationProxy", Organization="fabrikam.net")(world)
    assert admin.run("Get-MonitoringItemIdentity", **arguments) == []
    _run("Restart-Service", Name="MSExchangeHM")(world)
    assert len(admin.run("Get-MonitoringItemIdentity", **arguments)) == 1
    set_fault(world[0], "probe_missing", value=True, server=EX1)
    assert admin.run("Get-MonitoringItemIdentity", **arguments) == []
