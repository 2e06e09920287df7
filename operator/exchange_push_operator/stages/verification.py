"""Verification: a push notification really goes through, from every Mailbox server listed.

The probe is only run when all else is as declared; see reconcile. What it said arrives here as an
answer like any other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from exchange_push_operator.core import organization
from exchange_push_operator.core.commands import Cmdlet, cmdlet
from exchange_push_operator.core.config import ProxyState, PushConfig
from exchange_push_operator.core.errors import CmdletFailed
from exchange_push_operator.core.looks import Looks, Observations
from exchange_push_operator.core.plan import Plan, Step, fails, holds, unknown
from exchange_push_operator.core.probes import PROBE, Probe, ProbeState, verdict
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.scrub import scrub
from exchange_push_operator.core.stage import Stage
from exchange_push_operator.core.x509 import parse_utc

_HEALTH_SET = "PushNotifications.Proxy"
# Invoke-MonitoringProbe says Succeeded, Test-OAuthConnectivity says Success.
SUCCESSES = ("Succeeded", "Success")
_LONGEST_ERROR = 512
# The article gives the service 120 s to load its probes.
_LOADING = timedelta(minutes=5)
# The status number stands in the text in every language.
_GONE = re.compile(r"\((?:404|410)\)")


@dataclass(frozen=True, slots=True)
class Observed:
    """Probes by server, health managers by server, and when the proxy last changed.

    ``inactive`` are servers in service whose push notification component is not Active.
    """

    probes: Mapping[str, Probe]
    health_managers: Mapping[str, datetime | None]
    proxy_changed: datetime | None
    inactive: frozenset[str]


def monitoring_items(server: str) -> Cmdlet:
    """The look that tells whether a server has the probe at all."""
    return cmdlet("Get-MonitoringItemIdentity", Identity=_HEALTH_SET, Server=server)


def probe(config: PushConfig, server: str) -> Cmdlet:
    """What tries the chain out: the article's probe, or the token alone without a proxy."""
    if config.proxy.state is ProxyState.UNMANAGED:
        uri = config.tenant.cloud.ews_uri
        return cmdlet("Test-OAuthConnectivity", Service="EWS", TargetUri=uri, AppOnly=True)
    return cmdlet("Invoke-MonitoringProbe", Identity=f"{_HEALTH_SET}\\{PROBE}", Server=server)


def wanted(config: PushConfig) -> bool:
    """Whether anything is to be tried out."""
    return config.verification.enabled and config.proxy.state is not ProxyState.DISABLED


def looks(config: PushConfig) -> Looks:
    """The servers, and whether they know the probe."""
    if not wanted(config):
        return Looks()
    unmanaged = config.proxy.state is ProxyState.UNMANAGED
    return Looks(
        organization=(organization.EXCHANGE_SERVERS,)
        + (() if unmanaged else (organization.PROXY,)),
        server=lambda name: (
            organization.LOCAL_SERVER,
            organization.component_states(name),
            *(() if unmanaged else (monitoring_items(name),)),
        ),
    )


def targets(observed: Observations) -> tuple[str, ...]:
    """The listed Mailbox servers that answer and are not in maintenance."""
    mailbox = {s.fqdn for s in organization.exchange_servers(observed) if s.mailbox}
    resting = organization.in_maintenance(observed)
    return tuple(
        name for name in observed.answered if name.lower() in mailbox and name not in resting
    )


def available(config: PushConfig, observed: Observations, server: str) -> bool:
    """Whether the server has the probe. Exchange 2016 and later may not."""
    if config.proxy.state is ProxyState.UNMANAGED:
        return True
    try:
        rows = observed.server(server, monitoring_items(server))
    except CmdletFailed:
        return False
    return any(row["Name"] == PROBE for row in rows)


def observe(config: PushConfig, observed: Observations) -> Observed | None:
    """Read the answers; None where nothing is tried out. Raises: Refused, CmdletFailed."""
    if not wanted(config):
        return None
    servers = {name: organization.local_server(observed, name) for name in targets(observed)}
    return Observed(
        probes={name: _probe(config, observed, name) for name in servers},
        health_managers={name: local.health_manager_started for name, local in servers.items()},
        proxy_changed=_proxy_changed(config, observed),
        inactive=frozenset(name for name, local in servers.items() if local.push_inactive),
    )


def _probe(config: PushConfig, observed: Observations, server: str) -> Probe:
    if not available(config, observed, server):
        return Probe(ProbeState.NOT_AVAILABLE)
    look = probe(config, server)
    if (server, look) not in observed.cmdlets:
        return Probe(ProbeState.NOT_RUN)
    try:
        rows = observed.server(server, look)
    except CmdletFailed as error:
        return Probe(ProbeState.FAILED, shown(str(error)))
    if rows and rows[0].get("ResultType") in SUCCESSES:
        return Probe(ProbeState.SUCCEEDED)
    row = rows[0] if rows else {}
    keys = ("Error", "Exception", "Detail")
    text = shown(" ".join(str(row[key]) for key in keys if row.get(key)))
    return Probe(ProbeState.GONE if _GONE.search(text) else ProbeState.FAILED, text)


def shown(text: str) -> str:
    """A server's text as it goes into status: nothing in it that moves, and not too long."""
    return scrub(text)[:_LONGEST_ERROR]


def _proxy_changed(config: PushConfig, observed: Observations) -> datetime | None:
    if config.proxy.state is ProxyState.UNMANAGED:
        return None
    rows = observed.organization(organization.PROXY)
    text = rows[0].get("WhenChangedUTC") if rows else None
    return parse_utc(text) if text else None


def plan(config: PushConfig, observed: Observed | None, now: datetime) -> Plan:
    """True when every probe succeeded; restart the health manager where one is owed."""
    if observed is None:
        return Plan(holds(Reason.NOT_MANAGED, "verification is off, or there is no proxy to try"))
    if not observed.probes:
        message = "no listed Mailbox server is there to be probed"
        return Plan(unknown(Reason.IN_MAINTENANCE, message))
    steps = tuple(
        _restart(server) for server in sorted(observed.probes) if _owed(config, observed, server)
    )
    if steps:
        names = ", ".join(step.target for step in steps)
        message = f"{names}: the health manager is older than the proxy and does not know it yet"
        return Plan(fails(Reason.HEALTH_MANAGER_STALE, message), steps)
    loading = [n for n in sorted(observed.probes) if _is_loading(observed, n, now)]
    back = returning(config, observed, now)
    counted = {name: probe for name, probe in observed.probes.items() if name not in back}
    if not counted or set(loading) - back:
        message = f"{', '.join(loading)}: the health manager has just started and loads its probes"
        return Plan(unknown(Reason.SETTLING, message))
    return verdict(counted, observed.inactive)


def returning(config: PushConfig, observed: Observed, now: datetime) -> frozenset[str]:
    """Servers back from maintenance that still load their probes: not counted until they have.

    The status of the last pass tells who was not counted then.
    """
    rows = {row["name"] for row in config.status.get("servers") or () if "reason" in row}
    return frozenset(n for n in observed.probes if n in rows and _is_loading(observed, n, now))


def _is_loading(observed: Observed, server: str, now: datetime) -> bool:
    started = observed.health_managers[server]
    failed = observed.probes[server].state is ProbeState.FAILED
    return failed and started is not None and started <= now < started + _LOADING


def _owed(config: PushConfig, observed: Observed, server: str) -> bool:
    """Whether the probe may be missing only because the service is older than the proxy.

    The health manager reads at its start what it is to probe; the article restarts it for this.
    """
    started, changed = observed.health_managers[server], observed.proxy_changed
    return (
        config.verification.restart_health_manager
        and observed.probes[server].state in (ProbeState.FAILED, ProbeState.NOT_AVAILABLE)
        and started is not None
        and changed is not None
        and started < changed
    )


def _restart(server: str) -> Step:
    return Step(
        action="Restart the health manager",
        target=server,
        event="HealthManagerRestarted",
        server=server,
        command=cmdlet("Restart-Service", Name="MSExchangeHM"),
    )


STAGE = Stage("Verified", looks, observe, plan)
