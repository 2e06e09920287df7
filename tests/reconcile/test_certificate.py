"""The Auth certificate from none to one that every server signs with, as the change log has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from lab.exchange.build import add_auth_certificate, add_server
from lab.exchange.directory import AuthConfig
from lab.exchange.faults import set_fault
from lab.exchange.organization import Change
from lab.in_process import Lab, Operator, lab

pytestmark = pytest.mark.lab

EX1, EX2, EX3 = (f"ex{number}.corp.fabrikam.com" for number in (1, 2, 3))
READY = ("True", "Succeeded")
SIGNS = ("MSExchangeServiceHost", "MSExchangeOWAAppPool", "MSExchangeECPAppPool")


def three(spec: Mapping[str, Any] | None = None, *, auth_certificate: bool = True) -> Lab:
    """Three servers, all of them listed."""
    listed = {"exchange": {"servers": [{"name": name} for name in (EX1, EX2, EX3)]}}
    return lab({**listed, **(spec or {})}, auth_certificate=auth_certificate, servers=3)


def changes(outside: Lab, *names: str) -> list[Change]:
    return [change for change in outside.organization.changes if change.cmdlet in names]


def restarts(outside: Lab) -> list[tuple[str, str]]:
    """Which of what signs was restarted where, in order."""
    found = changes(outside, "Restart-Service", "Restart-WebAppPool")
    return [(c.server, c.parameters["Name"]) for c in found if c.parameters["Name"] in SIGNS]


def forget(outside: Lab, *servers: str) -> str:
    """Take the current certificate out of the stores of servers; its thumbprint."""
    current: str = outside.exchange()["authConfig"]["current"]
    for name in servers:
        del outside.organization.server(name).store[current]
    return current


def has_key(outside: Lab, server: str, thumbprint: str) -> bool:
    held = outside.organization.server(server).store.get(thumbprint)
    return held is not None and held.key is not None


# key first


@pytest.mark.parametrize("existing", [False, True], ids=["that is made", "that is there"])
def test_entra_id_has_the_key_of_a_certificate_before_it_becomes_current(existing: bool) -> None:  # noqa: FBT001 - a table
    outside = lab(auth_certificate=False)
    if existing:
        add_auth_certificate(outside.organization)
    seen: list[bool] = []

    def watch() -> None:
        current = outside.organization.view().auth_config().current
        if current and not seen:
            seen.append(current in {key["thumbprint"] for key in outside.key_credentials()})

    Operator(outside, after=watch).run()
    assert outside.condition("Ready") == READY
    assert seen == [True]


def test_a_principal_that_takes_no_key_does_not_keep_exchange_without_a_certificate() -> None:
    outside = lab(auth_certificate=False)
    outside.microsoft365.set_fault("first_party_locked", value=True)
    operator = outside.operator()
    operator.run()
    assert outside.condition("CertificateReady") == ("Unknown", "WaitsForKey")
    assert outside.condition("Stalled") == ("True", "PrincipalLocked")
    for _ in range(4):  # one for AuthConfig, one for the restarts of each server
        operator.run()
    assert outside.condition("CertificateReady") == ("True", "Valid")
    assert outside.condition("Stalled") == ("True", "PrincipalLocked")


def test_an_identity_that_may_only_read_does_not_either() -> None:
    outside = lab(auth_certificate=False)
    client = "3f2b1c8a-0000-4000-8000-6d1f7c9a5e21"
    outside.microsoft365.grant("fabrikam.com", client, ["Application.Read.All"])
    outside.operator().run()
    assert outside.condition("CertificateReady") == ("True", "Valid")
    assert outside.condition("InSync") == ("False", "AwaitingAdministrator")


def test_a_staged_certificate_is_published_and_its_key_is_there_before() -> None:
    outside = lab(auth_certificate=False)
    add_auth_certificate(outside.organization)
    staged = add_auth_certificate(outside.organization)
    effective = outside.clock().replace(month=12)
    outside.organization.view().put(AuthConfig(next=staged, next_effective=effective))
    outside.operator().run()
    assert outside.condition("Ready") == READY
    config = outside.exchange()["authConfig"]
    assert (config["current"], config["previous"], config["next"]) == (staged, "", "")


# restarts


def test_what_signs_is_restarted_on_one_server_after_the_other() -> None:
    outside = three(auth_certificate=False)
    outside.operator().run()
    assert outside.condition("Ready") == READY
    assert restarts(outside) == [(server, name) for server in (EX1, EX2, EX3) for name in SIGNS]


def test_the_next_server_waits_until_the_one_before_answers_again() -> None:
    outside = three(auth_certificate=False)

    def gone_after_its_restart() -> None:
        if len(restarts(outside)) == len(SIGNS):
            set_fault(outside.organization, "down", value=True, server=EX1)

    Operator(outside, after=gone_after_its_restart).run()
    assert {server for server, _ in restarts(outside)} == {EX1}
    assert "RestartOwed" in [advisory["type"] for advisory in outside.status["advisories"]]


def test_a_server_in_maintenance_is_left_out() -> None:
    outside = three(auth_certificate=False)
    set_fault(outside.organization, "maintenance", value=True, server=EX2)
    outside.operator().run()
    assert [server for server, _ in restarts(outside)] == [EX1] * 3 + [EX3] * 3


def test_nothing_is_restarted_where_the_user_says_never() -> None:
    outside = lab({"certificate": {"restartServices": "Never"}}, auth_certificate=False)
    outside.operator().run()
    assert restarts(outside) == []
    assert outside.condition("CertificateReady") == ("True", "Valid")
    assert "RestartOwed" in [advisory["type"] for advisory in outside.status["advisories"]]


def test_a_certificate_that_was_there_before_us_owes_nobody_a_restart() -> None:
    outside = lab()
    current = outside.organization.view().auth_config()
    changed = AuthConfig(current=current.current, when_changed=outside.clock())
    outside.clock.forward(minutes=1)
    outside.organization.view().put(changed)
    outside.operator().run()
    assert outside.condition("Ready") == READY
    assert restarts(outside) == []


def test_whoever_forgets_the_previous_certificate_has_nothing_restarted() -> None:
    outside = lab()
    operator = outside.operator()
    operator.run()
    outside.clock.forward(hours=2)
    config = outside.organization.view().auth_config()
    changed = AuthConfig(current=config.current, when_changed=outside.clock())
    outside.organization.view().put(changed)
    outside.clock.forward(minutes=10)
    operator.run()
    outside.operator().run()
    assert restarts(outside) == []


# repair


@pytest.mark.parametrize("lacking", [(EX2,), (EX1,), (EX2, EX3), (EX1, EX3)])
def test_a_certificate_that_listed_servers_lack_is_imported_there(lacking: tuple[str, ...]) -> None:
    outside = three()
    operator = outside.operator()
    operator.run()
    outside.clock.forward(hours=1)
    current = forget(outside, *lacking)
    outcomes = operator.run()
    assert outside.condition("Ready") == READY
    assert all(has_key(outside, server, current) for server in (EX1, EX2, EX3))
    copies = changes(outside, "Copy-ExchangeCertificate")
    assert [change.parameters["Server"] for change in copies] == list(lacking)
    told = [event.reason for outcome in outcomes for event in outcome.events]
    assert told.count("CertificateImported") == len(lacking)


def test_exchange_itself_is_given_a_quarter_of_an_hour() -> None:
    outside = lab(auth_certificate=False)
    set_fault(outside.organization, "distributes_key", value=False)
    operator = outside.operator()
    operator.run()
    assert outside.condition("CertificateReady") == ("Unknown", "Settling")
    assert changes(outside, "Copy-ExchangeCertificate") == []
    outside.clock.forward(minutes=15)
    operator.run()
    assert len(changes(outside, "Copy-ExchangeCertificate")) == 1
    assert outside.condition("Ready") == READY


def test_a_slow_distribution_is_waited_for_and_not_copied() -> None:
    outside = lab(auth_certificate=False)
    set_fault(outside.organization, "distribution_seconds", 600.0)
    operator = outside.operator()
    for _ in range(6):
        operator.run()
        outside.clock.forward(minutes=2)
    assert outside.condition("Ready") == READY
    assert changes(outside, "Copy-ExchangeCertificate") == []


def test_with_half_of_the_servers_down_the_others_are_mended() -> None:
    outside = three()
    outside.operator().run()
    outside.clock.forward(hours=1)
    current = forget(outside, EX2)
    set_fault(outside.organization, "down", value=True, server=EX3)
    outside.operator().run()
    assert has_key(outside, EX2, current)
    assert outside.condition("CertificateReady") == ("True", "Valid")


def test_an_unlisted_server_is_reported_and_not_written_to() -> None:
    outside = lab()
    add_server(outside.organization, "EX9")
    outside.operator().run()
    assert outside.condition("CertificateReady") == ("False", "PrivateKeyMissing")
    assert changes(outside, "Copy-ExchangeCertificate") == []


def test_a_key_that_cannot_be_exported_stops_nothing_else() -> None:
    outside = lab()
    current = forget(outside, EX2)
    store = outside.organization.server(EX1).store
    store[current] = replace(store[current], exportable=False)
    outside.operator().run()
    assert outside.condition("CertificateReady") == ("False", "PrivateKeyMissing")
    assert outside.condition("InSync") == ("False", "ChangeFailed")
    assert outside.condition("ProxyReady") == ("True", "UpToDate")
    assert outside.condition("PrincipalCredentialReady") == ("True", "UpToDate")


# never two


def test_a_process_of_a_killed_operator_that_still_makes_one_leads_to_no_second() -> None:
    outside = lab(auth_certificate=False)
    name = "New-ExchangeCertificate"
    asked: list[str] = []

    class Racing(Operator):
        def _before_exchange(self, server: str, batch: Any, changes: bool) -> None:  # noqa: FBT001 - a hook of the lab
            super()._before_exchange(server, batch, changes)
            if changes and batch[0].name == name and not asked:
                asked.append(server)
                outside.administrator(name, **dict(batch[0].parameters))

    operator = Racing(outside)
    operator.run()
    operator.run()
    assert asked == [EX1]
    assert len(changes(outside, name)) == 1
    assert outside.condition("Ready") == READY
