"""The safety rules, a test each and more; docs/safety.md lists them.

Rule 5 (killed at any moment) is test_crash.py.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from exchange_push_operator.core import organization as exchange
from exchange_push_operator.core.commands import cmdlet
from exchange_push_operator.core.conflict import Peer
from exchange_push_operator.core.errors import Refused
from exchange_push_operator.core.plan import Step
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.safety import check_cmdlet
from lab.exchange.build import add_auth_certificate, add_server
from lab.exchange.directory import AuthConfig
from lab.exchange.faults import set_fault
from lab.in_process import OLDER, PASSWORD, Lab, Operator, lab
from lab.microsoft365.sample import SECRET

pytestmark = pytest.mark.lab


def cmdlets(outside: Lab) -> list[str]:
    """The changes that were made to Exchange, by name."""
    return [change.cmdlet for change in outside.organization.changes]


def patches(outside: Lab) -> int:
    """How often the directory was written to."""
    return sum("PATCH" in line for line in outside.microsoft365.requests())


def assert_untouched(outside: Lab) -> None:
    assert cmdlets(outside) == []
    assert patches(outside) == 0


def test_rule_01_a_valid_auth_certificate_is_never_replaced() -> None:
    outside = lab()
    before = outside.exchange()["authConfig"]
    outside.operator().run()
    assert outside.condition("CertificateReady") == ("True", "Valid")
    assert outside.exchange()["authConfig"] == before
    assert not {"Set-AuthConfig", "New-ExchangeCertificate"} & set(cmdlets(outside))


def test_rule_01_not_even_an_expired_one_is_replaced_by_policy_adopt() -> None:
    outside = lab(auth_certificate=False)
    expired = add_auth_certificate(
        outside.organization,
        start=outside.clock() - timedelta(days=400),
        lifetime=timedelta(days=365),
    )
    outside.organization.view().put(AuthConfig(current=expired))
    outside.operator().run()
    assert outside.condition("CertificateReady") == ("False", "Expired")
    assert not {"Set-AuthConfig", "New-ExchangeCertificate"} & set(cmdlets(outside))


@pytest.mark.parametrize(
    "command",
    [
        cmdlet("Set-AuthConfig", CertificateThumbprint="A" * 40, Force=True),
        cmdlet("New-ExchangeCertificate", Services="None"),
    ],
    ids=lambda command: command.name,
)
def test_rule_01_holds_even_if_a_stage_planned_otherwise(command: Any) -> None:
    with pytest.raises(Refused) as refusal:
        check_cmdlet(Step("", "", "", command), exchange.AuthConfig("B" * 40, None, None, None))
    assert refusal.value.reason is Reason.CHANGE_REFUSED


def test_rule_02_what_could_not_be_observed_is_unknown_and_nothing_is_planned_on_it() -> None:
    outside = lab()
    set_fault(outside.organization, "proxy_look", "nothing")
    outside.operator().run()
    assert outside.condition("ProxyReady") == ("Unknown", "NotObserved")
    assert "Enable-PushNotificationProxy" not in cmdlets(outside)


def test_rule_02_no_answer_at_all_is_not_absence() -> None:
    outside = lab(auth_certificate=False)
    set_fault(outside.organization, "down", value=True)
    outside.operator().run()
    assert outside.condition("Ready") == ("Unknown", "Unreachable")
    assert_untouched(outside)


def test_rule_03_foreign_keys_stay_as_they_were() -> None:
    outside = lab()
    before = outside.key_credentials()
    outside.operator().run()
    after = outside.key_credentials()
    assert len(after) == len(before) + 1
    assert [key for key in after if key in before] == before


def test_rule_03_an_auth_server_of_another_tenant_is_not_touched() -> None:
    outside = lab()
    outside.administrator(
        "New-AuthServer",
        Name="MicrosoftSts",
        AuthMetadataUrl="https://accounts.accesscontrol.windows.net/metadata/json/1/?realm=contoso.com",
        Confirm=False,
    )
    before = outside.exchange()["authServers"]
    outside.operator().run()
    assert outside.condition("AuthServerReady") == ("False", "OtherTenant")
    assert outside.exchange()["authServers"] == before


def test_rule_03_a_rival_between_reading_and_writing_loses_no_key() -> None:
    outside = lab()
    before = outside.key_credentials()
    outside.microsoft365.set_fault("rival", 2)
    outside.operator().run()
    after = outside.key_credentials()
    assert all(key in after for key in before)
    assert len(after) == len(before) + 2 + 1  # two of the rival's, one of ours
    assert outside.condition("PrincipalCredentialReady") == ("True", "UpToDate")


def test_rule_04_the_transport_certificate_is_the_same_before_and_after() -> None:
    outside = lab(auth_certificate=False)
    before = outside.outside()["transport"]
    outside.operator().run()
    assert "New-ExchangeCertificate" in cmdlets(outside)
    assert outside.outside()["transport"] == before


def test_rule_04_a_transport_role_that_was_taken_is_given_back_even_after_a_crash() -> None:
    outside = lab(auth_certificate=False)
    set_fault(outside.organization, "creation_takes_transport", value=True)
    before = outside.outside()["transport"]

    def crash() -> None:
        if "New-ExchangeCertificate" in cmdlets(outside):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Operator(outside, after=crash).run()
    assert outside.outside()["transport"] != before
    outside.operator().run()
    assert outside.outside()["transport"] == before
    assert outside.condition("Ready") == ("True", "Succeeded")


def test_rule_04_no_certificate_is_made_where_the_transport_role_cannot_be_seen() -> None:
    outside = lab(auth_certificate=False)
    set_fault(outside.organization, "transport_unreadable", value=True)
    outside.operator().run()
    assert outside.condition("CertificateReady") == ("Unknown", "NotObserved")
    assert "New-ExchangeCertificate" not in cmdlets(outside)


@pytest.mark.parametrize("fault", ["die_before_change", "die_after_change"])
def test_rule_06_a_change_of_unknown_outcome_is_looked_at_before_it_is_repeated(
    fault: str,
) -> None:
    outside = lab(auth_certificate=False)
    set_fault(outside.organization, fault, 1)
    operator = outside.operator()
    operator.run()
    outside.clock.forward(minutes=6)  # it might still be in the making on the server
    operator.run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert cmdlets(outside).count("New-ExchangeCertificate") == 1
    assert cmdlets(outside).count("New-AuthServer") == 1


def test_rule_06_a_lost_answer_of_entra_id_makes_no_second_key() -> None:
    outside = lab()
    outside.microsoft365.set_fault("reset_after_patch", 1)
    outside.operator().run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert len(outside.key_credentials()) == 2
    assert patches(outside) == 1


def test_rule_07_the_older_resource_of_an_organisation_wins() -> None:
    outside = lab()
    outside.peers = [OLDER]
    outside.operator().run()
    assert outside.condition("Stalled") == ("True", "ConflictingConfig")
    assert outside.condition("Ready") == ("False", "ConflictingConfig")
    assert_untouched(outside)


@pytest.mark.parametrize(
    "peer",
    [
        replace(OLDER, created="2030-01-01T00:00:00Z"),
        replace(OLDER, organization_id=None),
        replace(OLDER, organization_id="11111111-2222-4333-8444-555555555555"),
    ],
    ids=["younger", "not signed in yet", "of another organisation"],
)
def test_rule_07_no_other_resource_stands_in_the_way(peer: Peer) -> None:
    outside = lab()
    outside.peers = [peer]
    outside.operator().run()
    assert outside.condition("Ready") == ("True", "Succeeded")


def test_rule_07_nothing_is_written_before_the_organisation_is_known_to_the_others() -> None:
    outside = lab()
    outside.operator().step()
    assert outside.status["organizationId"] == OLDER.organization_id
    assert_untouched(outside)


def test_rule_07_the_younger_one_takes_over_when_the_older_one_is_gone() -> None:
    outside = lab()
    outside.peers = [OLDER]
    operator = outside.operator()
    operator.run()
    outside.peers = []
    operator.run()
    assert outside.condition("Ready") == ("True", "Succeeded")


def test_rule_08_no_secret_reaches_status_events_or_changes() -> None:
    outside = lab(auth_certificate=False)
    outcomes = outside.operator().run()
    told = json.dumps(outside.status) + repr(outcomes)
    key = outside.secrets["fabrikam-entra"]["tls.key"].decode()
    for secret in (PASSWORD, SECRET, key.splitlines()[3]):
        assert secret not in told


def test_rule_08_an_access_does_not_show_its_password() -> None:
    outside = lab()
    operator = outside.operator()
    operator.run()
    assert PASSWORD not in repr(operator.accesses)


def test_rule_09_an_empty_policy_allows_nothing_and_no_secret_is_read() -> None:
    outside = lab()
    outside.policy = {}
    outside.secrets = {}  # reading one would stall with SecretNotFound instead
    outside.operator().run()
    assert outside.condition("Stalled") == ("True", "NotAllowedByPolicy")
    assert_untouched(outside)


@pytest.mark.parametrize("rule", ["exchangeHosts", "tenantIds", "principals"])
def test_rule_09_each_rule_of_the_policy_counts(rule: str) -> None:
    outside = lab()
    rules = outside.policy["namespaces"]["exchange"]
    outside.policy = {"namespaces": {"exchange": {**rules, rule: []}}}
    outside.secrets = {}
    outside.operator().run()
    assert outside.condition("Ready") == ("False", "NotAllowedByPolicy")


def test_rule_09_the_policy_is_checked_before_every_write() -> None:
    outside = lab()

    def withdraw() -> None:
        if cmdlets(outside):
            outside.policy = {}

    Operator(outside, after=withdraw).run()
    assert len(cmdlets(outside)) == 1
    assert outside.condition("Stalled") == ("True", "NotAllowedByPolicy")


def test_rule_10_observe_changes_nothing_and_says_what_it_would_do() -> None:
    outside = lab({"managementPolicy": "Observe"}, auth_certificate=False)
    outside.operator().run()
    assert_untouched(outside)
    assert outside.condition("Ready") == ("True", "ObservationSucceeded")
    assert outside.condition("InSync") == ("False", "DriftDetected")
    assert [c["command"].split()[0] for c in outside.status["plannedChanges"]] == [
        "New-ExchangeCertificate",
        "New-AuthServer",
        "Enable-PushNotificationProxy",
        "Restart-Service",
        "Restart-Service",
    ]


def test_rule_10_read_only_changes_nothing() -> None:
    outside = lab()
    Operator(outside, read_only=True).run()
    assert_untouched(outside)
    assert outside.condition("InSync") == ("False", "DriftDetected")


@pytest.mark.parametrize("how", ["field", "annotation"])
def test_rule_10_suspended_makes_no_remote_call_at_all(how: str) -> None:
    outside = lab({"suspend": how == "field"})
    if how == "annotation":
        outside.resource["metadata"]["annotations"] = {"exchangepush.dev/suspended": "true"}
    operator = outside.operator()
    operator.run()
    assert operator.exchange.calls == 0
    assert outside.microsoft365.requests() == ()
    assert outside.condition("Ready") == ("Unknown", "Suspended")


def test_rule_11_retain_needs_no_finalizer_and_leaves_everything() -> None:
    outside = lab()
    outside.operator().run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert "finalizers" not in outside.resource["metadata"]
    before = outside.outside()
    outside.resource["metadata"]["deletionTimestamp"] = "2026-11-21T10:00:00Z"
    outside.operator().run()
    assert outside.deleted
    assert outside.outside() == before


def test_rule_11_disable_switches_the_proxy_off_and_keeps_the_key_that_is_in_use() -> None:
    outside = lab({"deletionPolicy": "Disable"})
    outside.operator().run()
    keys = outside.key_credentials()
    outside.resource["metadata"]["deletionTimestamp"] = "2026-11-21T10:00:00Z"
    outside.operator().run()
    assert outside.deleted
    assert outside.exchange()["proxy"]["enabled"] is False
    assert outside.key_credentials() == keys


def test_rule_11_disable_takes_our_key_back_once_its_certificate_is_named_nowhere() -> None:
    outside = lab({"deletionPolicy": "Disable"})
    outside.operator().run()
    ours = [
        key
        for key in outside.key_credentials()
        if "exchange-push-operator" in (key["displayName"] or "")
    ]
    for _ in range(2):  # the first makes ours the previous one, the second forgets it
        outside.administrator(
            "Set-AuthConfig",
            CertificateThumbprint=add_auth_certificate(outside.organization),
            Force=True,
            Confirm=False,
        )
    outside.resource["metadata"]["deletionTimestamp"] = "2026-11-21T10:00:00Z"
    outside.operator().run()
    assert outside.deleted
    assert len(ours) == 1
    assert ours[0] not in outside.key_credentials()
    assert len(outside.key_credentials()) == 1


def test_rule_12_an_unseen_server_stops_the_making_of_a_certificate() -> None:
    outside = lab(auth_certificate=False)
    add_server(outside.organization, "EX9")
    set_fault(outside.organization, "rpc_down", value=True, server="ex9.corp.fabrikam.com")
    outside.operator().run()
    assert outside.condition("CertificateReady") == ("Unknown", "Unreachable")
    assert "New-ExchangeCertificate" not in cmdlets(outside)


def test_rule_12_an_unlisted_server_is_looked_at_through_a_listed_one() -> None:
    outside = lab()
    add_server(outside.organization, "EX9")
    outside.operator().run()
    assert outside.condition("CertificateReady") == ("False", "PrivateKeyMissing")
    types = [advisory["type"] for advisory in outside.status["advisories"]]
    assert "UnlistedServers" in types


def test_rule_12_an_unseen_server_never_stops_a_repair() -> None:
    outside = lab()
    operator = outside.operator()
    operator.run()
    set_fault(outside.organization, "down", value=True, server="ex2.corp.fabrikam.com")
    outside.administrator("Disable-PushNotificationProxy", Confirm=False)
    operator.run()
    assert outside.exchange()["proxy"]["enabled"] is True
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert outside.status["serversReady"] == "1/2"
