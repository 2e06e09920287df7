"""Deletion with policy Disable: undo what only this resource did, then let it go."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from exchange_push_operator.core.conditions import IN_SYNC, READY, RECONCILING, STALLED_CONDITION
from exchange_push_operator.core.config import ABANDON, FINALIZER, PushConfig
from exchange_push_operator.core.errors import OutcomeUnknown, PushError
from exchange_push_operator.core.events import Event
from exchange_push_operator.core.looks import Observations
from exchange_push_operator.core.plan import Finding, Step, fails, unknown
from exchange_push_operator.core.reasons import STALLED, Reason
from exchange_push_operator.core.status import with_findings
from exchange_push_operator.reconcile.gather import gather
from exchange_push_operator.reconcile.judge import finding_of
from exchange_push_operator.reconcile.outcome import Outcome, requeue
from exchange_push_operator.reconcile.perform import PlanVoid, perform
from exchange_push_operator.reconcile.session import Session
from exchange_push_operator.stages import STAGES

_MOST_ROUNDS = 4


def needs_nothing(config: PushConfig) -> bool:
    """Whether the object may go as it is."""
    return FINALIZER not in config.finalizers or config.annotations.get(ABANDON) == "true"


def let_go(config: PushConfig) -> Outcome:
    """Take our finalizer off, if it is on; there is nothing more to do."""
    gone = False if FINALIZER in config.finalizers else None
    return Outcome(config.status, requeue(config, "never"), finalizer=gone)


def retire(
    resource: Mapping[str, Any], session: Session, observed: Observations, now: datetime
) -> Outcome:
    """Undo, look again, and let go once nothing is left to undo."""
    done: list[Step] = []
    try:
        for _ in range(_MOST_ROUNDS):
            steps = retirements(session, observed)
            if not steps:
                return _gone(session, done)
            for step in steps:
                perform(session, observed, step)
                done.append(step)
            observed = gather(session)
    except (PlanVoid, OutcomeUnknown):
        message = "what is being undone has changed in the meantime; looking again"
        return waiting(resource, session.config, unknown(Reason.PROGRESSING, message), now)
    except PushError as error:
        return waiting(resource, session.config, finding_of(error), now)
    message = "undone, but not seen yet"
    return waiting(resource, session.config, unknown(Reason.SETTLING, message), now)


def retirements(session: Session, observed: Observations) -> tuple[Step, ...]:
    """What is left to undo, the last stage first. Raises what a look raised."""
    return tuple(
        step
        for stage in reversed(STAGES)
        for step in stage.retire(session.config, stage.observe(session.config, observed))
    )


def _gone(session: Session, done: list[Step]) -> Outcome:
    config = session.config
    told = tuple(Event("Normal", step.event, f"{step.action}: {step.target}") for step in done)
    changes = tuple(step.text for step in done)
    return Outcome(config.status, requeue(config, "never"), told, changes, finalizer=False)


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
