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
    def repairs(self) -> tuple[tuple[str, Step], ...]:
        """What may be changed first, in the order of the stages, each with the name of its own."""
        return tuple((name, step) for name, plan in self.plans.items() for step in plan.steps)

    @property
    def waiting(self) -> tuple[tuple[str, Step], ...]:
        """What is known beforehand and comes after them."""
        return tuple((name, step) for name, plan in self.plans.items() for step in plan.later)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The repairs without those names."""
        return tuple(step for _, step in self.repairs)
