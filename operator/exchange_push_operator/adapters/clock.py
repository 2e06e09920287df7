"""The clocks: the only place that reads the time of day."""

from __future__ import annotations

import time
from datetime import UTC, datetime

# Goes on while the machine sleeps; a lease runs out meanwhile. Linux alone has it.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)


def steady() -> float:
    """Seconds of a clock that nobody sets, that never stops, and that means nothing elsewhere."""
    return time.clock_gettime(_STEADY)
