"""Signs of life, and when their absence means that only a new process will help.

What does not answer elsewhere (Exchange, Entra ID, the API server) is never a reason: a new process
would meet the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

# Seconds.
WATCH_INACTIVITY = 70.0  # kopf connects anew when nothing at all came for so long
LONGEST_LAG = 30.0
LONGEST_SILENCE = 3 * WATCH_INACTIVITY
# What is sent just before the time of a pass is up may take: a turn at the server, a new process
# there, the slowest cmdlet.
_SLOWEST_CALL = 600.0


@dataclass(frozen=True, slots=True)
class Signs:
    """When something was last seen to live, by one steady clock.

    ``watches``: by path, the last time something was asked or came. ``passes``: by resource, the
    moment at which its pass ought to be over.
    """

    loop: float
    watches: Mapping[str, float]
    passes: Mapping[str, float]


def longest_pass(timeout: float) -> float:
    """Seconds after which a pass with this ``spec.timeout`` hangs: twice its time, at least."""
    return max(2 * timeout, timeout + _SLOWEST_CALL)


def complaints(signs: Signs, now: float) -> Iterator[str]:
    """What is wrong with this process; nothing where it lives."""
    if now - signs.loop > LONGEST_LAG:
        yield f"the event loop has stood still for {now - signs.loop:.0f} s"
    for path, seen in sorted(signs.watches.items()):
        if now - seen > LONGEST_SILENCE:
            yield f"the watch {path} has been silent for {now - seen:.0f} s"
    for name, over in sorted(signs.passes.items()):
        if now > over:
            yield f"the pass of {name} ought to have been over {now - over:.0f} s ago"
