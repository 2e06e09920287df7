"""When a resource is looked at again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias, assert_never

Kind: TypeAlias = Literal["steady", "retry", "stalled", "now", "never"]

_FIRST_RETRY = 1.0
_MOST_DOUBLINGS = 30  # far beyond every retryInterval; keeps the power a finite number


@dataclass(frozen=True, slots=True)
class Requeue:
    """What a pass asks for; all figures in seconds.

    ``steady`` looks again after ``interval``, ``retry`` backs off exponentially up to
    ``retry_interval``, ``stalled`` waits a flat ``retry_interval`` because a person must act
    first, ``now`` does not wait, ``never`` waits for a change. ``at_least`` is the pause that a
    remote side asked for (Retry-After). ``no_later``: then a change window opens.
    """

    kind: Kind
    interval: float
    retry_interval: float
    at_least: float = 0.0
    no_later: float = math.inf


def delay(requeue: Requeue, failures: int, max_interval: float | None, rng_value: float) -> float:
    """Seconds until the next look; infinite for ``never``.

    Args:
        requeue: What the pass asked for.
        failures: Failed passes in a row before this one.
        max_interval: The installer's cap on every ``interval``; None for no cap.
        rng_value: A random number from 0 to 1: resources that were created together must not be
            looked at together for ever.
    """
    match requeue.kind:
        case "steady":
            wanted = capped(requeue.interval, max_interval) * (0.9 + 0.2 * rng_value)
        case "retry":
            # Jitter downwards only: retryInterval is the longest back-off.
            wanted = _back_off(requeue.retry_interval, failures) * (0.75 + 0.25 * rng_value)
        case "stalled":
            wanted = requeue.retry_interval
        case "now":
            wanted = 0.0
        case "never":
            wanted = math.inf
        case _:
            assert_never(requeue.kind)
    return max(min(wanted, requeue.no_later), requeue.at_least)


def capped(interval: float, max_interval: float | None) -> float:
    """The interval that counts, in seconds: the resource's, at most the installer's."""
    return interval if max_interval is None else min(interval, max_interval)


def _back_off(longest: float, failures: int) -> float:
    return min(longest, _FIRST_RETRY * 2.0 ** min(failures, _MOST_DOUBLINGS))
