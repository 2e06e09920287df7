"""What a pass gives back to the controller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.events import Event
from exchange_push_operator.core.plan import Step
from exchange_push_operator.core.schedule import Kind, Requeue

RESULTS = ("success", "noop", "changed", "retry", "stalled")
"""How a pass ends. A log field and a metric's label: part of the API."""


@dataclass(frozen=True, slots=True)
class Drift:
    """What had changed although spec had not, and what of it was changed back, by condition."""

    detected: tuple[str, ...] = ()
    corrected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The whole new status, when to look again, and what to tell.

    ``finalizer``: True, our finalizer must be on the object before anything is changed; False, it
    must go; None, leave it as it is. ``planned``: the steps that nothing but leave holds back, in
    the order in which they are performed, ``foreseen``: every step of the plan, each with the
    condition of its stage.
    """

    status: Mapping[str, Any]
    requeue: Requeue
    events: tuple[Event, ...] = ()
    changes: tuple[str, ...] = ()
    finalizer: bool | None = None
    drift: Drift = field(default_factory=Drift)
    planned: tuple[tuple[str, Step], ...] = ()
    foreseen: tuple[tuple[str, Step], ...] = ()

    def result(self, *, wrote: bool) -> str:
        """One of ``RESULTS``: ``noop`` where nothing was written, not even the status."""
        if self.requeue.kind in ("retry", "stalled"):
            return self.requeue.kind
        if self.changes:
            return "changed"
        return "success" if wrote else "noop"


# The date is watched from half of activateAfter on, the current one's end for its last day.
_LOOKS = 4
_SELDOM = timedelta(hours=12)


def requeue(
    config: PushConfig, kind: Kind, at_least: float = 0.0, *, coming: bool = False
) -> Requeue:
    """When to look again, with the resource's own figures.

    ``coming``: Exchange publishes a certificate at a date, and its key may vanish before that.
    """
    timing, interval = config.timing, config.timing.interval
    if coming and config.roll_over:
        interval = min(interval, config.roll_over.activate_after / _LOOKS, _SELDOM)
    return Requeue(
        kind=kind,
        interval=interval.total_seconds(),
        retry_interval=timing.retry_interval.total_seconds(),
        at_least=at_least,
    )
