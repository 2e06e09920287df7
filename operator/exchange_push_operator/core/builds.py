"""Which build every server runs, and how well that is known.

A listed server tells the true build. Of any other one Active Directory tells the cumulative
update, which hides hotfix updates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exchange_push_operator.core import exchange_server, organization
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.exchange_server import Version
from exchange_push_operator.core.looks import Observations

_UPDATE = 3  # the first numbers of a build that name the cumulative update


@dataclass(frozen=True, slots=True)
class Build:
    """``exact``: of ExSetup.exe; else of AdminDisplayVersion, which may be too low."""

    version: Version
    exact: bool

    def __str__(self) -> str:
        """As Microsoft writes builds."""
        return ".".join(map(str, self.version))


def builds(config: PushConfig, observed: Observations) -> Mapping[str, Build]:
    """The build of every server by its full name. Raises: Refused, CmdletFailed."""
    own = _remembered(config, observed) | {
        name.lower(): organization.local_server(observed, name).version
        for name in observed.answered
    }
    return {
        server.fqdn: Build(own[server.fqdn], exact=True)
        if own.get(server.fqdn)
        else Build(server.version, exact=False)
        for server in organization.exchange_servers(observed)
    }


def _remembered(config: PushConfig, observed: Observations) -> dict[str, Version]:
    """What the servers that are away said when they were last seen.

    One that was updated meanwhile is known by Active Directory's newer cumulative update alone.
    """
    shown = {server.fqdn: server.version for server in organization.exchange_servers(observed)}
    told = {row["name"]: row.get("version") for row in config.status.get("servers") or ()}
    said = {name.lower(): exchange_server.version(told.get(name)) for name in observed.away}
    return {
        name: build
        for name, build in said.items()
        if build[:_UPDATE] >= shown.get(name, ())[:_UPDATE]
    }
