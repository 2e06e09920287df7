"""One organisation has a lane of its own, a few workers wide: however slow it is, others pass.

Several resources may name the same servers. Only one of them may write, but all are looked at, and
at a slow server they wait for one another, each with a worker.
"""

from __future__ import annotations

from collections import Counter, deque

from exchange_push_operator.handlers.workqueue import Key


class Lanes:
    """What is at work in each lane, and what waits for its turn there."""

    def __init__(self, width: int) -> None:
        """``width`` is how many keys of one lane may be at work at once."""
        self._width = width
        self._at_work: Counter[str] = Counter()
        self._waiting: dict[str, deque[Key]] = {}

    def enter(self, lane: str, key: Key) -> bool:
        """Whether there is room; else the key waits, and ``leave`` gives it out."""
        if self._at_work[lane] < self._width:
            self._at_work[lane] += 1
            return True
        self._waiting.setdefault(lane, deque()).append(key)
        return False

    def leave(self, lane: str) -> Key | None:
        """There is room for one more; the key that has waited for longest."""
        self._at_work[lane] -= 1
        if not self._at_work[lane]:
            del self._at_work[lane]
        waiting = self._waiting.get(lane)
        if not waiting:
            return None
        key = waiting.popleft()
        if not waiting:
            del self._waiting[lane]
        return key
