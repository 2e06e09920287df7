"""Workers are shared out in lanes: however slow some organisations are, others pass.

Each organisation has a lane of its own, a quarter of the workers wide. Several resources may name
the same servers: only one of them may write, but all are looked at, and at a slow server they wait
for one another, each with a worker. What failed last time shares one half of the workers, and with
what was never seen to answer three quarters of them. So a dozen resources that name dead servers
keep neither a new one waiting nor those that are in order.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from dataclasses import dataclass

from exchange_push_operator.handlers.workqueue import Key


@dataclass(frozen=True, slots=True)
class Lane:
    """``width`` is how many keys of it may be at work at once."""

    name: str
    width: int


def lanes_of(organization: str, workers: int, *, known: bool, failed: bool) -> tuple[Lane, ...]:
    """The lanes of one resource; ``known`` is whether its organisation has ever answered."""
    found = [Lane(organization, max(1, workers // 4))]
    if failed:
        found.append(Lane("what failed last time", max(1, workers // 2)))
    if failed or not known:
        found.append(Lane("what is in doubt", workers - workers // 4))
    return tuple(found)


class Lanes:
    """What is at work in each lane, and what waits for room in all of its lanes."""

    def __init__(self) -> None:
        """Nothing is at work yet."""
        self._at_work: Counter[Lane] = Counter()
        self._inside: dict[Key, tuple[Lane, ...]] = {}
        # A key waits at one lane, which is full. Whoever leaves that one lets it go on.
        self._waiting: defaultdict[Lane, deque[tuple[Key, tuple[Lane, ...]]]] = defaultdict(deque)

    def enter(self, key: Key, lanes: tuple[Lane, ...]) -> bool:
        """Whether the key is in; else it waits, and a ``leave`` will tell that it is."""
        if key in self._inside:
            return True
        full = next((lane for lane in lanes if self._at_work[lane] >= lane.width), None)
        if full is not None:
            self._waiting[full].append((key, lanes))
            return False
        self._at_work.update(lanes)
        self._inside[key] = lanes
        return True

    def leave(self, key: Key) -> list[Key]:
        """There is room for others: the keys that are in now, those that waited for longest."""
        lanes = self._inside.pop(key)
        self._at_work.subtract(lanes)
        self._at_work += Counter()  # drops what is zero
        return [entered for lane in lanes for entered in self._let_in(lane)]

    def _let_in(self, lane: Lane) -> list[Key]:
        entered = []
        waiting = self._waiting.pop(lane, deque())
        while waiting and self._at_work[lane] < lane.width:
            key, lanes = waiting.popleft()
            if self.enter(key, lanes):  # else it waits at another one of its lanes
                entered.append(key)
        if waiting:
            self._waiting[lane] = waiting
        return entered
