"""The work queue: which resource is looked at next. Semantics of client-go's workqueue.

A key waits at most once, is never held by two workers at once, and a change cuts a pending delay
short. One thing more than client-go's first queue: what somebody changed goes ahead of what is
only due, so an edit does not wait behind the first looks of a thousand resources.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Protocol, TypeAlias

Key: TypeAlias = tuple[str, str]  # namespace, name


class Handle(Protocol):
    """A pending call."""

    def cancel(self) -> None:
        """Do not call any more."""
        ...

    def when(self) -> float:
        """The time at which the call is due."""
        ...


class Timers(Protocol):
    """The part of an event loop that the queue needs; tests bring a clock of their own."""

    def time(self) -> float:
        """Now, in seconds of a clock that never goes back."""
        ...

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Handle:
        """Call back after ``delay`` seconds."""
        ...


class WorkQueue:
    """Keys that wait, keys at work, keys that are due later. To be used in one event loop."""

    def __init__(self, timers: Timers) -> None:
        """Start empty and open."""
        self._timers = timers
        self._urgent: OrderedDict[Key, float] = OrderedDict()  # since when it waits
        self._routine: OrderedDict[Key, float] = OrderedDict()
        self._resumed: deque[Key] = deque()
        self._busy: set[Key] = set()
        self._again: dict[Key, bool] = {}  # added while busy; True: urgently
        self._later: dict[Key, Handle] = {}
        self._failures: dict[Key, int] = {}
        self._tickets = asyncio.Semaphore(0)
        self._closed = False

    def __len__(self) -> int:
        """How many keys wait for a worker."""
        return len(self._urgent) + len(self._routine)

    @property
    def oldest(self) -> float:
        """For how many seconds the key has waited that waits for longest. Safe in every thread."""
        waiting = [*list(self._urgent.values()), *list(self._routine.values())]
        return self._timers.time() - min(waiting) if waiting else 0.0

    def add(self, key: Key, *, urgent: bool = True) -> None:
        """Look at it as soon as a worker is free; a pending delay is cut short."""
        self._cancel_delay(key)
        if key in self._busy:
            self._again[key] = urgent or self._again.get(key, False)
        else:
            self._enqueue(key, urgent=urgent)

    def add_after(self, key: Key, seconds: float) -> None:
        """Look at it later, unless it is to be looked at sooner anyway."""
        if seconds <= 0:
            self.add(key)
        elif not self._comes_sooner(key, seconds):
            self._cancel_delay(key)
            self._later[key] = self._timers.call_later(seconds, lambda: self._due(key))

    async def get(self) -> Key | None:
        """Wait for a key and hold it until ``done``; None once the queue is closed."""
        while True:
            await self._tickets.acquire()
            if self._closed:
                self._tickets.release()  # for the next one who waits
                return None
            if self._resumed:
                return self._resumed.popleft()
            for waiting in (self._urgent, self._routine):
                if waiting:
                    key, _ = waiting.popitem(last=False)
                    self._busy.add(key)
                    return key

    def done(self, key: Key) -> None:
        """Let go of a key; it waits again if it was added meanwhile."""
        self._busy.discard(key)
        urgent = self._again.pop(key, None)
        if urgent is not None:
            self._enqueue(key, urgent=urgent)

    def resume(self, key: Key) -> None:
        """Give out a key that is held once more, before all others; it was held up till now."""
        self._again.pop(key, None)  # the pass that begins now sees it all
        self._resumed.append(key)
        self._tickets.release()

    def drop(self, key: Key) -> None:
        """Forget all about a key whose object is gone. A worker that holds it calls ``done``."""
        self._cancel_delay(key)
        self._urgent.pop(key, None)
        self._routine.pop(key, None)
        self._again.pop(key, None)
        self._failures.pop(key, None)

    def failures(self, key: Key) -> int:
        """Failed passes in a row."""
        return self._failures.get(key, 0)

    def failed(self, key: Key) -> None:
        """Count one failed pass more."""
        self._failures[key] = self.failures(key) + 1

    def succeeded(self, key: Key) -> None:
        """Start counting anew."""
        self._failures.pop(key, None)

    def close(self) -> None:
        """Give nothing out any more: whoever waits in ``get``, now or later, gets None."""
        self._closed = True
        for key in list(self._later):
            self._cancel_delay(key)
        self._tickets.release()

    def _enqueue(self, key: Key, *, urgent: bool) -> None:
        if key in self._urgent:
            return
        since = self._routine.get(key)
        if since is not None and not urgent:
            return
        self._routine.pop(key, None)
        now = self._timers.time()
        (self._urgent if urgent else self._routine)[key] = now if since is None else since
        if since is None:
            self._tickets.release()

    def _comes_sooner(self, key: Key, seconds: float) -> bool:
        if key in self._urgent or key in self._routine or key in self._again:
            return True
        pending = self._later.get(key)
        return pending is not None and pending.when() <= self._timers.time() + seconds

    def _due(self, key: Key) -> None:
        self.add(key, urgent=False)

    def _cancel_delay(self, key: Key) -> None:
        pending = self._later.pop(key, None)
        if pending is not None:
            pending.cancel()
