"""All that an assessment has seen, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.looks import Observations
from exchange_push_operator.core.plan import Plan, Step


@dataclass(frozen=True, slots=True)
class Evidence:
    """``resource`` describes the organisation, ``plans`` are what the stages make of it.

    ``not_asked`` is what the command line left out: what is therefore not seen, and how to see it.
    ``troubles`` is what was asked for and could not be looked at.
    """

    server: str
    resource: Mapping[str, Any]
    config: PushConfig
    observed: Observations
    plans: Mapping[str, Plan]
    now: datetime
    not_asked: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every repair, in the order of the stages."""
        return tuple(step for plan in self.plans.values() for step in plan.steps)
