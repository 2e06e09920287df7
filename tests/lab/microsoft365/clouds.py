"""The hosts of Microsoft's six clouds, and which service answers at each.

Source of the table: docs/entra.md (Microsoft Graph "deployments", CSS-Exchange
Get-CloudServiceEndpoint, MSAL's list of authorities).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

EXCHANGE_ONLINE = "00000002-0000-0ff1-ce00-000000000000"
ACS_PRINCIPAL = "00000001-0000-0000-c000-000000000000"


class Service(StrEnum):
    """What a host name stands for."""

    AUTHORITY = "authority"
    GRAPH = "graph"
    ACS = "acs"
    PUSH = "push"


@dataclass(frozen=True, slots=True)
class Cloud:
    """One cloud. ``acs`` is None where no host of its own is known; the login host serves it."""

    name: str
    login: tuple[str, ...]
    graph: str
    outlook: tuple[str, ...]
    instance: str
    acs: str | None = None

    @property
    def acs_host(self) -> str:
        """Where this cloud's ACS answers."""
        return self.acs or self.login[0]


GLOBAL = Cloud(
    "Global",
    ("login.microsoftonline.com", "login.windows.net"),
    "graph.microsoft.com",
    ("outlook.office365.com", "outlook.office.com"),
    "microsoftonline.com",
    "accounts.accesscontrol.windows.net",
)

CLOUDS = (
    GLOBAL,
    Cloud(
        "USGovernmentL4",
        ("login.microsoftonline.us",),
        "graph.microsoft.us",
        ("outlook.office365.us",),
        "microsoftonline.us",
    ),
    Cloud(
        "USGovernmentL5",
        ("login.microsoftonline.us",),
        "dod-graph.microsoft.us",
        ("outlook-dod.office365.us",),
        "microsoftonline.us",
    ),
    Cloud(
        "China",
        ("login.partner.microsoftonline.cn", "login.chinacloudapi.cn"),
        "microsoftgraph.chinacloudapi.cn",
        ("partner.outlook.cn",),
        "partner.microsoftonline.cn",
        "accounts.accesscontrol.chinacloudapi.cn",  # the host is known, its document is inferred
    ),
    Cloud(
        "Bleu",
        ("login.sovcloud-identity.fr",),
        "graph.svc.sovcloud.fr",
        ("outlook.sovcloud.fr",),
        "sovcloud-identity.fr",
    ),
    Cloud(
        "Delos",
        ("login.sovcloud-identity.de",),
        "graph.svc.sovcloud.de",
        ("outlook.sovcloud.de",),
        "sovcloud-identity.de",
    ),
)


def _services() -> dict[str, Service]:
    table: dict[str, Service] = {}
    for cloud in CLOUDS:
        table |= dict.fromkeys(cloud.login, Service.AUTHORITY)
        table |= dict.fromkeys(cloud.outlook, Service.PUSH)
        table[cloud.graph] = Service.GRAPH
        if cloud.acs:
            table[cloud.acs] = Service.ACS
    return table


SERVICES = _services()
HOSTS = tuple(SERVICES)


def clouds_of(host: str) -> tuple[Cloud, ...]:
    """The clouds that a host serves; any other name (localhost) stands for the global one."""
    found = (c for c in CLOUDS if host in (*c.login, c.graph, *c.outlook, c.acs))
    return tuple(found) or (GLOBAL,)
