"""Deletion with policy Disable: undo what only this resource did, then let it go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from exchange_push_operator.core.conditions import IN_SYNC, READY, RECONCILING, STALLED_CONDITION
from exchange_push_operator.core.config import ABANDON, FINALIZER, PushConfig
from exchange_push_operator.core.errors import OutcomeUnknown, PushError
from exchange_push_operator.core.events import Event
from exchange_push_operator.core.looks import Observations
from exchange_push_operator.core.plan import Finding, Step, fails, unknown
from exchange_push_operator.core.reading import reading
from exchange_push_operator.core.reasons import STALLED, Reason
from exchange_push_operator.core.stage import Stage
from exchange_push_operator.core.status import with_findings
from exchange_push_operator.reconcile.audit import Trail
from exchange_push_operator.reconcile.gather import gather
from exchange_push_operator.reconcile.judge import finding_of
from exchange_push_operator.reconcile.key_writing import PlanVoid
from exchange_push_operator.reconcile.outcome import Outcome, requeue
from exchange_push_operator.reconcile.perform import perform
from exchange_push_operator.reconcile.session import Session
from exchange_push_operator.stages import STAGES

_MOST_ROUNDS = 4


def abandoned(resource: Mapping[str, Any]) -> bool:
    """Whether somebody lets an object go as it is, readable or not."""
    metadata = resource["metadata"]
    wanted = (metadata.get("annotations") or {}).get(ABANDON) == "true"
    held = FINALIZER in (metadata.get("finalizers") or ())
    return wanted and held and "deletionTimestamp" in metadata


def needs_nothing(config: PushConfig) -> bool:
    """Whether the object may go as it is: by its policy and mode as they are now."""
    kept = not config.disable_on_delete or config.observe
    return kept or FINALIZER not in config.finalizers


def let_go(config: PushConfig) -> Outcome:
    """Take our finalizer off, if it is on; there is nothing more to do."""
    gone = False if FINALIZER in config.finalizers else None
    return Outcome(config.status, requeue(config, "never"), finalizer=gone)


def retire(
    resource: Mapping[str, Any], session: Session, observed: Observations, trail: Trail
) -> Outcome:
    """Undo, look again, and let go once nothing is left to undo."""
    now = session.world.clock()
    done: list[Step] = []
    try:
        for _ in range(_MOST_ROUNDS):
            steps = retirements(session, observed)
            _keep_trail(trail, steps)
            if not steps:
                return _gone(session, done)
            for step in steps:
                perform(session, observed, step, trail)
                done.append(step)
            observed = gather(session)
    except (PlanVoid, OutcomeUnknown):
        message = "what is being undone has changed in the meantime; looking again"
        return _told(
            waiting(resource, session.config, unknown(Reason.PROGRESSING, message), now), done
        )
    except PushError as error:
        return _told(waiting(resource, session.config, finding_of(error), now), done)
    message = "undone, but not seen yet"
    return _told(waiting(resource, session.config, unknown(Reason.SETTLING, message), now), done)


def _keep_trail(trail: Trail, steps: tuple[Step, ...]) -> None:
    left = {step.key for step in steps}
    trail.looked(lambda _, key: key not in left)
    trail.planned((Reason.DELETING, step) for step in steps)


def retirements(session: Session, observed: Observations) -> tuple[Step, ...]:
    """What is left to undo, the last stage first. Raises what a look raised."""
    return tuple(
        step
        for stage in reversed(STAGES)
        for step in _retirements_of(stage, session.config, observed, session.world.clock())
    )


def _retirements_of(
    stage: Stage[Any], config: PushConfig, observed: Observations, now: datetime
) -> tuple[Step, ...]:
    with reading(stage.condition):
        seen = stage.observe(config, observed)
    return stage.retire(config, seen, now)


def _gone(session: Session, done: list[Step]) -> Outcome:
    config = session.config
    return _told(Outcome(config.status, requeue(config, "never"), finalizer=False), done)


def _told(outcome: Outcome, done: list[Step]) -> Outcome:
    """The outcome with what was undone, whether or not the rest worked."""
    told = tuple(Event("Normal", step.event, f"{step.action}: {step.target}") for step in done)
    return replace(outcome, events=told, changes=tuple(step.text for step in done))


def waiting(
    resource: Mapping[str, Any], config: PushConfig, finding: Finding, now: datetime
) -> Outcome:
    """The object stays until the undoing works, or the annotation abandon lets it go."""
    blocked = finding.status == "False" and finding.reason in STALLED
    message = (
        f"deletion waits: {finding.message}; the annotation {ABANDON}=true lets it go as it is"
    )
    new: dict[str, Finding | None] = {
        READY: fails(finding.reason if blocked else Reason.DELETING, message),
        IN_SYNC: unknown(Reason.UNREACHABLE, message),
        RECONCILING: None if blocked else Finding("True", Reason.DELETING, message),
        STALLED_CONDITION: Finding("True", finding.reason, message) if blocked else None,
    }
    status = with_findings(resource, new, now)
    return Outcome(status, requeue(config, "stalled" if blocked else "retry"))
