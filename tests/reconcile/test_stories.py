"""Organisations as they are found in the field, from the first look to Ready."""

from __future__ import annotations

from typing import Any

import pytest

from lab.exchange.build import add_auth_certificate, add_server
from lab.exchange.directory import AuthConfig, AuthServer
from lab.exchange.faults import set_fault
from lab.exchange.runner import administrator
from lab.in_process import Lab, lab
from lab.microsoft365.sample import DEDICATED, FABRIKAM

pytestmark = pytest.mark.lab

ACS = f"https://accounts.accesscontrol.windows.net/{FABRIKAM}/metadata/json/1"
EVO_STS = f"https://login.windows.net/{FABRIKAM}/federationmetadata/2007-06/federationmetadata.xml"
DEDICATED_SPEC: dict[str, Any] = {
    "principal": {"target": "DedicatedApplication", "appId": DEDICATED}
}


def message(outside: Lab, type_: str) -> str:
    found: str = next(c["message"] for c in outside.status["conditions"] if c["type"] == type_)
    return found


def with_evo_sts(outside: Lab, application: str = DEDICATED) -> None:
    outside.organization.view().put(
        AuthServer(
            name="EvoSts - 0f7c2a54",
            type="AzureAD",
            realm=FABRIKAM,
            metadata_url=EVO_STS,
            application_identifier=application,
        )
    )


def with_override(outside: Lab, parameter: str = "Enabled=true") -> None:
    administrator(outside.organization).run(
        "New-SettingOverride",
        Name="EnableExchangeHybrid3PAppFeature",
        Component="Global",
        Section="ExchangeOnpremAsThirdPartyAppId",
        Parameters=(parameter,),
        Reason="hybrid",
    )


def test_an_auth_server_of_the_wizard_is_adopted_and_not_doubled() -> None:
    outside = lab()
    outside.administrator("New-AuthServer", Name="ACS - 0f7c2a54", AuthMetadataUrl=ACS)
    outside.operator().run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert [s["name"] for s in outside.exchange()["authServers"]] == ["ACS - 0f7c2a54"]


def test_the_later_spelling_of_the_url_is_no_drift() -> None:
    outside = lab()
    outside.administrator("New-AuthServer", Name="MicrosoftSts", AuthMetadataUrl=ACS)
    outside.operator().run()
    assert outside.condition("AuthServerReady") == ("True", "UpToDate")
    assert outside.exchange()["authServers"][0]["metadataUrl"] == ACS


def test_two_auth_servers_for_one_tenant_are_an_advisory() -> None:
    outside = lab()
    for name in ("ACS - 1", "ACS - 2"):
        outside.administrator("New-AuthServer", Name=name, AuthMetadataUrl=ACS)
    outside.operator().run()
    assert "SeveralAuthServers" in [a["type"] for a in outside.status["advisories"]]


def test_our_auth_server_that_trusts_any_certificate_is_made_to_check_them() -> None:
    outside = lab()
    outside.operator().run()
    administrator(outside.organization).run(
        "Set-AuthServer", Identity="MicrosoftSts", TrustAnySSLCertificate=True
    )
    outside.operator().run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert outside.exchange()["authServers"][0]["trustAnySslCertificate"] is False


def test_the_wizards_auth_server_that_trusts_any_certificate_is_not_rewritten() -> None:
    outside = lab()
    administrator(outside.organization).run(
        "New-AuthServer", Name="ACS - 1", AuthMetadataUrl=ACS, TrustAnySSLCertificate=True
    )
    outside.operator().run()
    assert outside.condition("AuthServerReady") == ("False", "TrustsAnyCertificate")
    (server,) = outside.exchange()["authServers"]
    assert (server["name"], server["trustAnySslCertificate"]) == ("ACS - 1", True)


@pytest.mark.parametrize("culture", ["en-US", "de-DE"])
def test_exchange_that_cannot_download_the_metadata_itself_is_a_reason_of_its_own(
    culture: str,
) -> None:
    outside = lab()
    set_fault(outside.organization, "culture", culture)
    set_fault(outside.organization, "outbound_blocked", value=True)
    operator = outside.operator()
    operator.run()
    assert outside.condition("AuthServerReady") == ("False", "MetadataDownloadFailed")
    assert outside.condition("InSync") == ("False", "ChangeFailed")
    assert "InternetWebProxy" in message(outside, "AuthServerReady")
    told = outside.status
    outside.clock.forward(minutes=10)
    operator.step()
    assert outside.status == told
    set_fault(outside.organization, "outbound_blocked", value=False)
    operator.run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert len(outside.exchange()["authServers"]) == 1


def test_metadata_of_another_tenant_is_refused_before_it_is_trusted() -> None:
    url = "https://accounts.accesscontrol.windows.net/metadata/json/1/?realm=contoso.com"
    outside = lab({"tenant": {"tenantId": FABRIKAM}, "authServer": {"metadataUrl": url}})
    outside.operator().run()
    assert outside.condition("Stalled") == ("True", "TenantMismatch")
    assert outside.organization.changes == []


def test_a_next_certificate_is_shown_and_its_key_uploaded_whoever_staged_it() -> None:
    outside = lab()
    current = outside.exchange()["authConfig"]["current"]
    coming = add_auth_certificate(outside.organization)
    effective = outside.clock().replace(month=12)
    outside.organization.view().put(
        AuthConfig(current=current, next=coming, next_effective=effective)
    )
    outside.operator().run()
    assert outside.status["certificate"]["next"]["thumbprint"] == coming
    assert outside.status["certificate"]["next"]["effectiveDate"] == "2026-12-21T09:00:00Z"
    assert {current, coming} <= {key["thumbprint"] for key in outside.key_credentials()}


def test_an_existing_certificate_is_assigned_rather_than_a_new_one_made() -> None:
    outside = lab(auth_certificate=False)
    existing = add_auth_certificate(outside.organization)
    outside.operator().run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert outside.exchange()["authConfig"]["current"] == existing
    assert "New-ExchangeCertificate" not in [c.cmdlet for c in outside.organization.changes]


def test_of_several_certificates_the_user_names_one() -> None:
    outside = lab(auth_certificate=False)
    first, second = (add_auth_certificate(outside.organization) for _ in range(2))
    operator = outside.operator()
    operator.run()
    assert outside.condition("CertificateReady") == ("False", "SeveralCertificates")
    assert first in message(outside, "CertificateReady")
    outside.edit({"certificate": {"thumbprint": second}})
    operator.run()
    assert outside.exchange()["authConfig"]["current"] == second


def test_a_named_certificate_that_nobody_has_is_said_to_be_missing() -> None:
    outside = lab({"certificate": {"thumbprint": "A" * 40}}, auth_certificate=False)
    outside.operator().run()
    assert outside.condition("CertificateReady") == ("False", "NotFound")


def test_auth_config_may_name_what_no_server_has() -> None:
    outside = lab(auth_certificate=False)
    outside.organization.view().put(AuthConfig(current="B" * 40))
    outside.operator().run()
    assert outside.condition("CertificateReady") == ("False", "NotFound")
    assert outside.condition("PrincipalCredentialReady") == ("Unknown", "WaitsForCertificate")


def test_with_every_server_in_maintenance_nothing_is_changed() -> None:
    outside = lab()
    set_fault(outside.organization, "maintenance", value=True)
    outside.operator().run()
    assert [c for c in outside.organization.changes if c.cmdlet != "Set-ServerComponentState"] == []
    assert outside.status["serversReady"] == "0/2"


def test_the_dedicated_application_gets_the_key_and_the_shared_principal_does_not() -> None:
    outside = lab(DEDICATED_SPEC)
    outside.microsoft365.set_fault("accept_dedicated_application", value=True)
    with_evo_sts(outside)
    with_override(outside)
    outside.operator().run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert len(outside.key_credentials()) == 1
    assert "SharedPrincipalDeprecated" not in [a["type"] for a in outside.status["advisories"]]


@pytest.mark.parametrize(
    ("application", "override", "words"),
    [
        (None, "Enabled=true", "EvoSts"),
        ("11111111-2222-4333-8444-555555555555", "Enabled=true", "Set-AuthServer"),
        (DEDICATED, None, "New-SettingOverride"),
        (DEDICATED, "Enabled=false", "New-SettingOverride"),
    ],
    ids=["no EvoSts", "another application", "no override", "the override says false"],
)
def test_a_dedicated_application_that_exchange_does_not_use_gets_no_key(
    application: str | None, override: str | None, words: str
) -> None:
    outside = lab(DEDICATED_SPEC)
    if application:
        with_evo_sts(outside, application)
    if override:
        with_override(outside, override)
    outside.operator().run()
    assert outside.condition("PrerequisitesMet") == ("False", "DedicatedApplicationNotEnabled")
    assert words in message(outside, "PrerequisitesMet")
    assert outside.key_credentials() == []


@pytest.mark.parametrize("ready", [False, True], ids=["not enabled", "enabled"])
def test_nor_does_a_staged_certificate_before_exchange_signs_as_the_application(
    ready: bool,  # noqa: FBT001 - a table
) -> None:
    outside = lab(DEDICATED_SPEC)
    current = outside.exchange()["authConfig"]["current"]
    coming = add_auth_certificate(outside.organization)
    effective = outside.clock().replace(month=12)
    outside.organization.view().put(
        AuthConfig(current=current, next=coming, next_effective=effective)
    )
    with_evo_sts(outside)
    if ready:
        with_override(outside)
    outside.operator().run()
    held = {key["thumbprint"] for key in outside.key_credentials()}
    assert held == ({current, coming} if ready else set())


def test_an_unlisted_server_whose_hotfix_update_is_unknown_keeps_the_key_away() -> None:
    outside = lab(DEDICATED_SPEC)
    with_evo_sts(outside)
    with_override(outside)
    cu23 = add_server(outside.organization, "EX9", version="15.1.2507.55", display="15.1.2507.6")
    current = outside.exchange()["authConfig"]["current"]
    cu23.add(next(iter(outside.organization.servers.values())).store[current])
    operator = outside.operator()
    operator.run()
    assert outside.condition("PrerequisitesMet") == ("Unknown", "NotObserved")
    assert outside.key_credentials() == []
    names = [{"name": f"ex{number}.corp.fabrikam.com"} for number in (1, 2, 9)]
    outside.edit({**DEDICATED_SPEC, "exchange": {"servers": names}})
    operator.run()
    assert outside.condition("PrerequisitesMet") == ("True", "Met")
    assert len(outside.key_credentials()) == 1


def test_exchange_2013_can_never_use_a_dedicated_application() -> None:
    outside = lab(DEDICATED_SPEC)
    set_fault(outside.organization, "version", "15.0.1497.2")
    outside.operator().run()
    assert "too old" in message(outside, "PrerequisitesMet")


def test_the_shared_principal_is_refused_where_the_dedicated_application_is_in_use() -> None:
    outside = lab()
    with_evo_sts(outside)
    made = len(outside.organization.changes)
    outside.operator().run()
    assert outside.condition("Stalled") == ("True", "DedicatedApplicationInUse")
    assert len(outside.organization.changes) == made


def test_an_application_that_does_not_exist_is_named() -> None:
    missing = "99999999-2222-4333-8444-555555555555"
    outside = lab({"principal": {"target": "DedicatedApplication", "appId": missing}})
    outside.policy["namespaces"]["exchange"]["principals"].append(missing)
    with_evo_sts(outside, missing)
    with_override(outside)
    outside.operator().run()
    assert outside.condition("PrincipalCredentialReady") == ("False", "PrincipalNotFound")
    assert "spec.principal.appId" in message(outside, "PrincipalCredentialReady")


def test_an_unmanaged_proxy_is_verified_by_the_token_alone() -> None:
    outside = lab({"proxy": {"state": "Unmanaged"}})
    operator = outside.operator()
    operator.run()
    assert outside.condition("Verified") == ("True", "ProbeSucceeded")
    asked = [text for _, batch, _ in operator.exchange.requests for text in batch]
    assert any(text.startswith("Test-OAuthConnectivity") for text in asked)
    assert outside.exchange()["proxy"]["enabled"] is False


def test_a_stored_end_before_the_certificates_is_an_advisory() -> None:
    outside = lab()
    outside.microsoft365.set_fault("one_year_storage", value=True)
    outside.operator().run()
    assert "KeyEndsBeforeCertificate" in [a["type"] for a in outside.status["advisories"]]
    assert outside.status["principalCredential"]["endDateTime"] < "2028"


def test_an_unlisted_health_manager_that_is_old_is_restarted_too() -> None:
    outside = lab()
    set_fault(outside.organization, "stale_probe", "unlisted")
    outside.operator().run()
    assert outside.condition("Verified") == ("True", "ProbeSucceeded")


def test_the_health_manager_is_left_alone_where_the_user_says_so() -> None:
    outside = lab({"verification": {"restartHealthManager": "Never"}})
    outside.operator().run()
    assert "Restart-Service" not in [c.cmdlet for c in outside.organization.changes]
    assert outside.condition("Verified") == ("False", "ProbeFailed")


def test_replication_lag_makes_no_duplicates() -> None:
    outside = lab(auth_certificate=False)
    set_fault(outside.organization, "replication_lag_seconds", 30)
    operator = outside.operator()
    for _ in range(12):
        operator.step()
        outside.clock.forward(seconds=10)
    assert outside.condition("Ready") == ("True", "Succeeded")
    made = [c.cmdlet for c in outside.organization.changes]
    assert made.count("New-ExchangeCertificate") == 1
    assert made.count("New-AuthServer") == 1


def test_a_change_whose_answer_is_lost_again_and_again_is_not_said_to_be_made() -> None:
    outside = lab()
    operator = outside.operator()
    set_fault(outside.organization, "stuck_cmdlet", "New-AuthServer")
    operator.run()
    assert outside.condition("AuthServerReady") == ("Unknown", "Settling")
    assert "outcome not known" in message(outside, "AuthServerReady")
    assert "outcome not known" in message(outside, "InSync")
    assert message(outside, "AuthServerReady") == message(outside, "Ready")


def test_where_every_server_asks_for_patience_that_is_what_is_said() -> None:
    outside = lab()
    set_fault(outside.organization, "quota", value=True)
    outcomes = outside.operator().run(most=2)
    assert outside.condition("Ready") == ("Unknown", "Throttled")
    assert outcomes[-1].requeue.kind == "retry"
