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
from exchange_push_operator.core.organization import (
    AUTH_CONFIG,
    EXCHANGE_SERVERS,
    LOCAL_SERVER,
    ORGANIZATION_CONFIG,
    AuthConfig,
)
from exchange_push_operator.core.x509 import utc_text

LISTED = (EX1, EX2)


def test_the_organisation_has_one_guid() -> None:
    rows = [{"Guid": ORGANIZATION_ID.upper(), "Name": "Fabrikam"}]
    observed = seen(organization={ORGANIZATION_CONFIG: rows})
    assert organization.organization_id(observed) == ORGANIZATION_ID


@pytest.mark.parametrize("rows", [[], [{"Guid": None}], [{"Guid": "a"}, {"Guid": "b"}]])
def test_an_organisation_without_one_guid_is_not_guessed(rows: list[dict[str, Any]]) -> None:
    with pytest.raises(CmdletFailed, match="GUID"):
        organization.organization_id(seen(organization={ORGANIZATION_CONFIG: rows}))


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, True),
        ({"IsMailboxServer": False}, True),
        ({"IsClientAccessServer": False}, True),
        ({"IsMailboxServer": False, "IsClientAccessServer": False}, False),
        ({"AdminDisplayVersion": "Version 15.0 (Build 712.24)"}, True),
        ({"AdminDisplayVersion": "Version 14.3 (Build 123.4)"}, False),
    ],
    ids=["both roles", "Client Access", "Mailbox", "Edge", "2013", "2010"],
)
def test_auth_config_matters_to_a_server(changes: dict[str, Any], counts: bool) -> None:  # noqa: FBT001 - a table
    rows = [server(EX3.upper(), **changes)]
    observed = seen(organization={EXCHANGE_SERVERS: rows})
    found = organization.exchange_servers(observed)
    assert [s.fqdn for s in found] == ([EX3] if counts else [])
    assert organization.unlisted(observed, LISTED) == found


@pytest.mark.parametrize("version", ["", None])
def test_a_server_whose_version_is_not_told_does_not_drop_out(version: str | None) -> None:
    rows = [server(EX3, AdminDisplayVersion=version)]
    with pytest.raises(CmdletFailed, match="version"):
        organization.exchange_servers(seen(organization={EXCHANGE_SERVERS: rows}))


def test_a_listed_server_is_not_unlisted_whatever_its_letters() -> None:
    assert organization.unlisted(seen(), (EX1.upper(), EX2)) == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("15.2.2562.17", (15, 2, 2562, 17)),
        ("Version 15.2 (Build 2562.17)", (15, 2, 2562, 17)),
        ("Version 15.0 (Build 775.38)", (15, 0, 775, 38)),
        ("", ()),
    ],
)
def test_a_version(text: str, expected: tuple[int, ...]) -> None:
    assert organization.version(text) == expected


def test_what_a_server_says_of_itself() -> None:
    found = organization.local_server(seen(), EX1)
    assert (found.version, found.version_text) == ((15, 2, 2562, 17), "15.2.2562.17")
    assert found.health_manager_started is not None
    assert utc_text(found.health_manager_started) == "2026-11-20T09:00:00Z"
    assert not found.maintenance


def test_what_a_server_does_not_say_is_none() -> None:
    row = local(EX1, HealthManagerStartedUTC=None, TransportCertificateThumbprint=None)
    found = organization.local_server(seen(servers={EX1: {LOCAL_SERVER: [row]}}), EX1)
    assert (found.health_manager_started, found.transport_thumbprint) == (None, None)


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
        "that cannot tell",
        "that does not describe itself",
    ],
)
def test_a_server_in_maintenance(said: Any, resting: bool) -> None:  # noqa: FBT001 - a table
    observed = seen(servers={EX1: said})
    assert organization.in_maintenance(observed) == (frozenset({EX1}) if resting else frozenset())


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
