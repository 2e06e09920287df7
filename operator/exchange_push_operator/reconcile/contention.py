"""Somebody else keeps changing the same thing back: stop, and say so.

Two tools that correct each other for ever would be worse than a drift that is reported. Losing
this memory in a crash costs a few more corrections, nothing else.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from exchange_push_operator.core.plan import Step
from exchange_push_operator.reconcile.world import Memory

_MOST_CORRECTIONS = 5
_WITHIN = timedelta(hours=1)


def contended(memory: Memory, step: Step, now: datetime) -> bool:
    """Whether this very change was made so often lately that another time would not last."""
    made = memory.corrections.get(step.key, ())
    return sum(now - moment < _WITHIN for moment in made) >= _MOST_CORRECTIONS


def remember(memory: Memory, step: Step, now: datetime) -> None:
    """Note a change that was made; older notes than matter are dropped."""
    made = [m for m in memory.corrections.get(step.key, ()) if now - m < _WITHIN]
    memory.corrections[step.key] = [*made, now]
