"""Stories of many days: a certificate that ends soon, and a probe that never rests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from lab.exchange.build import add_auth_certificate
from lab.exchange.chain import StageFailed, walk
from lab.exchange.directory import AuthConfig
from lab.in_process import BY_SECRET, Lab, Operator, lab
from lab.microsoft365.directory import ClientSecret, Kind
from lab.microsoft365.sample import CLIENT, FABRIKAM, SECRET
from lab.resources import merged

LIFE = timedelta(days=120)
"""Of every certificate in these stories, in place of five years."""
MANAGE: Mapping[str, Any] = {"certificate": {"policy": "Manage"}}


def managed(
    certificate: Mapping[str, Any] | None = None,
    *,
    servers: int = 2,
    left: float = 75,
    beside: Lab | None = None,
) -> Lab:
    """Policy Manage; the current certificate has so many days left."""
    listed = [{"name": f"ex{number}.corp.fabrikam.com"} for number in range(1, servers + 1)]
    spec = merged(merged(BY_SECRET, MANAGE), {"certificate": certificate or {}})
    spec["exchange"] = {"servers": listed}
    outside = lab(spec, auth_certificate=False, servers=servers, beside=beside)
    organization = outside.organization
    start = outside.clock() + timedelta(days=left) - LIFE
    current = add_auth_certificate(organization, start=start, lifetime=LIFE)
    organization.view().put(AuthConfig(current=current))
    organization.mint.lifetime = LIFE
    application = outside.microsoft365.tenant(FABRIKAM).find(Kind.APPLICATION, CLIENT)
    assert application is not None
    application.secrets = (ClientSecret(SECRET, outside.clock() + timedelta(days=9000)),)
    return outside


class Watch:
    """Probes every server whenever what the probe rests on is another than the last time."""

    def __init__(self, outside: Lab) -> None:
        self.outside = outside
        self.failed: list[str] = []
        self.probes = 0
        self._seen: object = None

    def __call__(self) -> None:
        """After a remote call, an act of Exchange, a step of replication, a day."""
        organization = self.outside.organization
        organization.tick()
        seen = self._state()
        if seen == self._seen:
            return
        self._seen = seen
        for server in organization.servers.values():
            faults = server.faults
            if faults.down or faults.maintenance or faults.push_component_inactive:
                continue  # nobody is proxied there anyway
            self.probes += 1
            try:
                walk(organization, server)
            except StageFailed as error:
                self.failed.append(f"{self.outside.clock()} {server.name}: {error}")

    def _state(self) -> object:
        organization = self.outside.organization
        return (
            self.outside.clock(),
            [organization.view(name).auth_config() for name in organization.servers],
            [sorted(server.store) for server in organization.servers.values()],
            [key["keyId"] for key in self.outside.key_credentials()],
        )


def ready(outside: Lab) -> Watch:
    """Bring it in order; from then on every probe has to succeed."""
    outside.operator().run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    outside.clock.forward(hours=2)
    return Watch(outside)


def pass_days(operator: Operator, watch: Watch, days: int) -> list[str]:
    """One day after another: Exchange acts every six hours, the operator looks once. Its events."""
    told = []
    for _ in range(days):
        for _ in range(4):
            operator.lab.clock.forward(hours=6)
            watch()
        told += [e.reason for outcome in operator.run(most=12) for e in outcome.events]
        watch()
    return told


def made(outside: Lab, cmdlet: str) -> int:
    """How often a cmdlet changed something."""
    return sum(change.cmdlet == cmdlet for change in outside.organization.changes)
