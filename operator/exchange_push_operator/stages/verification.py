"""Verification: a push notification really goes through, from every Mailbox server listed.

The probe is only run when all else is as declared; see reconcile. What it said arrives here as an
answer like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from exchange_push_operator.core import organization, push_proxy
from exchange_push_operator.core.approval import published
from exchange_push_operator.core.config import ProxyState, PushConfig
from exchange_push_operator.core.health_manager import HealthManager, not_restarted, restart
from exchange_push_operator.core.looks import Looks, Observations
from exchange_push_operator.core.plan import Advisory, Finding, Plan, fails, holds, unknown
from exchange_push_operator.core.probe_errors import CURES
from exchange_push_operator.core.probes import (
    PROBE,
    Probe,
    ProbeState,
    monitoring_items,
    read_probe,
)
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.stage import Stage


@dataclass(frozen=True, slots=True)
class Observed:
    """Probes and health managers by server, and when the proxy last changed.

    ``mailbox`` tells whether any listed server, here or away, is a Mailbox server;
    ``proxy_changes`` whether the proxy is not as declared, and is going to be changed.
    """

    mailbox: bool
    probes: Mapping[str, Probe]
    health_managers: Mapping[str, HealthManager]
    proxy_changed: datetime | None
    proxy_changes: bool


def wanted(config: PushConfig) -> bool:
    """Whether anything is to be tried out."""
    return config.verification.enabled and config.proxy.state is not ProxyState.DISABLED


def looks(config: PushConfig) -> Looks:
    """The servers, and whether they know the probe."""
    if not wanted(config):
        return Looks()
    unmanaged = config.proxy.state is ProxyState.UNMANAGED
    return Looks(
        organization=(organization.EXCHANGE_SERVERS, *(() if unmanaged else push_proxy.LOOKS)),
        server=lambda name: (
            organization.LOCAL_SERVER,
            organization.component_states(name),
            *(() if unmanaged else (monitoring_items(name),)),
        ),
    )


def _mailbox_servers(observed: Observations) -> frozenset[str]:
    return frozenset(s.fqdn for s in organization.exchange_servers(observed) if s.mailbox)


def targets(observed: Observations) -> tuple[str, ...]:
    """The listed Mailbox servers that answer and are not in maintenance."""
    mailbox, resting = _mailbox_servers(observed), organization.in_maintenance(observed)
    return tuple(
        name for name in observed.answered if name.lower() in mailbox and name not in resting
    )


def observe(config: PushConfig, observed: Observations) -> Observed | None:
    """Read the answers; None where nothing is tried out. Raises: Refused, CmdletFailed."""
    if not wanted(config):
        return None
    proxy = None if config.proxy.state is ProxyState.UNMANAGED else push_proxy.read(observed)
    changed = proxy.changed if proxy else None
    servers = {name: organization.local_server(observed, name) for name in targets(observed)}
    return Observed(
        mailbox=not _mailbox_servers(observed).isdisjoint(map(str.lower, config.servers)),
        probes={name: read_probe(config, observed, name) for name in servers},
        health_managers={name: HealthManager.on(one, changed) for name, one in servers.items()},
        proxy_changed=changed,
        proxy_changes=proxy is not None and push_proxy.drift(config, proxy) is not None,
    )


def plan(config: PushConfig, observed: Observed | None, now: datetime) -> Plan:
    """True when every probe succeeded; restart the health manager where one is owed."""
    if observed is None:
        return Plan(holds(Reason.NOT_MANAGED, "verification is off, or there is no proxy to try"))
    made, managers = _tried_out(config, observed, now), observed.health_managers
    coming = [restart(name) for name in sorted(managers) if _expected(config, observed, name)]
    later = (*made.later, *(s for s in coming if s not in (*made.steps, *made.later)))
    return replace(made, later=later, dropped=not_restarted(managers, config.servers))


def _expected(config: PushConfig, observed: Observed, server: str) -> bool:
    """Whether a restart follows from a change of the proxy, unless its probe says otherwise.

    Once that is made, only what was published with it: who is older for long may know the proxy.
    """
    manager = observed.health_managers[server]
    waits = manager.is_older and observed.probes[server].state is ProbeState.NOT_RUN
    known = waits and restart(server).digest in published(config.status)
    follows = manager.started is not None and (observed.proxy_changes or known)
    return config.verification.restart_health_manager and follows


def _tried_out(config: PushConfig, observed: Observed, now: datetime) -> Plan:
    if not observed.mailbox:
        message = "none of spec.exchange.servers is a Mailbox server: nothing can be probed"
        return Plan(fails(Reason.NO_MAILBOX_SERVER, message))
    if not observed.probes:
        message = "no listed Mailbox server is there to be probed"
        return Plan(unknown(Reason.IN_MAINTENANCE, message))
    owed = [name for name in sorted(observed.probes) if _owed(config, observed, name)]
    loading = {name for name in observed.probes if _is_loading(observed, name, now)} - set(owed)
    back = returning(config, observed, now)
    counted = {name: probe for name, probe in observed.probes.items() if name not in back}
    # One at a time: a restart resets what Exchange knows of the server's health.
    if not counted or loading - back:
        names = ", ".join(sorted(loading))
        message = f"{names}: the health manager has just started and loads its probes"
        return Plan(unknown(Reason.SETTLING, message), later=tuple(map(restart, owed)))
    # One that did not come back from its restart is enough.
    if owed and not _any_stopped(observed):
        return _restart_next(observed, owed)
    return _verdict(config, replace(observed, probes=counted))


def _any_stopped(observed: Observed) -> bool:
    return any(p.reason is Reason.HEALTH_MANAGER_STOPPED for p in observed.probes.values())


def _restart_next(observed: Observed, owed: list[str]) -> Plan:
    """Restart one whose clock has passed the change: else it would look too old again."""
    message = f"{', '.join(owed)}: the health manager is older than the proxy and does not know it "
    message += "yet; one is restarted after the other"
    managers = observed.health_managers
    due = next((name for name in owed if not managers[name].would_stay_older), None)
    if due is None:
        cure = "once the servers' clocks have passed the proxy's change; check the clocks"
        waits = unknown(Reason.SETTLING, f"{message}, {cure}")
        return Plan(waits, later=tuple(map(restart, owed)))
    later = tuple(restart(name) for name in owed if name != due)
    return Plan(fails(Reason.HEALTH_MANAGER_STALE, message), (restart(due),), later=later)


def returning(config: PushConfig, observed: Observed, now: datetime) -> frozenset[str]:
    """Servers back from maintenance that still load their probes: not counted until they have.

    The status of the last pass tells who was not counted then, and it was not for its probe.
    """
    rows = config.status.get("servers") or ()
    resting = {row["name"] for row in rows if row.get("reason", Reason.PROBE_FAILED) not in CURES}
    return frozenset(n for n in observed.probes if n in resting and _is_loading(observed, n, now))


def _is_loading(observed: Observed, server: str, now: datetime) -> bool:
    recovers = _may_recover(observed.probes[server])
    return recovers and observed.health_managers[server].is_loading(now)


def _may_recover(probe: Probe) -> bool:
    """Whether a failure may be a matter of the health manager at all."""
    return probe.state is ProbeState.FAILED and probe.reason is not Reason.COMPONENT_INACTIVE


def _owed(config: PushConfig, observed: Observed, server: str) -> bool:
    """Whether the probe may be missing only because the service is older than the proxy.

    The health manager reads at its start what it is to probe; the article restarts it for this.
    """
    probe = observed.probes[server]
    failed = _may_recover(probe) or probe.state is ProbeState.NOT_AVAILABLE
    older = observed.health_managers[server].is_older
    return config.verification.restart_health_manager and failed and older


def _verdict(config: PushConfig, observed: Observed) -> Plan:
    servers: dict[Reason, list[str]] = {}
    for server, result in sorted(observed.probes.items()):
        if result.reason is not None:
            servers.setdefault(result.reason, []).append(server)
    for status, reason, words in _SAYINGS:
        if reason in servers:
            cure = _by_hand(config, observed, servers[reason], reason)
            finding = Finding(status, reason, f"{', '.join(servers[reason])}: {words}{cure}")
            return Plan(finding, advisories=_advisories(config, observed, finding))
    return Plan(
        holds(Reason.PROBE_SUCCEEDED, "the probe succeeded on every server that was probed")
    )


def _by_hand(config: PushConfig, observed: Observed, servers: list[str], reason: Reason) -> str:
    """The restart that is owed and left to a person; "" for none."""
    never = not config.verification.restart_health_manager and reason is Reason.PROBE_FAILED
    if never and any(observed.health_managers[server].is_older for server in servers):
        return "; MSExchangeHM is older than the proxy there and may not know it: restart it"
    return ""


OWN_WORDS = "; status.servers[].probeError has the server's own words"
# What explains most first; a service that may be gone for good last.
_SAYINGS: tuple[tuple[str, Reason, str], ...] = (
    *(("False", reason, cure + OWN_WORDS) for reason, cure in CURES.items()),
    (
        "Unknown",
        Reason.WAITS_FOR_CONFIGURATION,
        "probed once everything before it is as declared",
    ),
    ("False", Reason.SERVICE_GONE, "the push service answers that it is not there any more"),
    ("Unknown", Reason.PROBE_NOT_AVAILABLE, f"this version of Exchange has no {PROBE}"),
)


def _advisories(config: PushConfig, observed: Observed, finding: Finding) -> tuple[Advisory, ...]:
    found = []
    if finding.reason is Reason.SERVICE_GONE:
        found.append(_SERVICE_GONE)
    if finding.reason is Reason.PROBE_NOT_AVAILABLE:
        message = f"{finding.message}; nothing confirms that pushes arrive"
        found.append(Advisory("ProbeNotAvailable", message))
    restarts = config.verification.restart_health_manager
    managed = config.proxy.state is not ProxyState.UNMANAGED
    waits = finding.reason is Reason.WAITS_FOR_CONFIGURATION
    if restarts and managed and observed.proxy_changed is None and not waits:
        found.append(_PROXY_CHANGE_UNKNOWN)
    return tuple(found)


_SERVICE_GONE = Advisory(
    "ServiceGone",
    "Microsoft 365 does not serve the push endpoint; what remains useful is the certificate, the "
    "auth server and the key: consider spec.proxy.state Unmanaged",
)
_PROXY_CHANGE_UNKNOWN = Advisory(
    "ProxyChangeUnknown",
    "when the proxy changed could not be read, so no health manager is restarted; if the proxy was "
    "changed after MSExchangeHM was started, restart it by hand on one server after the other",
)

STAGE = Stage("Verified", looks, observe, plan)
