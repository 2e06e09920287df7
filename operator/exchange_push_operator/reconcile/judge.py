"""What every stage makes of the observations. An error of looking is a finding, never a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.errors import PushError, Refused, SpecError, Throttled, Unreachable
from exchange_push_operator.core.looks import Observations
from exchange_push_operator.core.plan import Finding, Plan, Step, fails, unknown
from exchange_push_operator.core.reading import reading
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.stage import Stage
from exchange_push_operator.stages import STAGES

Plans = Mapping[str, Plan]
_NOTHING: Plans = MappingProxyType({})
_WAITING = unknown(Reason.WAITS_FOR_CONFIGURATION, "waits for PrerequisitesMet")


def judge(
    config: PushConfig, observed: Observations, now: datetime, known: Plans = _NOTHING
) -> Plans:
    """One plan for each stage, by condition, in the order of the stages.

    What is ``known`` is not judged again. Where the prerequisites are not met, what cannot be
    looked at waits for them: a server that is too old lacks cmdlets, and that is no matter of
    rights.
    """
    plans: dict[str, Plan] = {}
    unmet = False
    for stage in STAGES:
        try:
            plan = known.get(stage.condition) or _plan(stage, config, observed, now)
        except PushError as error:
            plan = Plan(_WAITING if unmet else finding_of(error), unseen=True)
        plans[stage.condition] = plan
        unmet = unmet or (stage is STAGES[0] and blocks(plan))
    return _awaited(plans)


def _awaited(plans: Plans) -> Plans:
    """Without the steps of a stage that waits for the others, where none of those moves."""
    waiting = {n for n, p in plans.items() if p.finding.reason is Reason.WAITS_FOR_CONFIGURATION}
    if any(_moves(plan) for name, plan in plans.items() if name not in waiting):
        return plans
    return {n: replace(plan, later=()) if n in waiting else plan for n, plan in plans.items()}


def _moves(plan: Plan) -> bool:
    settles = plan.unseen or plan.finding.reason is Reason.SETTLING
    return bool(plan.steps or plan.later or settles)


def _plan(stage: Stage[Any], config: PushConfig, observed: Observations, now: datetime) -> Plan:
    with reading(stage.condition):
        seen = stage.observe(config, observed)
    return stage.plan(config, seen, now)


def foreseen(plans: Plans) -> list[tuple[str, Step]]:
    """Every step that is known by now, with its stage: those that are next, and those later."""
    return [(name, step) for name, plan in plans.items() for step in (*plan.steps, *plan.later)]


def blocks(plan: Plan) -> bool:
    """Whether nothing else may be changed before a person has mended this."""
    return plan.finding.status == "False" and not plan.steps


def finding_of(error: PushError) -> Finding:
    """The finding of a stage that could not look."""
    match error:
        case Refused():
            return fails(error.reason, str(error))
        case SpecError():
            return fails(Reason.INVALID_SPEC, str(error))
        case Throttled():
            return unknown(Reason.THROTTLED, str(error))
        case Unreachable():
            return unknown(Reason.UNREACHABLE, str(error))
        case _:
            return unknown(Reason.NOT_OBSERVED, str(error))
