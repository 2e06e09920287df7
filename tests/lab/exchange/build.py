"""Organisations to start from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from lab.exchange.certificates import AUTH_SUBJECT, StoredCertificate
from lab.exchange.directory import (
    FIRST_PARTY,
    AuthConfig,
    PartnerApplication,
    PushProxy,
)
from lab.exchange.organization import ORGANIZATION_GUID, Organization, wall_clock
from lab.exchange.server import SE_RTM, Server
from lab.exchange.trust import Microsoft365, Offline

DOMAIN = "corp.fabrikam.com"
AUTH_FRIENDLY_NAME = "Microsoft Exchange Server Auth Certificate"
_SETUP = timedelta(days=30)  # so long ago Exchange was installed
_FIVE_YEARS = timedelta(days=1826)


def default_organization(
    *,
    servers: int = 2,
    auth_certificate: bool = True,
    clock: Callable[[], datetime] = wall_clock,
    microsoft365: Microsoft365 | None = None,
    version: str = SE_RTM,
    guid: str = ORGANIZATION_GUID,
) -> Organization:
    """Servers ex1, ex2, ... as Exchange Setup leaves them.

    With ``auth_certificate`` one valid Auth certificate is named by AuthConfig and lies on all.
    """
    organization = Organization(guid=guid, clock=clock, microsoft365=microsoft365 or Offline())
    for number in range(1, servers + 1):
        add_server(organization, f"EX{number}", version=version)
    view = organization.view()
    view.put(PartnerApplication("Exchange Online", FIRST_PARTY))
    # inferred: Setup makes the proxy's object, disabled
    view.put(PushProxy(when_changed=clock() - _SETUP))
    view.put(AuthConfig())
    if auth_certificate:
        view.put(AuthConfig(current=add_auth_certificate(organization)))
    return organization


def add_server(
    organization: Organization,
    name: str,
    *,
    version: str = SE_RTM,
    display: str = "",
    roles: frozenset[str] = frozenset({"Mailbox"}),
    culture: str = "en-US",
) -> Server:
    """A server with its own transport certificate and a running health manager."""
    yesterday = organization.clock() - timedelta(days=1)
    server = Server(
        name,
        f"{name.lower()}.{DOMAIN}",
        organization.clock,
        version=version,
        display=display,
        roles=roles,
        culture=culture,
        health_manager_started=yesterday,
        service_host_started=yesterday,
        owa_pool_started=yesterday,
        ecp_pool_started=yesterday,
    )
    der, key = organization.mint.self_signed(
        f"CN={name}", organization.clock() - _SETUP, domains=(name.lower(), server.fqdn)
    )
    services = frozenset({"IIS", "IMAP", "POP", "SMTP"})
    server.transport = server.add(StoredCertificate(der, key, "Microsoft Exchange", services))
    return organization.add_server(server)


def let_auth_certificate_end(organization: Organization, left: timedelta) -> None:
    """The current Auth certificate is one that has so much of its five years left."""
    start = organization.clock() + left - _FIVE_YEARS
    current = add_auth_certificate(organization, start=start)
    organization.view().put(AuthConfig(current=current))


def add_auth_certificate(
    organization: Organization,
    *,
    start: datetime | None = None,
    lifetime: timedelta = _FIVE_YEARS,
    servers: tuple[str, ...] = (),
    private_key: bool = True,
) -> str:
    """An Auth certificate in the stores of some servers (default: all in scope); its thumbprint."""
    der, key = organization.mint.self_signed(
        AUTH_SUBJECT, start or organization.clock() - _SETUP, lifetime=lifetime
    )
    # inferred: Setup binds it to SMTP, as administrators' listings show
    held = StoredCertificate(
        der, key if private_key else None, AUTH_FRIENDLY_NAME, frozenset({"SMTP"})
    )
    for server in organization.servers.values():
        if server.in_scope and (not servers or any(server.is_called(name) for name in servers)):
            server.add(held)
    return held.thumbprint
