"""The Exchange organisation as typed values, read from the answers of its cmdlets.

Several stages look at AuthConfig and at the servers; this is the one place that knows the names of
the properties. What lies in the servers' certificate stores is in certificate_store.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from exchange_push_operator.core import exchange_server
from exchange_push_operator.core.commands import Cmdlet, cmdlet
from exchange_push_operator.core.errors import CmdletFailed
from exchange_push_operator.core.exchange_server import ExchangeServer, Version
from exchange_push_operator.core.looks import Observations, once
from exchange_push_operator.core.reading import reading
from exchange_push_operator.core.timestamps import parse_utc

ORGANIZATION_CONFIG = cmdlet("Get-OrganizationConfig")
EXCHANGE_SERVERS = cmdlet("Get-ExchangeServer")
AUTH_CONFIG = cmdlet("Get-AuthConfig")
AUTH_SERVERS = cmdlet("Get-AuthServer")
PARTNER_APPLICATIONS = cmdlet("Get-PartnerApplication")
SETTING_OVERRIDES = cmdlet("Get-SettingOverride")
LOCAL_SERVER = cmdlet("Get-LocalExchangeServer")

_THUMBPRINTS = {f"{which}CertificateThumbprint" for which in ("Current", "Previous", "Next")}
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def component_states(server: str) -> Cmdlet:
    """The look that tells whether a server is in maintenance."""
    return cmdlet("Get-ServerComponentState", Identity=server)


@dataclass(frozen=True, slots=True)
class LocalServer:
    """What a listed server says of itself.

    ``version`` is the true build, that of ExSetup.exe, () where it was not told. ``time`` is its
    clock, None from a host script that does not tell it. ``push_inactive``: the component that
    forwards push notifications is not Active, although the server is in service.
    """

    version: Version
    health_manager_started: datetime | None
    maintenance: bool
    transport_thumbprint: str | None
    time: datetime | None
    push_inactive: bool


@dataclass(frozen=True, slots=True)
class AuthConfig:
    """Thumbprints that the organisation signs with; None where AuthConfig names nothing.

    ``changed`` is when anything of it last changed, by a domain controller's clock.
    """

    current: str | None
    previous: str | None
    next: str | None
    next_effective: datetime | None
    changed: datetime | None = None

    def names(self, thumbprint: str) -> bool:
        """Whether the thumbprint is current, next or previous (safety rule 11)."""
        return thumbprint in (self.current, self.next, self.previous)


@once
def organization_id(observed: Observations) -> str:
    """The GUID of the Exchange organisation. Raises: Refused, CmdletFailed."""
    rows = observed.organization(ORGANIZATION_CONFIG)
    text = str(rows[0].get("Guid")).strip("{}").lower() if len(rows) == 1 else ""
    if not _GUID.fullmatch(text):
        raise CmdletFailed("Get-OrganizationConfig did not name the organization's GUID")
    return text


def exchange_servers(observed: Observations) -> tuple[ExchangeServer, ...]:
    """Every server that AuthConfig matters to: Mailbox or Client Access, of version 15.

    Raises: Refused, CmdletFailed.
    """
    return tuple(server for server in all_servers(observed) if server.in_scope)


@once
def all_servers(observed: Observations) -> tuple[ExchangeServer, ...]:
    """Every server of the organisation, Edge and older ones too. Raises: Refused, CmdletFailed.

    The server that was asked is one of them; an answer without it hides servers.
    """
    rows = observed.organization(EXCHANGE_SERVERS)
    found = tuple(exchange_server.read(row) for row in rows)
    asked = observed.primary.partition(".")[0].lower()
    if asked not in {server.name.lower() for server in found}:
        raise CmdletFailed(
            f"Get-ExchangeServer on {observed.primary} does not name that server itself, so it "
            "may hide others too; check the scope of the account's management roles"
        )
    return found


def unlisted(observed: Observations, listed: tuple[str, ...]) -> tuple[ExchangeServer, ...]:
    """Servers of the organisation that the resource does not name (safety rule 12)."""
    named = {name.lower() for name in listed}
    return tuple(server for server in exchange_servers(observed) if server.fqdn not in named)


@once
def local_server(observed: Observations, name: str) -> LocalServer:
    """What a server says of itself. Raises: Refused, CmdletFailed."""
    rows = observed.server(name, LOCAL_SERVER)
    if len(rows) != 1:
        raise CmdletFailed(f"{name}: the host script did not describe its server")
    row = rows[0]
    # Exchange's own cmdlets may fail while Setup replaces them.
    setup = bool(row.get("SetupRunning"))
    inactive = set() if setup else _inactive(observed, name)
    offline = "ServerWideOffline" in inactive
    return LocalServer(
        version=exchange_server.version(row.get("Version")),
        health_manager_started=_moment(row.get("HealthManagerStartedUTC")),
        maintenance=setup or offline,
        transport_thumbprint=_thumbprint(row.get("TransportCertificateThumbprint")),
        time=_moment(row.get("TimeUTC")),
        push_inactive=not offline and "PushNotificationsProxy" in inactive,
    )


def _inactive(observed: Observations, name: str) -> set[str]:
    rows = observed.server(name, component_states(name))
    return {str(row["Component"]) for row in rows if row["State"] != "Active"}


def in_maintenance(observed: Observations) -> frozenset[str]:
    """Answering servers that must not be written to; one that cannot tell is not counted."""
    return frozenset(name for name in observed.answered if _maintained(observed, name))


def _maintained(observed: Observations, name: str) -> bool:
    try:
        with reading(name):
            return local_server(observed, name).maintenance
    except CmdletFailed:
        return False


@once
def auth_config(observed: Observations) -> AuthConfig:
    """The thumbprints in AuthConfig. Raises: Refused, CmdletFailed."""
    rows = observed.organization(AUTH_CONFIG)
    if len(rows) != 1:
        raise CmdletFailed("Get-AuthConfig did not answer with one object")
    row = rows[0]
    # A property that is missing is not empty; ServiceName is always there in an object that
    # could be read.
    if not row.get("ServiceName") or not set(row).issuperset(_THUMBPRINTS):
        raise CmdletFailed("Get-AuthConfig answered with an object that lacks its properties")
    effective = row.get("NextCertificateEffectiveDate")
    return AuthConfig(
        current=_thumbprint(row.get("CurrentCertificateThumbprint")),
        previous=_thumbprint(row.get("PreviousCertificateThumbprint")),
        next=_thumbprint(row.get("NextCertificateThumbprint")),
        next_effective=_moment(effective),
        changed=_moment(row.get("WhenChangedUTC")),
    )


def _moment(value: Any) -> datetime | None:
    """A date; None for an empty one, which .NET writes as the first day of the year 1."""
    moment = parse_utc(value) if value else None
    return moment if moment is not None and moment.year > 1 else None


def _thumbprint(value: Any) -> str | None:
    return str(value).upper() if value else None
