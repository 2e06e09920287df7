"""What the first look at an organisation tells of its choices. Pure.

Nothing is known yet but one server's name. What is read here decides which resource describes the
organisation, and with it what the second look, that of the operator's own stages, is about.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs

from exchange_push_operator.core import dedicated_application, organization, push_proxy
from exchange_push_operator.core.auth_servers import AuthServer, listed
from exchange_push_operator.core.builds import Build
from exchange_push_operator.core.clouds import Cloud
from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.errors import PushError
from exchange_push_operator.core.looks import Observations
from exchange_push_operator.core.push_proxy import PushProxy
from exchange_push_operator.core.reading import reading
from exchange_push_operator.core.urls import split

LOOKS: tuple[Cmdlet, ...] = (
    organization.ORGANIZATION_CONFIG,
    organization.EXCHANGE_SERVERS,
    organization.AUTH_SERVERS,
    organization.SETTING_OVERRIDES,
    *push_proxy.LOOKS,
)


@dataclass(frozen=True, slots=True)
class Choices:
    """What the organisation has already decided; None where that could not be seen.

    ``servers`` are those that AuthConfig matters to, the one that was asked first. ``application``
    is the dedicated hybrid application that EvoSts names, "" where none is in use.
    ``override``: the setting that makes Exchange sign as it is on.
    """

    servers: tuple[str, ...]
    auth_servers: tuple[AuthServer, ...]
    proxy: PushProxy | None
    application: str
    override: bool


def read(observed: Observations) -> Choices:
    """Read them for the tenant of the observations.

    Raises: Refused, CmdletFailed: the servers could not be named; nothing can be described then.
    """
    with reading("Get-ExchangeServer"):
        servers = _servers(observed)
    application = _application(observed)
    return Choices(
        servers=servers,
        auth_servers=auth_servers(observed),
        proxy=proxy(observed),
        application=application.application_id.lower() if application else "",
        override=bool(application and application.override),
    )


def _servers(observed: Observations) -> tuple[str, ...]:
    asked = observed.primary.partition(".")[0].lower()
    found = organization.exchange_servers(observed)
    ordered = sorted(found, key=lambda one: (one.name.lower() != asked, not one.mailbox, one.fqdn))
    return tuple(server.fqdn for server in ordered)


def auth_servers(observed: Observations) -> tuple[AuthServer, ...]:
    """The auth servers by name; none where they could not be seen."""
    try:
        with reading("Get-AuthServer"):
            return listed(observed)
    except PushError:
        return ()


def proxy(observed: Observations) -> PushProxy | None:
    """The push proxy; None where it could not be seen."""
    try:
        with reading("Enable-PushNotificationProxy -WhatIf"):
            return push_proxy.read(observed)
    except PushError:
        return None


def _application(observed: Observations) -> dedicated_application.DedicatedApplication | None:
    try:
        with reading("the dedicated application"):
            shown = {
                server.fqdn: Build(server.version, exact=False)
                for server in organization.exchange_servers(observed)
            }
            return dedicated_application.read(observed, shown)
    except PushError:
        return None


def tenant_id(servers: tuple[AuthServer, ...]) -> str | None:
    """The tenant that Exchange gets its tokens for; None where no or several are named."""
    realms = {server.realm for server in servers if server.serves(server.realm)}
    return realms.pop() if len(realms) == 1 and "" not in realms else None


def domain(servers: tuple[AuthServer, ...], found: PushProxy | None) -> str | None:
    """The tenant's domain as the proxy or a metadata address spells it; None where neither does."""
    if found is not None and found.enabled and "." in found.organization:
        return found.organization.lower()
    serving = [server for server in servers if server.serves(server.realm)]
    names = [name for server in serving for name in named_in(server.metadata_url) if "." in name]
    return names[0] if names else None


def named_in(url: str) -> list[str]:
    """Where a metadata address may have the tenant: the realm, or the first part of the path."""
    parts = split(url.lower())
    return [*parse_qs(parts.query).get("realm", []), *parts.path.strip("/").split("/")[:1]]


def publishes(url: str, cloud: Cloud) -> bool:
    """Whether a metadata address is one of Microsoft's own of the cloud."""
    parts = split(url)
    return parts.scheme.lower() == "https" and (parts.hostname or "") in cloud.issuer_hosts
