"""Replication lag: a pass looks where it has changed, so that it sees what it did."""

from __future__ import annotations

import pytest

from exchange_push_operator.core.domain_controller import TAKE_IT
from lab.exchange.faults import set_fault
from lab.in_process import Lab, lab

EX1, EX2 = "ex1.corp.fabrikam.com", "ex2.corp.fabrikam.com"
DC1 = "dc-ex1.corp.fabrikam.com"
DIRECTORY = ("CertificateReady", "AuthServerReady", "PrerequisitesMet")


@pytest.fixture
def outside() -> Lab:
    """A fresh organisation, whose domain controllers tell one another after ten minutes."""
    found = lab(auth_certificate=False)
    set_fault(found.organization, "replication_lag_seconds", 600)
    set_fault(found.organization, "replication_lag_looks", 2)
    return found


def test_every_change_is_seen_in_the_pass_that_makes_it(outside: Lab) -> None:
    outside.administrator("Set-PartnerApplication", Identity="Exchange Online", Enabled=False)
    operator = outside.operator()
    operator.run(most=2)  # the claim, and the pass that changes
    assert {outside.condition(name)[0] for name in DIRECTORY} == {"True"}
    made = [change.cmdlet for change in outside.organization.changes]
    assert made.count("New-AuthServer") == made.count("New-ExchangeCertificate") == 1


def test_a_change_through_another_server_is_seen_in_its_pass_too(outside: Lab) -> None:
    outside.operator().run(most=2)
    outside.clock.forward(minutes=20)
    for _ in range(3):
        outside.operator().step()
    outside.administrator("Set-AuthServer", Identity="MicrosoftSts", Enabled=False)
    set_fault(outside.organization, "maintenance", value=True, server=EX1)
    operator = outside.operator()
    operator.step()
    changed = [(server, batch) for server, batch, changes in operator.exchange.requests if changes]
    assert [server for server, _ in changed] == [EX2]
    assert DC1 in changed[0][1][0]
    assert outside.condition("AuthServerReady") == ("True", "UpToDate")


def test_one_pass_asks_one_domain_controller(outside: Lab) -> None:
    operator = outside.operator()
    operator.run()
    batches = [batch for _, batch, _ in operator.exchange.requests]
    named = {c.partition("-DomainController ")[2] for batch in batches for c in batch} - {""}
    assert named == {f"'{DC1}'"}
    later = [c for batch in batches[3:] for c in batch if c.split()[0] in TAKE_IT]
    assert any(DC1 in one for one in later)


def test_what_does_not_take_a_domain_controller_settles_and_is_not_repeated(outside: Lab) -> None:
    outside.operator().run(most=2)
    outside.clock.forward(minutes=20)
    for _ in range(3):
        outside.operator().step()
    outside.administrator("Disable-PushNotificationProxy", Confirm=False)
    set_fault(outside.organization, "maintenance", value=True, server=EX1)
    operator = outside.operator()
    operator.step()
    assert outside.condition("ProxyReady") == ("Unknown", "Settling")
    before = len(outside.organization.changes)
    operator.step()
    assert len(outside.organization.changes) == before


def test_a_domain_controller_that_goes_away_ends_the_pass_and_the_next_one_uses_another(
    outside: Lab,
) -> None:
    operator = outside.operator()
    operator.step()
    operator.exchange.after = lambda _server, _batch, changes: (
        set_fault(outside.organization, "controllers_down", [DC1]) if changes else None
    )
    operator.step()
    made = [change.cmdlet for change in outside.organization.changes]
    assert made == ["New-ExchangeCertificate"]
    outside.clock.forward(minutes=20)
    outside.operator().run()
    assert {outside.condition(name)[0] for name in DIRECTORY} == {"True"}
    made = [change.cmdlet for change in outside.organization.changes]
    assert made.count("New-ExchangeCertificate") == made.count("New-AuthServer") == 1
