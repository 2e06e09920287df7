"""The walk: look, plan, change, look again, until nothing is left to do or nothing more can be.

Success is an empty plan after looking again, not a call that raised nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from exchange_push_operator.core.errors import CmdletFailed, OutcomeUnknown, PushError
from exchange_push_operator.core.looks import Observations
from exchange_push_operator.core.plan import Step, unknown
from exchange_push_operator.core.reasons import NOTHING_MOVES, Reason
from exchange_push_operator.reconcile.audit import Trail
from exchange_push_operator.reconcile.gather import gather
from exchange_push_operator.reconcile.grace import bridged
from exchange_push_operator.reconcile.judge import Plans, foreseen, judge
from exchange_push_operator.reconcile.key_writing import PlanVoid
from exchange_push_operator.reconcile.perform import perform
from exchange_push_operator.reconcile.permission import Permission, awaits_administrator
from exchange_push_operator.reconcile.probing import probe, recall
from exchange_push_operator.reconcile.recent import (
    contended,
    failed,
    looked_again,
    remember,
    settling,
    start_anew,
    unsure,
)
from exchange_push_operator.reconcile.session import Session
from exchange_push_operator.reconcile.world import Memory
from exchange_push_operator.stages import STAGES, prerequisites, verification

# A fresh organisation takes, with two servers, seven: make, add the key, assign, restart what signs
# on one server after the other, restart the health managers, look. More servers take another pass.
_MOST_ROUNDS = 10
_FIRST = prerequisites.STAGE.condition
_LAST = verification.STAGE.condition


@dataclass(slots=True)
class Walk:
    """What a walk ended with. ``failure`` is the change that did not work, if one did not.

    ``lost`` has, by step, why it is not known what came of a change.
    """

    observed: Observations
    plans: Plans
    trail: Trail
    permission: Permission
    performed: list[tuple[str, Step]] = field(default_factory=list)
    uncertain: list[tuple[str, Step]] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)
    tried: set[str] = field(default_factory=set)
    failure: tuple[str, PushError] | None = None
    contended: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything was, or may have been, changed."""
        return bool(self.performed or self.uncertain)

    @property
    def made(self) -> list[tuple[str, Step]]:
        """The changes that were made: those that said so, and those that are seen by now."""
        return self.performed + [named for named in self.uncertain if named not in self.remaining]

    @property
    def done(self) -> list[Step]:
        """The same without the names of their stages."""
        return [step for _, step in self.made]

    @property
    def steps(self) -> list[Step]:
        """Every step that is known by now, in order; some have to wait for others."""
        return [step for _, step in foreseen(self.plans)]

    @property
    def remaining(self) -> list[tuple[str, Step]]:
        """Every step that may be next, in order."""
        return [(name, step) for name, plan in self.plans.items() for step in plan.steps]

    def waited_for(self, steps: Iterable[Step]) -> str:
        """What can truthfully be said of changes that were sent and are still planned."""
        lost = [self.lost[step.key] for step in steps if step.key in self.lost]
        return f"sent, outcome not known ({lost[0]})" if lost else "sent, but not seen yet"


def walk(session: Session, memory: Memory, observed: Observations, *, may_write: bool) -> Walk:
    """Go on from the first look until the plan is empty, a change fails, or all has been tried."""
    clock = session.world.clock
    start_anew(memory, session.config.generation)
    recall(session, memory, observed, clock())
    result = _begin(session, memory, observed)
    for _ in range(_MOST_ROUNDS):
        result.trail.looked(_shown(memory, result, clock()))
        result.permission.looked(result.steps)
        steps = performable(session, memory, result) if may_write else []
        if not steps or result.failure:
            break
        result.trail.planned(result.remaining, *result.permission.plan(result.steps))
        if not _round(session, memory, result, steps):
            break
        try:
            observed = gather(session)
        except PushError:  # what was changed is told all the same; the next pass looks at it
            break
        result.observed, result.plans = _look_closer(session, memory, observed, clock())
    _settle(result)
    return result


def _begin(session: Session, memory: Memory, observed: Observations) -> Walk:
    observed, plans = _look_closer(session, memory, observed, session.world.clock())
    steps = [step for _, step in foreseen(plans)]
    permission = Permission(session.config, session.world, steps)
    return Walk(observed, plans, Trail(session, memory), permission)


def _look_closer(
    session: Session, memory: Memory, observed: Observations, now: datetime
) -> tuple[Observations, Plans]:
    """Judge; and where all else is as declared, probe and judge what the probes are for."""
    plans = bridged(judge(session.config, observed, now), session, memory, now)
    if not in_order(plans) or not verification.wanted(session.config):
        return observed, plans
    observed = probe(session, memory, observed, now)
    others = {name: plan for name, plan in plans.items() if name != _LAST}
    return observed, judge(session.config, observed, now, others)


def in_order(plans: Plans) -> bool:
    """Whether all that a probe rests on is as declared.

    A server that has been away for too long keeps nobody from probing the others.
    """
    findings = {name: plan.finding for name, plan in plans.items() if name != _LAST}
    if findings[_FIRST].reason is Reason.UNREACHABLE:
        del findings[_FIRST]
    return all(finding.status == "True" for finding in findings.values())


def permitted(result: Walk) -> list[tuple[str, Step]]:
    """The steps that nothing holds back, in the order in which they are performed."""
    findings = [plan.finding for plan in result.plans.values()]
    if any(f.status == "False" and f.reason in NOTHING_MOVES for f in findings):
        return []
    first = result.plans[_FIRST]
    steps = result.remaining
    if first.finding.status == "False" or first.finding.reason is Reason.NOT_OBSERVED:
        steps = [(name, step) for name, step in steps if step in first.steps]
    return sorted(steps, key=lambda named: named[1].alone)


def performable(session: Session, memory: Memory, result: Walk) -> list[tuple[str, Step]]:
    """The steps that may be performed now and have not been tried in this pass."""
    steps = permitted(result)
    now, reader = session.world.clock(), result.observed.primary
    looked_again(memory, result.plans, reader, now)
    result.tried |= {step.key for _, step in steps if settling(memory, step, reader, now)}
    result.contended = tuple(
        step.key
        for _, step in steps
        if step.key not in result.tried and contended(memory, step, now)
    )
    return [
        (name, step)
        for name, step in steps
        if step.key not in result.tried
        and not awaits_administrator(session, step)
        and step.key not in result.contended
        and result.permission.given(step)
    ]


def _shown(memory: Memory, result: Walk, now: datetime) -> Callable[[str, str], bool | None]:
    """What a look shows of a change whose answer was lost."""
    planned = {step.key: step for _, step in result.remaining}
    reader = result.observed.primary

    def was_made(stage: str, key: str) -> bool | None:
        if key in planned:
            return None if settling(memory, planned[key], reader, now) else False
        return None if result.plans[stage].finding.status == "Unknown" else True

    return was_made


def _round(
    session: Session,
    memory: Memory,
    result: Walk,
    steps: Sequence[tuple[str, Step]],
) -> bool:
    """Perform steps in order up to the first failure; whether another look is worth it.

    Steps that stand alone come last, and are performed all the same. A change window may close
    between two steps.
    """
    for name, step in steps:
        if (result.failure and not step.alone) or not result.permission.given(step):
            continue
        result.tried.add(step.key)
        if name != _LAST:  # what was probed before a change says nothing of after it
            memory.probed.clear()
        try:
            perform(session, result.observed, step, result.trail)
        except PlanVoid:
            result.tried.discard(step.key)
            return True
        except OutcomeUnknown as error:
            # Looked at before anything is repeated (safety rule 6).
            result.uncertain.append((name, step))
            result.lost[step.key] = str(error)
            unsure(memory, name, step, session.world.clock())
            return True
        except PushError as error:
            if isinstance(error, CmdletFailed):
                failed(memory, step, session.world.clock())
            result.failure = result.failure or (name, error)
            continue
        result.performed.append((name, step))
        remember(memory, name, step, session.world.clock())
    return result.changed or not result.failure


def _settle(result: Walk) -> None:
    """Tell what the changes of this pass came to.

    One that was made and is not seen yet is Settling: wait, do not repeat. Of one that failed the
    stage may know why.
    """
    plans = dict(result.plans)
    for stage in STAGES:
        plan = plans[stage.condition]
        tried = [step for step in plan.steps if step.key in result.tried]
        if result.failure and result.failure[0] == stage.condition:
            finding = stage.explain(result.failure[1]) or plan.finding
        elif tried:
            message = f"{result.waited_for(tried)}: {plan.finding.message}"
            finding = unknown(Reason.SETTLING, message)
        else:
            continue
        plans[stage.condition] = replace(plan, finding=finding)
    result.plans = plans
