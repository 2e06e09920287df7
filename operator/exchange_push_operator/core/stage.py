"""A stage: what it looks at, how it reads the answers, and what it would do about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.errors import PushError
from exchange_push_operator.core.looks import Looks, Observations
from exchange_push_operator.core.plan import Finding, Plan, Step

Observed = TypeVar("Observed")


def _nothing_more(_config: PushConfig, _observed: Observations) -> Looks:
    return Looks()


@dataclass(frozen=True, slots=True)
class Retirement:
    """What deletion undoes, and what of ours it leaves: a sentence each, with the reason."""

    steps: tuple[Step, ...] = ()
    stays: tuple[str, ...] = ()


def _nothing_to_retire(_config: PushConfig, _observed: object, _now: datetime) -> Retirement:
    return Retirement()


def _no_explanation(_error: PushError) -> Finding | None:
    return None


@dataclass(frozen=True, slots=True)
class Stage(Generic[Observed]):
    """One condition of the resource.

    ``observe`` raises a PushError where it could not look; then the condition is Unknown and
    nothing is planned. ``plan`` is pure. ``more`` asks for looks that follow from the first
    answers. ``retire`` undoes on deletion what only this resource did; it raises a PushError where
    that could not be seen. ``explain`` says what the
    failure of one of its changes means, where that is known better than "it failed".
    """

    condition: str
    looks: Callable[[PushConfig], Looks]
    observe: Callable[[PushConfig, Observations], Observed]
    plan: Callable[[PushConfig, Observed, datetime], Plan]
    more: Callable[[PushConfig, Observations], Looks] = _nothing_more
    retire: Callable[[PushConfig, Observed, datetime], Retirement] = _nothing_to_retire
    explain: Callable[[PushError], Finding | None] = _no_explanation
