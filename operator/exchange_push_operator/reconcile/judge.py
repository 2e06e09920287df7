"""What every stage makes of the observations. An error of looking is a finding, never a plan."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.errors import PushError, Refused, SpecError, Throttled, Unreachable
from exchange_push_operator.core.looks import Observations
from exchange_push_operator.core.plan import Finding, Plan, fails, unknown
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.stage import Stage
from exchange_push_operator.stages import STAGES

Plans = Mapping[str, Plan]


def judge(config: PushConfig, observed: Observations, now: datetime) -> Plans:
    """One plan for each stage, by condition, in the order of the stages."""
    return {stage.condition: _judge(stage, config, observed, now) for stage in STAGES}


def _judge(stage: Stage[Any], config: PushConfig, observed: Observations, now: datetime) -> Plan:
    try:
        return stage.plan(config, stage.observe(config, observed), now)
    except PushError as error:
        return Plan(finding_of(error))


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
