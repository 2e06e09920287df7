"""Deletion with policy Disable: undo what only this resource did, then let it go.

docs/deletion.md has the table of what happens when. With Retain there is nothing to do, and no
finalizer that would have to be taken off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from exchange_push_operator.core import change_windows
from exchange_push_operator.core.conditions import IN_SYNC, READY, RECONCILING, STALLED_CONDITION
from exchange_push_operator.core.config import ABANDON, FINALIZER, ManagementPolicy, PushConfig
from exchange_push_operator.core.conflict import Peers, older_peer
from exchange_push_operator.core.errors import OutcomeUnknown, PushError
from exchange_push_operator.core.events import Event
from exchange_push_operator.core.looks import Observations
from exchange_push_operator.core.plan import Finding, Step, fails, plan_hash, unknown
from exchange_push_operator.core.reading import reading
from exchange_push_operator.core.reasons import STALLED, Reason
from exchange_push_operator.core.schedule import Requeue
from exchange_push_operator.core.stage import Retirement, Stage
from exchange_push_operator.core.status import with_findings
from exchange_push_operator.core.timestamps import parse_utc, utc_text
from exchange_push_operator.reconcile.audit import Trail
from exchange_push_operator.reconcile.events import events
from exchange_push_operator.reconcile.gather import gather
from exchange_push_operator.reconcile.judge import finding_of
from exchange_push_operator.reconcile.key_writing import PlanVoid
from exchange_push_operator.reconcile.outcome import Outcome, requeue
from exchange_push_operator.reconcile.perform import perform
from exchange_push_operator.reconcile.permission import awaits_administrator
from exchange_push_operator.reconcile.session import Session
from exchange_push_operator.stages import STAGES

DEADLINE = timedelta(minutes=10)
"""After so long a deletion that still waits is a person's matter; it is tried on all the same."""

_MOST_ROUNDS = 4


def held(resource: Mapping[str, Any]) -> bool:
    """Whether an object is being deleted and waits for us."""
    metadata = resource["metadata"]
    return "deletionTimestamp" in metadata and FINALIZER in (metadata.get("finalizers") or ())


def abandoned(resource: Mapping[str, Any]) -> bool:
    """Whether somebody lets an object go as it is, readable or not."""
    annotations = resource["metadata"].get("annotations") or {}
    return held(resource) and annotations.get(ABANDON) == "true"


def wanted(config: PushConfig) -> bool:
    """Whether there will be something to undo: by policy and mode as they are now."""
    return config.disable_on_delete and config.management is ManagementPolicy.MANAGE


def at_once(config: PushConfig, peers: Peers) -> Outcome | None:
    """Let a deleted object go that has nothing to undo; nobody is asked anything."""
    if not wanted(config) or FINALIZER not in config.finalizers:
        return let_go(config)
    claimed = config.status.get("organizationId")
    if claimed is None:  # it is written before anything else is (safety rule 7)
        return let_go(config, "it has changed nothing, so there is nothing to undo")
    older = older_peer(config, claimed, peers(claimed))
    if older is not None:
        return let_go(config, f"{older} describes the same organization and keeps it as it is")
    return None


def let_go(config: PushConfig, why: str = "") -> Outcome:
    """Take our finalizer off, if it is on; there is nothing to undo."""
    gone = False if FINALIZER in config.finalizers else None
    told = (Event("Normal", "NothingToUndo", why),) if why else ()
    return Outcome(config.status, requeue(config, "never"), told, finalizer=gone)


def retire(
    resource: Mapping[str, Any], session: Session, observed: Observations, trail: Trail
) -> Outcome:
    """Undo, look again, and let go once nothing is left to undo."""
    now = session.world.clock()
    done: list[Step] = []
    config = session.config
    try:
        for _ in range(_MOST_ROUNDS):
            left = retirement(session, observed)
            _keep_trail(trail, left.steps)
            if not left.steps:
                return _gone(config, left, done)
            for step in left.steps:
                moment = session.world.clock()
                if not change_windows.is_open(config.change_windows, moment):
                    return _told(_outside_window(resource, config, moment), done)
                perform(session, observed, step, trail)
                done.append(step)
            observed = gather(session)
        finding = unknown(Reason.SETTLING, "undone, but not seen yet")
    except (PlanVoid, OutcomeUnknown):
        message = "what is being undone has changed in the meantime; looking again"
        finding = unknown(Reason.PROGRESSING, message)
    except PushError as error:
        finding = finding_of(error)
    return _told(waiting(resource, config, finding, now), done)


def _outside_window(resource: Mapping[str, Any], config: PushConfig, now: datetime) -> Outcome:
    """Undoing is a change like others; nobody has to act, however long the window is away."""
    opening = change_windows.next_opening(config.change_windows, now)
    message = f"it is undone in the change window that opens at {utc_text(opening)}"
    outcome = waiting(resource, config, fails(Reason.OUTSIDE_WINDOW, message), now)
    in_time = (opening - now).total_seconds()
    return replace(outcome, requeue=replace(requeue(config, "steady"), no_later=in_time))


def _keep_trail(trail: Trail, steps: tuple[Step, ...]) -> None:
    left = {step.key for step in steps}

    def was_made(stage: str, key: str) -> bool | None:
        # What was to be made true before the deletion: these looks tell nothing of it.
        return key not in left if stage == Reason.DELETING else None

    trail.looked(was_made)
    trail.planned(((Reason.DELETING, step) for step in steps), plan_hash(steps))


def retirement(session: Session, observed: Observations) -> Retirement:
    """What is left to undo, the last stage first, and what stays. Raises what a look raised."""
    now = session.world.clock()
    each = [_of(stage, session.config, observed, now) for stage in reversed(STAGES)]
    steps = [step for one in each for step in one.steps]
    theirs = [step for step in steps if awaits_administrator(session, step)]
    stays = [sentence for one in each for sentence in one.stays]
    stays += [f"an administrator does it, our identity may only read: {s.text}" for s in theirs]
    return Retirement(tuple(s for s in steps if s not in theirs), tuple(stays))


def _of(stage: Stage[Any], config: PushConfig, observed: Observations, now: datetime) -> Retirement:
    with reading(stage.condition):
        seen = stage.observe(config, observed)
    return stage.retire(config, seen, now)


def _gone(config: PushConfig, left: Retirement, done: list[Step]) -> Outcome:
    stays = tuple(Event("Normal", "LeftInPlace", sentence) for sentence in left.stays)
    outcome = Outcome(config.status, requeue(config, "never"), stays, finalizer=False)
    return _told(outcome, done)


def _told(outcome: Outcome, done: list[Step]) -> Outcome:
    """The outcome with what was undone, whether or not the rest worked."""
    told = tuple(Event("Normal", step.event, f"{step.action}: {step.target}") for step in done)
    changes = tuple(step.text for step in done)
    return replace(outcome, events=(*told, *outcome.events), changes=changes)


def waiting(
    resource: Mapping[str, Any], config: PushConfig, finding: Finding, now: datetime
) -> Outcome:
    """The object stays until the undoing works, or the annotation abandon lets it go."""
    remaining = parse_utc(resource["metadata"]["deletionTimestamp"]) + DEADLINE - now
    overdue = remaining <= timedelta() and finding.reason is not Reason.OUTSIDE_WINDOW
    stalled = _stalled(finding, overdue=overdue)
    message = explained(finding).message
    new: dict[str, Finding | None] = {
        READY: fails(stalled or Reason.DELETING, message),
        IN_SYNC: unknown(_unknown(finding), message),
        RECONCILING: None if stalled else Finding("True", Reason.DELETING, message),
        STALLED_CONDITION: Finding("True", stalled, message) if stalled else None,
    }
    status = with_findings(resource, new, now)
    again = requeue(config, "stalled") if stalled else _in_time(config, remaining)
    return Outcome(status, again, events(config.status, status, []))


def explained(finding: Finding) -> Finding:
    """A finding that a deletion waits for, with the way out."""
    way_out = f"the annotation {ABANDON}=true lets it go as it is"
    return replace(finding, message=f"deletion waits: {finding.message}; {way_out}")


def _stalled(finding: Finding, *, overdue: bool) -> Reason | None:
    """Why a person must act: what the finding names, else that it takes too long."""
    if finding.status == "False" and finding.reason in STALLED:
        return finding.reason
    return Reason.DELETION_TIMED_OUT if overdue else None


def _unknown(finding: Finding) -> Reason:
    kept = (Reason.UNREACHABLE, Reason.THROTTLED, Reason.SETTLING)
    return finding.reason if finding.reason in kept else Reason.NOT_OBSERVED


def _in_time(config: PushConfig, remaining: timedelta) -> Requeue:
    """A retry that comes no later than the deadline."""
    usual = requeue(config, "retry")
    return replace(usual, retry_interval=min(usual.retry_interval, remaining.total_seconds()))
