"""All that a pass needs from outside, and what is kept between passes."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from exchange_push_operator.core.errors import Unreachable
from exchange_push_operator.core.policy import Policy
from exchange_push_operator.core.ports import (
    Exchange,
    ExchangeAccess,
    Fence,
    Graph,
    GraphAccess,
    Metadata,
    Secrets,
    ServiceAccounts,
    no_fence,
)
from exchange_push_operator.reconcile.locks import Locks
from exchange_push_operator.reconcile.side_by_side import Together, side_by_side
from exchange_push_operator.reconcile.written import Written


def _never() -> bool:
    return False


def _unheard(_entry: Mapping[str, Any]) -> None:
    """Nobody keeps the audit."""


@dataclass(frozen=True, slots=True)
class World:
    """The doors to the outside, made once by the console command."""

    secrets: Secrets
    accounts: ServiceAccounts
    exchange: Callable[[ExchangeAccess, Fence], Exchange]
    graph: Callable[[GraphAccess], Graph]
    metadata: Metadata
    policy: Callable[[], Policy]
    clock: Callable[[], datetime]
    locks: Locks = field(default_factory=Locks)
    written: Written = field(default_factory=Written)
    together: Together = side_by_side
    read_only: bool = False
    safety_acts_outside_windows: bool = True
    unreachable_grace: timedelta = timedelta(minutes=5)
    stopping: Callable[[], bool] = _never
    chance: Callable[[], float] = random.random
    audit: Callable[[Mapping[str, Any]], None] = _unheard

    def go_on(self) -> float:
        """A fence: whether what the pass was begun for is still wanted.

        Raises: Unreachable.
        """
        if self.stopping():
            message = "the operator is stopping, or the resource was edited; the next pass goes on"
            raise Unreachable(message)
        return no_fence()


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
