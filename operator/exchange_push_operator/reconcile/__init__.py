"""One pass over one resource: from the API server's object to its new status."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from exchange_push_operator.core import organization, status
from exchange_push_operator.core.config import FINALIZER, PushConfig
from exchange_push_operator.core.conflict import Peer, check_conflict
from exchange_push_operator.core.errors import PushError, Refused, SpecError, Throttled
from exchange_push_operator.core.events import Event
from exchange_push_operator.core.fit import fit
from exchange_push_operator.core.looks import Observations
from exchange_push_operator.core.parse import parse
from exchange_push_operator.core.plan import fails
from exchange_push_operator.core.reading import reading
from exchange_push_operator.core.reasons import STALLED, Reason
from exchange_push_operator.core.schedule import Requeue
from exchange_push_operator.reconcile import deletion
from exchange_push_operator.reconcile.events import events
from exchange_push_operator.reconcile.facts import certificate
from exchange_push_operator.reconcile.gather import gather
from exchange_push_operator.reconcile.grace import within_grace
from exchange_push_operator.reconcile.judge import finding_of
from exchange_push_operator.reconcile.outcome import Outcome, requeue
from exchange_push_operator.reconcile.report import report
from exchange_push_operator.reconcile.session import Session, TenantNotFound, open_session
from exchange_push_operator.reconcile.walk import walk
from exchange_push_operator.reconcile.world import Locks, Memory, World

__all__ = ["Locks", "Memory", "Outcome", "Peer", "World", "reconcile"]

_UNREADABLE_RETRY = 600.0
_ABANDONED = (
    Event("Warning", "Abandoned", "let go as it is by its annotation; nothing was undone"),
)
_NEVER = Requeue("never", _UNREADABLE_RETRY, _UNREADABLE_RETRY)


def reconcile(
    resource: Mapping[str, Any],
    peers: Callable[[], Sequence[Peer]],
    world: World,
    memory: Memory,
) -> Outcome:
    """Look, plan, change, look again. Blocks; raises on bugs only."""
    here = replace(world, stopping=lambda: world.stopping() or memory.superseded())
    outcome = _reconcile(resource, peers, here, memory)
    return replace(outcome, status=fit(outcome.status))


def _reconcile(
    resource: Mapping[str, Any],
    peers: Callable[[], Sequence[Peer]],
    world: World,
    memory: Memory,
) -> Outcome:
    now = world.clock()
    if deletion.abandoned(resource):
        return Outcome(resource.get("status") or {}, _NEVER, _ABANDONED, finalizer=False)
    try:
        config = parse(resource)
    except SpecError as error:
        finding = fails(Reason.INVALID_SPEC, str(error))
        new = status.not_looked(resource, finding, now)
        told = events(resource.get("status") or {}, new, [])
        return Outcome(new, Requeue("stalled", _UNREADABLE_RETRY, _UNREADABLE_RETRY), told)
    return _without_looking(resource, config, world, now) or _looking(
        resource, config, peers, world, memory
    )


def _looking(
    resource: Mapping[str, Any],
    config: PushConfig,
    peers: Callable[[], Sequence[Peer]],
    world: World,
    memory: Memory,
) -> Outcome:
    try:
        return _signed_in(resource, config, peers, world, memory)
    except TenantNotFound:
        return _no_tenant(resource, config, world.clock())
    except PushError as error:
        return _ended_early(resource, config, world, memory, error)


def _no_tenant(resource: Mapping[str, Any], config: PushConfig, now: datetime) -> Outcome:
    if config.deleting:
        finding = fails(Reason.TENANT_NOT_FOUND, f"{config.tenant.domain} is of no tenant")
        return deletion.waiting(resource, config, finding, now)
    new = status.tenant_not_found(resource, now)
    return Outcome(new, requeue(config, "retry"), events(config.status, new, []))


def _without_looking(
    resource: Mapping[str, Any], config: PushConfig, world: World, now: datetime
) -> Outcome | None:
    if config.deleting and deletion.needs_nothing(config):
        return deletion.let_go(config)
    if config.suspended:
        return Outcome(status.suspended(resource, now), requeue(config, "never"))
    ours = FINALIZER in config.finalizers
    if not config.deleting and ours != config.disable_on_delete:
        return Outcome(config.status, requeue(config, "now"), finalizer=config.disable_on_delete)
    if config.deleting and world.read_only:
        message = "the operator runs with --read-only and undoes nothing"
        return deletion.waiting(resource, config, fails(Reason.DELETING, message), now)
    return None


def _signed_in(
    resource: Mapping[str, Any],
    config: PushConfig,
    peers: Callable[[], Sequence[Peer]],
    world: World,
    memory: Memory,
) -> Outcome:
    session = open_session(config, world, world.clock())
    name = f"organization/{config.status.get('organizationId')}"
    holds = world.locks.holds(name)
    observed = gather(session)
    with reading("Get-OrganizationConfig"):
        organization_id = organization.organization_id(observed)
    if config.status.get("organizationId") != organization_id:
        return _introduce(resource, config, organization_id, observed, world.clock())
    lost = _lost(config, organization_id, peers)  # who has lost need not wait to hear it
    if lost is None:
        # One writer per organisation: whoever had to wait looks at what the other one did.
        with world.locks.hold(name) as holders:
            lost = _lost(config, organization_id, peers)
            if lost is None:
                observed = observed if holders == holds else gather(session)
                return _with_lock(resource, session, memory, observed)
    if config.deleting:  # it never wrote anything, so there is nothing to undo
        return deletion.let_go(config)
    raise lost


def _lost(
    config: PushConfig, organization_id: str, peers: Callable[[], Sequence[Peer]]
) -> Refused | None:
    try:
        check_conflict(config, organization_id, peers())
    except Refused as lost:
        return lost
    return None


def _with_lock(
    resource: Mapping[str, Any], session: Session, memory: Memory, observed: Observations
) -> Outcome:
    if session.config.deleting:
        return deletion.retire(resource, session, observed, session.world.clock())
    return _walk(resource, session, memory, observed)


def _walk(
    resource: Mapping[str, Any], session: Session, memory: Memory, observed: Observations
) -> Outcome:
    config, world = session.config, session.world
    passive = config.observe or world.read_only
    refused = next(iter(observed.refusals()), None)
    if refused is not None:
        raise refused
    result = walk(session, memory, observed, may_write=not passive)
    outcome = report(resource, session, result, world.clock(), passive=passive)
    if memory.unreachable_since is None or outcome.requeue.kind != "steady":
        return outcome
    return replace(outcome, requeue=requeue(config, "retry", outcome.requeue.at_least))


def _introduce(
    resource: Mapping[str, Any],
    config: PushConfig,
    organization_id: str,
    observed: Observations,
    now: datetime,
) -> Outcome:
    """Let the others know which organisation this is before anything is written (safety rule 7).

    The certificate that it came with is written down too: one that appears later is a new one,
    and services may have to be restarted for it.
    """
    new = {**status.progressing(resource, now), "organizationId": organization_id}
    new.pop("certificate", None)
    with suppress(PushError), reading("Get-AuthConfig"):
        current = certificate(observed)
        new |= {"certificate": current} if current else {}
    return Outcome(new, requeue(config, "now"))


def _ended_early(
    resource: Mapping[str, Any],
    config: PushConfig,
    world: World,
    memory: Memory,
    error: PushError,
) -> Outcome:
    now = world.clock()
    finding = finding_of(error)
    if config.deleting:
        return deletion.waiting(resource, config, finding, now)
    if finding.status == "False" and finding.reason in STALLED:
        memory.unreachable_since = None
        new = status.not_looked(resource, finding, now)
        return Outcome(new, requeue(config, "stalled"), events(config.status, new, []))
    pause = (error.retry_after or 0.0) if isinstance(error, Throttled) else 0.0
    again = requeue(config, "retry", pause)
    if within_grace(config, world, memory, now):
        return Outcome(config.status, again)
    reason = Reason.THROTTLED if isinstance(error, Throttled) else Reason.UNREACHABLE
    new = status.out_of_reach(resource, str(error), reason, now)
    return Outcome(new, again, events(config.status, new, []))
