"""The services that sign with the Auth certificate, and the restarts that are owed to them.

MSExchangeServiceHost and the application pools of OWA and ECP read AuthConfig when they start, and
again only after hours. A certificate that became current at once therefore needs them restarted
(MonitorExchangeAuthCertificate does so on its own server). Whether a restart is owed is seen, not
remembered; where in doubt there is none, for Exchange takes the certificate up by itself.

The date of AuthConfig's change is Active Directory's whenChanged, which each domain controller
keeps for itself: one that got the change later has a later date, and a service that started in
between may have read the old.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from exchange_push_operator.core import organization
from exchange_push_operator.core.commands import cmdlet
from exchange_push_operator.core.conditions import find
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.errors import CmdletFailed
from exchange_push_operator.core.looks import Observations
from exchange_push_operator.core.organization import AuthConfig
from exchange_push_operator.core.plan import Advisory, Plan, Step, fails, unknown
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.rollover_seen import Seen
from exchange_push_operator.core.timestamps import parse_utc

_SERVICE = "MSExchangeServiceHost"
# By the property that tells since when it runs; it is empty where it does not.
_SERVICES = {
    _SERVICE: ("Restart-Service", "ServiceHostStartedUTC"),
    "MSExchangeOWAAppPool": ("Restart-WebAppPool", "OwaPoolStartedUTC"),
    "MSExchangeECPAppPool": ("Restart-WebAppPool", "EcpPoolStartedUTC"),
}
# Afterwards nobody waits for it any more, and somebody else may have had reasons of his own.
_OWED_FOR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class SigningServices:
    """Since when they run on a server, those that run; ``clock`` is the time it had."""

    clock: datetime | None
    started: Mapping[str, datetime]

    def before(self, moment: datetime | None) -> bool:
        """Whether its clock has not come to a moment yet: a restart would still look too old."""
        return self.clock is None or moment is None or self.clock < moment

    def older_than(self, moment: datetime) -> tuple[str, ...]:
        """Which of them may still sign with the certificate that was current before."""
        return tuple(name for name, since in self.started.items() if since < moment)


def read(observed: Observations, server: str) -> SigningServices:
    """Read it from a listed server. Raises: Refused, CmdletFailed."""
    rows = observed.server(server, organization.LOCAL_SERVER)
    if len(rows) != 1:
        raise CmdletFailed(f"{server}: the host script did not describe its server")
    row = rows[0]
    clock = row.get("TimeUTC")
    started = {name: row.get(key) for name, (_, key) in _SERVICES.items()}
    return SigningServices(
        clock=parse_utc(clock) if clock else None,
        started={name: parse_utc(since) for name, since in started.items() if since},
    )


def plan(
    config: PushConfig,
    seen: Seen,
    servers: Mapping[str, SigningServices],
    resting: frozenset[str],
) -> Plan | None:
    """Restart what is older than a certificate that is current at once; None where nothing is.

    One server after another: the next one follows when this one answers and is seen restarted.
    """
    if not config.restart_services:
        return None
    stopped = _stopped(config, seen, servers, resting)
    if stopped:
        message = f"{', '.join(stopped)}: {_SERVICE} is not running; start it and find out what "
        return Plan(fails(Reason.SERVICES_STALE, f"{message}stopped it; nothing else is restarted"))
    stale = owed(config, seen, servers)
    server = next((name for name in stale if name not in resting), None)
    if server is None:
        return None
    names = ", ".join(stale[server])
    message = f"{server}: {names} may sign with the certificate that was current before"
    if servers[server].before(seen.auth.changed):
        waits = unknown(Reason.SETTLING, f"{message}; its clock has to pass the change first")
        return Plan(waits, later=tuple(_all_restarts(stale)))
    first = _restarts(server, stale[server])
    later = tuple(step for step in _all_restarts(stale) if step not in first)
    return Plan(fails(Reason.SERVICES_STALE, message), first, later=later)


def expected(seen: Seen, servers: Mapping[str, SigningServices]) -> tuple[Step, ...]:
    """The restarts that follow when a certificate is assigned where there never was one."""
    if seen.auth.next or seen.auth.previous:
        return ()
    running = {name: tuple(servers[name].started) for name in sorted(servers)}
    return tuple(_all_restarts(running))


def left_alone(
    config: PushConfig, seen: Seen, servers: Mapping[str, SigningServices]
) -> tuple[Advisory, ...]:
    """What is owed a restart and does not get one."""
    stale = owed(config, seen, servers)
    message = (
        f"{', '.join(stale)}: services that are older than the current Auth certificate are left "
        "alone; Exchange takes it up by itself within hours, or restart MSExchangeServiceHost and "
        "the OWA and ECP pools there"
    )
    return (Advisory("RestartOwed", message),) if stale else ()


def owed(
    config: PushConfig, seen: Seen, servers: Mapping[str, SigningServices]
) -> Mapping[str, tuple[str, ...]]:
    """By server, the services that are older than a certificate which became current at once."""
    changed = seen.auth.changed
    if changed is None:
        return {}
    found = {
        name: services.older_than(changed)
        for name, services in _concerned(config, seen, servers).items()
    }
    return {name: services for name, services in sorted(found.items()) if services}


def _stopped(
    config: PushConfig,
    seen: Seen,
    servers: Mapping[str, SigningServices],
    resting: frozenset[str],
) -> list[str]:
    """Where the service does not run: perhaps our restart has stopped it. Pools start on demand."""
    concerned = _concerned(config, seen, servers)
    return sorted(n for n, s in concerned.items() if n not in resting and _SERVICE not in s.started)


def _concerned(
    config: PushConfig, seen: Seen, servers: Mapping[str, SigningServices]
) -> Mapping[str, SigningServices]:
    """Servers on which a certificate became current at once, and not long ago."""
    changed = seen.auth.changed
    if changed is None or not _at_once(config, seen, changed) or _known(config, seen.auth):
        return {}
    return {
        name: services
        for name, services in servers.items()
        if services.clock is not None and services.clock < changed + _OWED_FOR
    }


def _at_once(config: PushConfig, seen: Seen, changed: datetime) -> bool:
    """A roll-over leaves a previous certificate behind, and one to come is no reason to restart.

    Unless the previous one was of no use any more: it had expired, or was given up.
    """
    auth = seen.auth
    if auth.current is None or auth.next is not None or auth.previous is None:
        return auth.current is not None and auth.next is None
    former = seen.certificate(auth.previous)
    if former is None or config.roll_over is None:
        return False
    return former.not_after <= changed or config.roll_over.gives_up(former.not_before, changed)


def _known(config: PushConfig, auth: AuthConfig) -> bool:
    """Whether status names this very certificate already: then something else has changed.

    While restarts are under way status says so, and the others are owed still.
    """
    ready = find(config.status, "CertificateReady") or {}
    under_way = ready.get("reason") in (Reason.SERVICES_STALE, Reason.SETTLING)
    named = (config.status.get("certificate") or {}).get("thumbprint")
    return bool(named == auth.current and not under_way)


def _all_restarts(stale: Mapping[str, tuple[str, ...]]) -> Iterator[Step]:
    for server, services in stale.items():
        yield from _restarts(server, services)


def _restarts(server: str, services: tuple[str, ...]) -> tuple[Step, ...]:
    """Restart them on their own server."""
    return tuple(
        Step(
            action=f"Restart on {server}",
            target=name,
            event="ServiceRestarted",
            server=server,
            command=cmdlet(_SERVICES[name][0], Name=name),
            alone=True,
        )
        for name in services
    )
