"""All that a pass needs from outside, and what is kept between passes."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from exchange_push_operator.core.policy import Policy
from exchange_push_operator.core.ports import (
    Exchange,
    ExchangeAccess,
    Graph,
    GraphAccess,
    Metadata,
    Secrets,
    ServiceAccounts,
)
from exchange_push_operator.reconcile.side_by_side import Together, side_by_side
from exchange_push_operator.reconcile.written import Written


class Locks:
    """Locks by name, made when first wanted: one writer per organization and per principal."""

    def __init__(self) -> None:
        """Start without any."""
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._held: dict[str, int] = {}

    def holds(self, name: str) -> int:
        """How often the lock of this name has been held: another number, another holder since."""
        with self._guard:
            return self._held.get(name, 0)

    @contextmanager
    def hold(self, name: str) -> Iterator[int]:
        """Wait for the lock of this name and keep it for a while; gives ``holds`` before this."""
        with self._guard:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            with self._guard:
                before = self._held.get(name, 0)
                self._held[name] = before + 1
            yield before


def _never() -> bool:
    return False


def _unheard(_entry: Mapping[str, Any]) -> None:
    """Nobody keeps the audit."""


@dataclass(frozen=True, slots=True)
class World:
    """The doors to the outside, made once by the console command."""

    secrets: Secrets
    accounts: ServiceAccounts
    exchange: Callable[[ExchangeAccess], Exchange]
    graph: Callable[[GraphAccess], Graph]
    metadata: Metadata
    policy: Callable[[], Policy]
    clock: Callable[[], datetime]
    locks: Locks = field(default_factory=Locks)
    written: Written = field(default_factory=Written)
    together: Together = side_by_side
    read_only: bool = False
    unreachable_grace: timedelta = timedelta(minutes=5)
    stopping: Callable[[], bool] = _never
    chance: Callable[[], float] = random.random
    audit: Callable[[Mapping[str, Any]], None] = _unheard


@dataclass(slots=True)
class Unseen:
    """A change that was made for a stage, and the servers that have shown it since."""

    stage: str
    made: datetime
    seen_by: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Memory:
    """What one resource's passes remember. Losing it costs a probe and a little patience.

    No decision about a change rests on it (safety rule 5). ``superseded`` tells whether somebody
    has edited or deleted the object since the pass read it; nothing is sent after that.
    """

    probed: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    recalled: bool = False
    unreachable_since: datetime | None = None
    made: dict[str, list[datetime]] = field(default_factory=dict)
    unseen: dict[str, Unseen] = field(default_factory=dict)
    unanswered: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    drifting: set[str] = field(default_factory=set)
    generation: int = 0
    superseded: Callable[[], bool] = _never
