"""One writer at a time for each organization, and for each principal."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakValueDictionary

from exchange_push_operator.core.errors import Unreachable


class Lock:
    """Of one organization or principal. ``holds``: another number, another holder since."""

    def __init__(self) -> None:
        """Nobody has held it yet."""
        self._lock = threading.Lock()
        self.holds = 0

    @contextmanager
    def hold(self, longest: float) -> Iterator[int]:
        """Wait for it, ``longest`` seconds, and keep it; gives ``holds`` before this.

        Raises: Unreachable where another one keeps it for longer.
        """
        if not self._lock.acquire(timeout=max(longest, 0.0)):
            message = "another resource is at work there for a long time; the next pass goes on"
            raise Unreachable(message)
        try:
            before = self.holds
            self.holds += 1
            yield before
        finally:
            self._lock.release()


class Locks:
    """By name. A lock that no pass knows of any more is forgotten."""

    def __init__(self) -> None:
        """Start without any."""
        self._guard = threading.Lock()
        self._known: WeakValueDictionary[str, Lock] = WeakValueDictionary()

    def __len__(self) -> int:
        """How many are in use."""
        return len(self._known)

    def of(self, name: str) -> Lock:
        """The lock of this name, the same for all who have it at once."""
        with self._guard:
            lock = self._known.get(name)
            if lock is None:
                lock = self._known[name] = Lock()
            return lock
