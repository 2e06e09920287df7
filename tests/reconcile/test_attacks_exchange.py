"""What odd clocks, services that stay down and other hands must not make of Exchange."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from exchange_push_operator.core.commands import Cmdlet
from lab.exchange.build import add_auth_certificate
from lab.exchange.directory import AuthConfig
from lab.exchange.faults import set_fault
from lab.in_process import BY_SECRET, Lab, Operator, lab

pytestmark = pytest.mark.lab

EX1, EX2, EX3 = (f"ex{number}.corp.fabrikam.com" for number in (1, 2, 3))
THREE: dict[str, Any] = {"exchange": {"servers": [{"name": name} for name in (EX1, EX2, EX3)]}}


def cmdlets(outside: Lab) -> list[str]:
    return [change.cmdlet for change in outside.organization.changes]


def sent(operator: Operator, name: str) -> list[str]:
    """The servers that a change was sent to, whether or not it worked."""
    return [
        server
        for server, batch, changes in operator.exchange.requests
        for text in batch
        if changes and text.startswith(name)
    ]


# clocks


def test_a_server_clock_that_is_ahead_makes_no_second_certificate() -> None:
    outside = lab(auth_certificate=False)
    set_fault(outside.organization, "clock_skew", 200)
    outside.operator().run(2)  # one life makes it, and dies
    operator = outside.operator()
    operator.step()
    assert sent(operator, "New-ExchangeCertificate") == []
    assert outside.condition("CertificateReady") == ("False", "NotYetValid")
    outside.clock.forward(seconds=300)
    operator.run()
    assert cmdlets(outside).count("New-ExchangeCertificate") == 1
    assert outside.condition("CertificateReady") == ("True", "Valid")


def test_an_operator_whose_clock_is_behind_makes_no_certificate_beside_a_valid_one() -> None:
    outside = lab(BY_SECRET, auth_certificate=False)
    theirs = add_auth_certificate(outside.organization)
    outside.clock.now -= timedelta(days=400)
    outside.operator().run()
    assert cmdlets(outside).count("New-ExchangeCertificate") == 0
    assert theirs in message(outside, "CertificateReady")


def message(outside: Lab, type_: str) -> str:
    found: str = next(c["message"] for c in outside.status["conditions"] if c["type"] == type_)
    return found


@pytest.mark.parametrize("lives", ["one life", "a life for each pass"])
def test_a_health_manager_is_restarted_once_though_its_clock_is_behind(lives: str) -> None:
    outside = lab()
    set_fault(outside.organization, "clock_skew", -400)
    set_fault(outside.organization, "probe_missing", value=True)  # so that it never succeeds
    operator, restarts = outside.operator(), []
    for _ in range(12):
        operator.step()
        restarts += sent(operator, "Restart-Service")
        operator.exchange.requests.clear()
        outside.clock.forward(minutes=2)
        operator = operator if lives == "one life" else outside.operator()
    assert restarts == [EX1, EX2]
    assert outside.condition("InSync") == ("True", "NoDrift")


# services that stay down


def test_a_health_manager_that_stays_down_is_the_only_one() -> None:
    outside = lab(THREE, servers=3)
    set_fault(outside.organization, "health_manager_broken", value=True)
    operator = outside.operator()
    for _ in range(10):
        operator.step()
        outside.clock.forward(minutes=7)
    assert sent(operator, "Restart-Service") == [EX1]
    assert outside.condition("Verified") == ("False", "HealthManagerStopped")
    assert message(outside, "Verified").startswith(f"{EX1}: ")


def test_a_signing_service_that_stays_down_is_the_only_one() -> None:
    outside = lab(THREE, servers=3, auth_certificate=False)

    def stays_down() -> None:
        last = outside.organization.changes[-1:]
        if last and last[0].parameters.get("Name") == "MSExchangeServiceHost":
            outside.organization.server(last[0].server).service_host_started = None

    operator = Operator(outside, after=stays_down)
    for _ in range(6):
        operator.step()
        outside.clock.forward(minutes=7)
    assert sent(operator, "Restart-Service -Name 'MSExchangeServiceHost'") == [EX1]
    assert outside.condition("CertificateReady") == ("False", "ServicesStale")
    assert message(outside, "CertificateReady").startswith(f"{EX1}: MSExchangeServiceHost is not")


def test_a_health_manager_that_cannot_be_restarted_is_not_tried_for_ever() -> None:
    outside = lab()
    set_fault(outside.organization, "probe_missing", value=True)
    set_fault(outside.organization, "failing_cmdlet", "Restart-Service")
    operator = outside.operator()
    for _ in range(20):
        operator.step()
        outside.clock.forward(minutes=2)
    assert len(sent(operator, "Restart-Service")) == 2
    assert outside.condition("InSync") == ("False", "Contended")


# other hands


def test_a_certificate_that_somebody_stages_meanwhile_is_not_published() -> None:
    outside = lab(auth_certificate=False)
    first, second = (add_auth_certificate(outside.organization) for _ in range(2))
    effective = outside.clock() + timedelta(days=30)
    outside.organization.view().put(AuthConfig(next=first, next_effective=effective))
    operator = outside.operator()

    def right_before_the_change(_server: str, batch: Any, _changes: bool) -> None:  # noqa: FBT001 - a hook of the lab
        if [look.name for look in batch] == ["Get-AuthConfig"] and "seen" not in met:
            met.append("seen")
            outside.organization.view().put(AuthConfig(next=second, next_effective=effective))

    met: list[str] = []
    operator.exchange.before = right_before_the_change
    operator.run(2)
    assert met == ["seen"]
    keys = {key["thumbprint"] for key in outside.key_credentials()}
    assert outside.exchange()["authConfig"]["current"] in {"", *keys}
    operator.run()
    assert outside.exchange()["authConfig"]["current"] == second


def test_nothing_is_sent_once_the_resource_has_been_edited() -> None:
    outside = lab(auth_certificate=False)
    keys = outside.key_credentials()
    operator = outside.operator()
    operator.step()
    operator.memory.superseded = lambda: "New-ExchangeCertificate" in cmdlets(outside)  # suspend
    operator.step()
    assert cmdlets(outside) == ["New-ExchangeCertificate"]
    assert outside.key_credentials() == keys


def test_a_server_that_takes_no_certificate_keeps_the_next_one_from_none() -> None:
    outside = lab(THREE, servers=3)
    outside.operator().run()
    current = outside.exchange()["authConfig"]["current"]
    for name in (EX2, EX3):
        del outside.organization.server(name).store[current]
    set_fault(outside.organization, "rpc_down", value=True, server=EX2)
    outside.clock.forward(hours=2)
    outside.operator().run()
    assert current in outside.organization.server(EX3).store
    assert outside.condition("InSync") == ("False", "ChangeFailed")


def test_what_was_edited_while_the_servers_were_asked_once_more_is_not_changed() -> None:
    """Right before a certificate is made every server is asked again; that takes its time."""
    outside = lab(BY_SECRET, auth_certificate=False)
    operator = outside.operator()
    operator.step()
    asked: list[str] = []

    def note(server: str, batch: Sequence[Cmdlet], _changes: bool) -> None:  # noqa: FBT001 - a hook of the lab
        asked.extend([server] if [one.name for one in batch] == ["Get-AuthConfig"] else [])

    operator.exchange.before = note
    operator.memory.superseded = lambda: len(asked) > 1
    operator.step()
    assert len(asked) > 1
    assert "New-ExchangeCertificate" not in cmdlets(outside)
