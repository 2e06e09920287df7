"""Servers of every age and role, in whatever state they are found."""

from __future__ import annotations

import pytest

from exchange_push_operator.core.config import EXCHANGE_ONLINE
from lab.exchange.build import add_server
from lab.exchange.directory import PartnerApplication
from lab.exchange.faults import set_fault
from lab.in_process import Lab, lab

pytestmark = pytest.mark.lab

SITE = "site Default-First-Site-Name"
EX1, EX2 = "ex1.corp.fabrikam.com", "ex2.corp.fabrikam.com"


def message(outside: Lab, type_: str) -> str:
    found: str = next(c["message"] for c in outside.status["conditions"] if c["type"] == type_)
    return found


def advisory(outside: Lab, type_: str) -> str:
    told = {a["type"]: a["message"] for a in outside.status["advisories"]}
    return str(told.get(type_, ""))


def test_an_unlisted_server_that_is_too_old_stops_every_change() -> None:
    outside = lab()
    add_server(outside.organization, "EX9", version="15.0.712.24")
    outside.operator().run()
    assert outside.condition("PrerequisitesMet") == ("False", "ServerTooOld")
    assert "ex9.corp.fabrikam.com (Exchange 2013, 15.0.712.24)" in message(outside, "Ready")
    assert outside.organization.changes == []


def test_edge_servers_and_exchange_2010_are_named_and_left_out() -> None:
    outside = lab()
    add_server(outside.organization, "EDGE1", roles=frozenset({"Edge"}))
    add_server(outside.organization, "OLD1", version="14.3.123.4")
    outside.operator().run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    told = advisory(outside, "ServersLeftOut")
    assert told.startswith(f"edge1.corp.fabrikam.com (Edge Transport, {SITE}), ")
    assert f", old1.corp.fabrikam.com (Exchange 2010, {SITE}): neither" in told
    assert advisory(outside, "UnlistedServers") == ""


def test_other_partner_applications_stay_as_they_are() -> None:
    outside = lab()
    others = [
        PartnerApplication("SharePoint", "00000003-0000-0ff1-ce00-000000000000", enabled=False),
        PartnerApplication("Exchange Online elsewhere", EXCHANGE_ONLINE, realm="x", enabled=False),
    ]
    for other in others:
        outside.organization.view().put(other)
    outside.administrator("Set-PartnerApplication", Identity="Exchange Online", Enabled=False)
    outside.operator().run()
    enabled = {p["name"]: p["enabled"] for p in outside.exchange()["partnerApplications"]}
    assert enabled == {
        "Exchange Online": True,
        "SharePoint": False,
        "Exchange Online elsewhere": False,
    }


def test_a_component_that_somebody_switched_off_is_named_with_its_cure_and_not_touched() -> None:
    outside = lab()
    set_fault(outside.organization, "push_component_inactive", value=True, server=EX2)
    outside.operator().run()
    assert outside.condition("Verified") == ("False", "ComponentInactive")
    assert message(outside, "Verified").startswith(f"{EX2}: the component PushNotificationsProxy")
    assert "Set-ServerComponentState" not in [c.cmdlet for c in outside.organization.changes]
    set_fault(outside.organization, "push_component_inactive", value=False)
    outside.clock.forward(minutes=10)
    outside.operator().run()
    assert outside.condition("Ready") == ("True", "Succeeded")


@pytest.mark.parametrize("seconds", [-700, 700])
def test_a_clock_that_is_off_is_told_without_a_number_that_moves(seconds: int) -> None:
    outside = lab()
    operator = outside.operator()
    operator.run()
    set_fault(outside.organization, "clock_skew", seconds, server=EX2)
    operator.step()
    told = advisory(outside, "ClockSkew")
    assert told.startswith(f"{EX2}: ")
    set_fault(outside.organization, "clock_skew", seconds * 2, server=EX2)
    operator.step()
    assert advisory(outside, "ClockSkew") == told


def test_a_server_that_cannot_say_how_it_is_is_left_alone() -> None:
    """It takes sign-ins, but its services have only begun to start."""
    outside = lab()
    operator = outside.operator()
    operator.run()
    set_fault(outside.organization, "failing_cmdlet", "Get-ServerComponentState", server=EX1)
    outside.administrator("Disable-PushNotificationProxy", Confirm=False)
    made = len(outside.organization.changes)
    operator.run()
    outside.clock.forward(minutes=6)  # the other one's health manager has loaded its probes
    operator.run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert outside.exchange()["proxy"]["enabled"] is True
    row = outside.status["servers"][0]
    assert (row["ready"], row["reason"]) == (False, "NotObserved")
    assert row["message"].startswith(f"{EX1}: cannot tell whether it is in maintenance: ")
    assert outside.status["serversReady"] == "1/2"
    assert {change.server for change in outside.organization.changes[made:]} == {EX2}


def test_a_list_of_servers_that_is_empty_is_no_organisation_without_servers() -> None:
    outside = lab(auth_certificate=False)
    set_fault(outside.organization, "hidden", value=True)
    outside.operator().run()
    assert outside.condition("PrerequisitesMet") == ("Unknown", "NotObserved")
    assert outside.organization.changes == []


def test_how_many_servers_are_ready_is_not_said_of_a_pass_that_did_not_look() -> None:
    outside = lab()
    operator = outside.operator()
    operator.run()
    assert outside.status["serversReady"] == "2/2"
    secret = outside.secrets.pop("fabrikam-exchange")
    operator.run()
    assert outside.condition("Stalled") == ("True", "SecretNotFound")
    assert "serversReady" not in outside.status
    outside.secrets["fabrikam-exchange"] = secret
    operator.run()
    assert outside.status["serversReady"] == "2/2"
