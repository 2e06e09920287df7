"""The Exchange organisation as typed values, read from the answers of its cmdlets."""

from __future__ import annotations

from typing import Any

import pytest

from answers import (
    EX1,
    EX2,
    EX3,
    NOW,
    ORGANIZATION_ID,
    auth_config,
    component,
    local,
    missing,
    seen,
    server,
)
from exchange_push_operator.core import organization
from exchange_push_operator.core.errors import CmdletFailed, Refused
from exchange_push_operator.core.looks import Observations
from exchange_push_operator.core.organization import (
    AUTH_CONFIG,
    EXCHANGE_SERVERS,
    LOCAL_SERVER,
    ORGANIZATION_CONFIG,
    AuthConfig,
)
from exchange_push_operator.core.timestamps import utc_text

LISTED = (EX1, EX2)


def test_the_organisation_has_one_guid() -> None:
    rows = [{"Guid": ORGANIZATION_ID.upper(), "Name": "Fabrikam"}]
    observed = seen(organization={ORGANIZATION_CONFIG: rows})
    assert organization.organization_id(observed) == ORGANIZATION_ID


@pytest.mark.parametrize("rows", [[], [{"Guid": None}], [{"Guid": "a"}, {"Guid": "b"}]])
def test_an_organisation_without_one_guid_is_not_guessed(rows: list[dict[str, Any]]) -> None:
    with pytest.raises(CmdletFailed, match="GUID"):
        organization.organization_id(seen(organization={ORGANIZATION_CONFIG: rows}))


def servers(*rows: dict[str, Any]) -> Observations:
    """The listed servers and more."""
    return seen(organization={EXCHANGE_SERVERS: [server(EX1), server(EX2), *rows]})


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, True),
        ({"IsMailboxServer": False}, True),
        ({"IsClientAccessServer": False}, True),
        ({"IsMailboxServer": False, "IsClientAccessServer": False, "IsEdgeServer": True}, False),
        ({"AdminDisplayVersion": "Version 15.0 (Build 712.24)"}, True),
        ({"AdminDisplayVersion": "Version 14.3 (Build 123.4)"}, False),
    ],
    ids=["both roles", "Client Access", "Mailbox", "Edge", "2013", "2010"],
)
def test_auth_config_matters_to_a_server(changes: dict[str, Any], counts: bool) -> None:  # noqa: FBT001 - a table
    observed = servers(server(EX3.upper(), **changes))
    found = organization.unlisted(observed, LISTED)
    assert [s.fqdn for s in found] == ([EX3] if counts else [])
    assert set(organization.all_servers(observed)) >= set(found)
    assert len(organization.all_servers(observed)) == 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"AdminDisplayVersion": ""}, "version .* of EX3"),
        ({"AdminDisplayVersion": None}, "version .* of EX3"),
        ({"AdminDisplayVersion": "Version 15"}, "version .* of EX3"),
        ({"AdminDisplayVersion": {"Major": 15}}, "version .* of EX3"),
        ({"Fqdn": ""}, "full name of EX3"),
        ({"Fqdn": None}, "full name of EX3"),
        ({"Name": None, "Fqdn": None}, "full name of a server"),
        ({"IsMailboxServer": None}, "IsMailboxServer.* of EX3"),
        ({"IsEdgeServer": "False"}, "IsEdgeServer.* of EX3"),
    ],
    ids=str,
)
def test_a_server_that_cannot_be_read_does_not_drop_out(
    changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(CmdletFailed, match=words):
        organization.exchange_servers(servers(server(EX3, **changes)))


def test_a_server_without_a_site_is_one_all_the_same() -> None:
    (found,) = organization.unlisted(servers(server(EX3, Site=None)), LISTED)
    assert found.described == f"{EX3} (Exchange SE)"


def test_an_edge_server_needs_no_version_to_be_left_out() -> None:
    edge = {"IsMailboxServer": False, "IsClientAccessServer": False, "IsEdgeServer": True}
    observed = servers(server(EX3, AdminDisplayVersion="", **edge))
    assert organization.unlisted(observed, LISTED) == ()


@pytest.mark.parametrize("rows", [[], [server(EX2)]], ids=["none", "not the one that was asked"])
def test_a_list_that_hides_servers_is_no_list(rows: list[dict[str, Any]]) -> None:
    with pytest.raises(CmdletFailed, match="does not name that server itself"):
        organization.exchange_servers(seen(organization={EXCHANGE_SERVERS: rows}))


def test_a_listed_server_is_not_unlisted_whatever_its_letters() -> None:
    assert organization.unlisted(seen(), (EX1.upper(), EX2)) == ()


def test_what_a_server_says_of_itself() -> None:
    found = organization.local_server(seen(), EX1)
    assert found.version == (15, 2, 2562, 17)
    assert found.time == NOW
    assert found.health_manager_started is not None
    assert utc_text(found.health_manager_started) == "2026-11-20T09:00:00Z"
    assert not found.maintenance


def test_what_a_server_does_not_say_is_none() -> None:
    untold = dict.fromkeys(
        ("Version", "HealthManagerStartedUTC", "TransportCertificateThumbprint", "TimeUTC")
    )
    row = local(EX1, **untold)
    found = organization.local_server(seen(servers={EX1: {LOCAL_SERVER: [row]}}), EX1)
    assert (found.health_manager_started, found.transport_thumbprint) == (None, None)
    assert (found.version, found.time) == ((), None)


STATES = organization.component_states(EX1)


@pytest.mark.parametrize(
    ("said", "resting"),
    [
        ({STATES: [component()]}, False),
        ({STATES: []}, False),
        ({STATES: [component(state="Inactive")]}, True),
        ({STATES: [component(state="Draining")]}, True),
        ({STATES: [component("PushNotificationsProxy", "Inactive")]}, False),
        ({LOCAL_SERVER: [local(EX1, SetupRunning=True)]}, True),
        ({LOCAL_SERVER: [local(EX1, SetupRunning=True)], STATES: missing()}, True),
        ({STATES: missing()}, False),
        ({LOCAL_SERVER: []}, False),
    ],
    ids=[
        "in service",
        "of no components",
        "offline",
        "draining",
        "with another component offline",
        "under Setup",
        "under Setup, whose cmdlets fail",
        "that cannot tell",
        "that does not describe itself",
    ],
)
def test_a_server_in_maintenance(said: Any, resting: bool) -> None:  # noqa: FBT001 - a table
    observed = seen(servers={EX1: said})
    assert organization.in_maintenance(observed) == (frozenset({EX1}) if resting else frozenset())


@pytest.mark.parametrize(
    ("states", "inactive"),
    [
        ([component()], False),
        ([component(), component("PushNotificationsProxy")], False),
        ([component(), component("PushNotificationsProxy", "Inactive")], True),
        ([component(state="Inactive"), component("PushNotificationsProxy", "Inactive")], False),
    ],
    ids=["unknown to it", "active", "inactive", "in maintenance as all others"],
)
def test_the_component_that_forwards_push_notifications(states: Any, inactive: bool) -> None:  # noqa: FBT001 - a table
    observed = seen(servers={EX1: {STATES: states}})
    assert organization.local_server(observed, EX1).push_inactive is inactive


def test_auth_config_by_upper_case_thumbprints() -> None:
    row = auth_config(
        "a" * 40,
        PreviousCertificateThumbprint="b" * 40,
        NextCertificateThumbprint="c" * 40,
        NextCertificateEffectiveDate="2026-11-21T09:00:00.0000000Z",
        WhenChangedUTC="2026-11-21T09:00:00.0000000Z",
    )
    found = organization.auth_config(seen(organization={AUTH_CONFIG: [row]}))
    assert found == AuthConfig("A" * 40, "B" * 40, "C" * 40, NOW, changed=NOW)
    assert [found.names(letter * 40) for letter in "ABCD"] == [True, True, True, False]


def test_auth_config_that_names_nothing() -> None:
    row = auth_config(None, WhenChangedUTC=None)
    found = organization.auth_config(seen(organization={AUTH_CONFIG: [row]}))
    assert found == AuthConfig(None, None, None, None)
    assert not found.names("A" * 40)


@pytest.mark.parametrize("rows", [[], [auth_config(), auth_config()]], ids=["none", "two"])
def test_auth_config_is_one_object(rows: list[dict[str, Any]]) -> None:
    with pytest.raises(CmdletFailed):
        organization.auth_config(seen(organization={AUTH_CONFIG: rows}))


def test_a_cmdlet_without_a_role_is_not_in_the_session() -> None:
    denied = missing("CommandNotFoundException")
    with pytest.raises(Refused, match="Get-ExchangeServer is not granted"):
        organization.exchange_servers(seen(organization={EXCHANGE_SERVERS: denied}))
