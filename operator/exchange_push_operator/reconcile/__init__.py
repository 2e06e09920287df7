"""One pass over one resource: from the API server's object to its new status."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from exchange_push_operator.core import organization, status
from exchange_push_operator.core.config import FINALIZER, PushConfig
from exchange_push_operator.core.conflict import Peer, Peers, check_conflict
from exchange_push_operator.core.errors import PushError, Refused, SpecError
from exchange_push_operator.core.events import Event
from exchange_push_operator.core.fit import fit
from exchange_push_operator.core.looks import Observations
from exchange_push_operator.core.parse import parse
from exchange_push_operator.core.plan import fails
from exchange_push_operator.core.reading import reading
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.schedule import Requeue
from exchange_push_operator.reconcile import deletion
from exchange_push_operator.reconcile.audit import Trail
from exchange_push_operator.reconcile.drifting import drift
from exchange_push_operator.reconcile.ended_early import ended_early, no_tenant
from exchange_push_operator.reconcile.events import events, follows
from exchange_push_operator.reconcile.facts import certificate
from exchange_push_operator.reconcile.gather import gather
from exchange_push_operator.reconcile.locks import Locks
from exchange_push_operator.reconcile.outcome import Outcome, requeue
from exchange_push_operator.reconcile.report import report
from exchange_push_operator.reconcile.session import Session, TenantNotFound, open_session
from exchange_push_operator.reconcile.walk import Walk, walk
from exchange_push_operator.reconcile.world import Memory, World

__all__ = ["Locks", "Memory", "Outcome", "Peer", "Peers", "World", "reconcile"]

_UNREADABLE_RETRY = 600.0
_ABANDONED = (
    Event("Warning", "Abandoned", "let go as it is by its annotation; nothing was undone"),
)
_NEVER = Requeue("never", _UNREADABLE_RETRY, _UNREADABLE_RETRY)


def reconcile(
    resource: Mapping[str, Any],
    peers: Peers,
    world: World,
    memory: Memory,
) -> Outcome:
    """Look, plan, change, look again. Blocks; raises on bugs only."""
    here = replace(world, stopping=lambda: world.stopping() or memory.superseded())
    outcome = _reconcile(resource, peers, here, memory)
    return replace(outcome, status=fit(outcome.status))


def _reconcile(
    resource: Mapping[str, Any],
    peers: Peers,
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
        if deletion.held(resource):
            finding = deletion.explained(finding)
        new = status.not_looked(resource, finding, now)
        told = events(resource.get("status") or {}, new, [])
        return Outcome(new, Requeue("stalled", _UNREADABLE_RETRY, _UNREADABLE_RETRY), told)
    return _without_looking(resource, config, peers, world, now) or _looking(
        resource, config, peers, world, memory
    )


def _looking(
    resource: Mapping[str, Any],
    config: PushConfig,
    peers: Peers,
    world: World,
    memory: Memory,
) -> Outcome:
    try:
        return _signed_in(resource, config, peers, world, memory)
    except TenantNotFound:
        return no_tenant(resource, config, world.clock())
    except PushError as error:
        return ended_early(resource, config, world, memory, error)


def _without_looking(
    resource: Mapping[str, Any],
    config: PushConfig,
    peers: Peers,
    world: World,
    now: datetime,
) -> Outcome | None:
    if config.deleting and (gone := deletion.at_once(config, peers)):
        return gone
    finalizer = _finalizer(config, world)
    if finalizer is not None:
        return Outcome(config.status, requeue(config, "now"), finalizer=finalizer)
    if config.suspended:
        new = status.suspended(resource, now)
        return Outcome(new, requeue(config, "never"), events(config.status, new, []))
    if config.deleting and world.read_only:
        message = "the operator runs with --read-only and undoes nothing"
        return deletion.waiting(resource, config, fails(Reason.DELETING, message), now)
    return None


def _finalizer(config: PushConfig, world: World) -> bool | None:
    """Whether ours is to be put on, before anything is changed, or taken off; None: as it is."""
    ours, wanted = FINALIZER in config.finalizers, deletion.wanted(config)
    if config.deleting or ours == wanted:
        return None
    if wanted and (config.suspended or world.read_only):  # nothing is going to be changed
        return None
    return wanted


def _signed_in(
    resource: Mapping[str, Any],
    config: PushConfig,
    peers: Peers,
    world: World,
    memory: Memory,
) -> Outcome:
    session = open_session(config, world, world.clock())
    name = f"organization/{config.status.get('organizationId')}"
    lock = world.locks.of(name)
    holds = lock.holds
    observed = gather(session)
    with reading("Get-OrganizationConfig"):
        organization_id = organization.organization_id(observed)
    if config.status.get("organizationId") != organization_id:
        if config.deleting:
            return deletion.let_go(config, f"in {organization_id} it has changed nothing")
        claim = _introduce(resource, config, organization_id, observed, world.clock())
        if _lost(config, organization_id, peers) is not None:
            return claim
        return _at_first_sight(resource, session, memory, observed, claim)
    lost = _lost(config, organization_id, peers)  # who has lost need not wait to hear it
    if lost is None:
        # One writer per organisation: whoever had to wait looks at what the other one did.
        with lock.hold(session.left()) as holders:
            lost = _lost(config, organization_id, peers)
            if lost is None:
                observed = observed if holders == holds else gather(session)
                return _with_lock(resource, session, memory, observed)
    if config.deleting:
        return deletion.let_go(config, "an older resource of the same organization has come up")
    raise lost


def _lost(config: PushConfig, organization_id: str, peers: Peers) -> Refused | None:
    try:
        check_conflict(config, organization_id, peers(organization_id))
    except Refused as lost:
        return lost
    return None


def _with_lock(
    resource: Mapping[str, Any], session: Session, memory: Memory, observed: Observations
) -> Outcome:
    if session.config.deleting:
        return deletion.retire(resource, session, observed, Trail(session, memory))
    return _walk(resource, session, memory, observed)


def _walk(
    resource: Mapping[str, Any], session: Session, memory: Memory, observed: Observations
) -> Outcome:
    refused = next(iter(observed.refusals()), None)
    if refused is not None:
        raise refused
    result = walk(session, memory, observed, may_write=not _passive(session))
    return _told(resource, session, memory, result)


def _at_first_sight(
    resource: Mapping[str, Any],
    session: Session,
    memory: Memory,
    observed: Observations,
    claim: Outcome,
) -> Outcome:
    """Tell all at once of an organisation that is in order; the claim alone where it is not.

    Nothing is changed before the claim has been written (safety rule 7).
    """
    if next(iter(observed.refusals()), None) is not None:
        return claim
    # What is told follows what is stored; that it was looked at meanwhile is never written.
    stored = session.config.status.get("conditions") or ()
    claimed = {**resource, "status": {**claim.status, "conditions": stored}}
    session = replace(session, config=replace(session.config, status=claimed["status"]))
    result = walk(session, memory, observed, may_write=False)
    if result.remaining and not _passive(session):
        return claim
    return _told(claimed, session, memory, result)


def _passive(session: Session) -> bool:
    """Whether nothing is to be changed, by mode or by setting."""
    return session.config.observe or session.world.read_only


def _told(resource: Mapping[str, Any], session: Session, memory: Memory, result: Walk) -> Outcome:
    config, passive = session.config, _passive(session)
    outcome = report(resource, session, result, session.world.clock(), passive=passive)
    if not follows(outcome.status, result.done):
        outcome = replace(outcome, drift=drift(config, memory, result))
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
