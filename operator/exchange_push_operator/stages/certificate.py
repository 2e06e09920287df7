"""Certificate: Exchange signs with a valid OAuth certificate whose key is on every server.

A valid one is never replaced (safety rule 1): OWA, ECP, hybrid, SharePoint and Skype rest on it.
A certificate is assigned or made only where AuthConfig names none and every server was seen; its
key goes to Entra ID before, and services that are older are restarted afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from exchange_push_operator.core import (
    auth_certificate,
    candidate,
    certificate_making,
    key_distribution,
    key_first,
    organization,
    rollover_plan,
    rollover_seen,
    server_advice,
    signing_services,
    transport_role,
)
from exchange_push_operator.core.candidate import Stores
from exchange_push_operator.core.certificate_store import LOCAL_CERTIFICATES, Held
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.key_distribution import Distribution
from exchange_push_operator.core.key_first import Keys
from exchange_push_operator.core.looks import Looks, Observations, merge
from exchange_push_operator.core.organization import AuthConfig
from exchange_push_operator.core.plan import Advisory, Finding, Plan, fails, holds, unknown
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.rollover_seen import Seen
from exchange_push_operator.core.signing_services import SigningServices
from exchange_push_operator.core.stage import Stage
from exchange_push_operator.core.x509 import Certificate


@dataclass(frozen=True, slots=True)
class Observed:
    """AuthConfig, the stores, and what signs. ``skewed`` are servers whose clocks are others."""

    seen: Seen
    stores: Stores
    transport: Mapping[str, str | None]
    services: Mapping[str, SigningServices]
    maintenance: frozenset[str]
    keys: Keys
    skewed: tuple[str, ...]

    @property
    def auth(self) -> AuthConfig:
        """What AuthConfig names."""
        return self.seen.auth

    @property
    def current(self) -> Distribution | None:
        """Which servers have the current certificate."""
        return self.seen.where.get(self.auth.current or "")

    @property
    def next(self) -> Distribution | None:
        """Which servers have the next one."""
        return self.seen.where.get(self.auth.next or "")


def looks(_config: PushConfig) -> Looks:
    """AuthConfig, the servers, and each listed server's store and services."""
    return Looks(
        organization=candidate.LOOKS,
        server=lambda name: (
            organization.LOCAL_SERVER,
            organization.component_states(name),
            LOCAL_CERTIFICATES,
        ),
    )


def more(config: PushConfig, observed: Observations) -> Looks:
    """What AuthConfig names, or all, on servers that are not listed, through one that is."""
    return merge((rollover_seen.looks(config, observed), candidate.looks(config, observed)))


def observe(config: PushConfig, observed: Observations) -> Observed:
    """Read them. Raises: Refused, CmdletFailed."""
    return Observed(
        seen=rollover_seen.read(config, observed),
        stores=candidate.read(config, observed),
        transport={
            name: organization.local_server(observed, name).transport_thumbprint
            for name in observed.answered
        },
        services={name: signing_services.read(observed, name) for name in observed.answered},
        maintenance=organization.in_maintenance(observed),
        keys=key_first.read(config, observed),
        skewed=server_advice.skewed(observed),
    )


def plan(config: PushConfig, observed: Observed, now: datetime) -> Plan:
    """Adopt what AuthConfig names, and follow it in time; where it names none, make one."""
    stores, resting = observed.stores.listed, observed.maintenance
    if taken := transport_role.taken(stores, observed.transport, resting, now):
        return taken
    if observed.current is None:
        return _none_named(config, observed, now)
    thumbprint = observed.current.thumbprint
    if (found := observed.stores.find(thumbprint)) is None:
        return _nowhere(observed, observed.current)
    rolled = _rolled(config, observed, found, now)
    made = (
        _unfit(config, observed, found, now)
        or _first(observed, rolled)
        or _key_missing(observed, observed.current)
        or _next_missing(observed, now)
        or _services_stale(config, observed)
        or rolled
        or Plan(holds(Reason.VALID, f"{thumbprint} is current, valid and on every server seen"))
    )
    told = rolled.advisories if rolled else ()
    return replace(made, advisories=(*told, *_advisories(config, observed, found)))


def _none_named(config: PushConfig, observed: Observed, now: datetime) -> Plan:
    chosen = candidate.choose(config, observed.auth, observed.stores, now)
    if isinstance(chosen, Finding):
        return Plan(chosen)
    return _create(observed) if chosen is None else _assign(config, observed, chosen, now)


def _assign(config: PushConfig, observed: Observed, chosen: Certificate, now: datetime) -> Plan:
    """Assign it where it lies: Set-AuthConfig takes it from the store of its own server."""
    thumbprint = chosen.thumbprint
    holders = observed.stores.holders(thumbprint)
    awake = [name for name in holders if name not in observed.maintenance]
    if not awake:
        return _resting(f"every listed server that has {thumbprint}")
    message = f"AuthConfig names no certificate; {thumbprint} would do"
    staged = thumbprint == observed.auth.next
    step = (auth_certificate.publish if staged else auth_certificate.assign)(thumbprint, awake[0])
    restarts = config.restart_services and not observed.stores.away
    follow = signing_services.expected(observed.seen, observed.services) if restarts else ()
    if observed.keys.come_first(chosen, now):
        waits = f"{message} and is assigned once the principal holds its key"
        return Plan(unknown(Reason.WAITS_FOR_KEY, waits), later=(step, *follow))
    return Plan(fails(Reason.NOT_FOUND, message), (step,), later=follow)


def _create(observed: Observed) -> Plan:
    listed = sorted(observed.stores.listed)
    server = next((name for name in listed if name not in observed.maintenance), None)
    if server is None:
        return _resting("every server")
    message = "AuthConfig names no certificate and no server has one that would do"
    transport, organization_id = observed.transport[server], observed.seen.organization_id
    return certificate_making.make(server, transport, organization_id, message)


def _resting(who: str) -> Plan:
    message = f"AuthConfig names no certificate and {who} is in maintenance"
    return Plan(unknown(Reason.IN_MAINTENANCE, message))


def _unfit(
    config: PushConfig, observed: Observed, found: Certificate, now: datetime
) -> Plan | None:
    finding = auth_certificate.unfit(found, now, observed.auth.next)
    if finding is None or (config.roll_over and finding.reason is Reason.EXPIRED):
        return None
    return Plan(finding)


def _rolled(
    config: PushConfig, observed: Observed, current: Certificate, now: datetime
) -> Plan | None:
    if config.roll_over is None:
        return None
    seen, transport, skewed = observed.seen, observed.transport, observed.skewed
    return rollover_plan.plan(config.roll_over, seen, transport, skewed, current, now)


def _first(observed: Observed, rolled: Plan | None) -> Plan | None:
    """A roll-over that has something to do, or cannot; the current one is mended beside it."""
    if rolled is None or (rolled.finding.status == "True" and not rolled.steps):
        return None
    mend = _key_missing(observed, observed.current) if observed.current else None
    return replace(rolled, steps=(*rolled.steps, *(mend.steps if mend else ())))


def _nowhere(observed: Observed, current: Distribution) -> Plan:
    """No listed server that answered has it: a fact about all only where all were seen."""
    elsewhere = any(held is not Held.MISSING for held in current.unlisted.values())
    missing = _key_missing(observed, current)
    if missing and (elsewhere or observed.stores.away):
        return missing
    return Plan(
        fails(
            Reason.NOT_FOUND,
            f"AuthConfig names {current.thumbprint}, which no server has in its store; import it, "
            "or assign another one with Set-AuthConfig",
        )
    )


def _key_missing(observed: Observed, of: Distribution) -> Plan | None:
    clocks = tuple(services.clock for services in observed.services.values())
    return key_distribution.plan(of, observed.auth.changed, clocks, observed.maintenance)


def _next_missing(observed: Observed, now: datetime) -> Plan | None:
    """A next certificate that we can mend; one that we cannot is an advisory, it is not due yet."""
    if observed.next is None:
        return None
    found = observed.stores.find(observed.next.thumbprint)
    fit = found is not None and auth_certificate.unfit(found, now) is None
    made = _key_missing(observed, observed.next) if fit else None
    return made if made and made.steps else None


def _services_stale(config: PushConfig, observed: Observed) -> Plan | None:
    if observed.stores.away:
        return None  # one of them may be the server that was restarted last
    return signing_services.plan(config, observed.seen, observed.services, observed.maintenance)


def _advisories(
    config: PushConfig, observed: Observed, current: Certificate
) -> tuple[Advisory, ...]:
    found: list[Advisory] = []
    if current.sha1_signature:
        message = f"{current.thumbprint} is signed with SHA-1; plan for a new Auth certificate"
        found.append(Advisory("Sha1Certificate", message))
    coming = observed.next
    missing = coming.missing(observed.maintenance) if coming else ()
    if coming and missing:
        message = f"{', '.join(missing)}: without the private key of the next certificate "
        message += f"{coming.thumbprint}; {key_distribution.CURE}"
        found.append(Advisory("NextKeyMissing", message))
    if observed.stores.away or not config.restart_services:
        found += signing_services.left_alone(config, observed.seen, observed.services)
    return tuple(found)


STAGE = Stage("CertificateReady", looks, observe, plan, more)
