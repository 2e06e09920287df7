"""The election: asks for the Lease again and again, and knows at every moment whether we lead.

It runs in the event loop on purpose. A leader whose loop stands still does no work, so it ought to
lose the lease and not to keep it; ``fence`` needs no loop, so nothing is written meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from exchange_push_operator.core.errors import PushError, Unreachable
from exchange_push_operator.core.lease import (
    LEASE_DURATION,
    LOOK_PERIOD,
    MARGIN,
    RENEW_DEADLINE,
    RETRY_PERIOD,
    Leases,
    Sight,
    claim,
    release,
    see,
)

_LOG = logging.getLogger(__name__)

T = TypeVar("T")

_ATTEMPT = RENEW_DEADLINE / 2  # seconds; a call that hangs must leave time for another one


@dataclass(frozen=True, slots=True)
class Clocks:
    """``steady`` decides, ``date`` is written down for people."""

    steady: Callable[[], float]
    date: Callable[[], datetime]


class Election:
    """One replica's part in it. ``me`` must be a name that no other process ever has."""

    def __init__(self, leases: Leases, me: str, clocks: Clocks) -> None:
        """Ask for nothing yet."""
        self._leases, self.me, self._clocks = leases, me, clocks
        self._sight: Sight | None = None  # none before the first answer
        self._until = -math.inf  # the last moment that we may write in
        # One may hang in a call while the other one asks again.
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="lease")

    @property
    def holder(self) -> str:
        """Who leads, as far as is known; empty for nobody."""
        return self._sight.lease.holder if self._sight else ""

    def leads(self) -> bool:
        """Whether we may write at this moment. Safe in every thread."""
        return self._clocks.steady() < self._until

    def fence(self) -> float:
        """To be asked right before a write; the seconds after which it must have left us.

        Raises: Unreachable where we do not lead (any more).
        """
        left = self._until - self._clocks.steady()
        if left <= 0:
            raise Unreachable("this replica does not lead any more; nothing was sent")
        return left + MARGIN

    async def acquire(self) -> None:
        """Wait until we lead.

        Raises: PushError where the first try fails in a way that no waiting cures.
        """
        first = True
        while not await self._attempt(RENEW_DEADLINE, first=first):
            if first and self._sight and self._sight.missing is not None:
                _LOG.info("no Lease is there; leading in %s s, if nobody else does", LEASE_DURATION)
            first = False
            await asyncio.sleep(self._pause())
        _LOG.info("%s leads now", self.me)

    async def keep(self) -> None:
        """Renew the lease; returns when it is lost."""
        while self.leads():
            await asyncio.sleep(min(RETRY_PERIOD, self._left()))
            if self.leads():
                await self._attempt(self._left())
        _LOG.error("%s could not renew its lease; it does not lead any more", self.me)

    async def release(self) -> None:
        """Give the lease back, so that another one need not wait for its end. Never raises."""
        held, self._until = self._until > -math.inf, -math.inf
        try:
            if held:
                await self._within(_ATTEMPT, self._give_back)
        except (PushError, TimeoutError) as error:
            _LOG.warning("the lease was not given back and runs out by itself: %s", error)
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _left(self) -> float:
        return max(0.0, self._until - self._clocks.steady())

    def _pause(self) -> float:
        """Until the next look of a standby; not all at the same moment, and not past the end."""
        pause = LOOK_PERIOD * (0.75 + 0.25 * random.random())  # noqa: S311 - no secret
        if self._sight is None:
            return pause
        end = self._sight.free_at - self._clocks.steady()
        return min(pause, end + 0.01) if end > 0 else pause

    async def _attempt(self, longest: float, *, first: bool = False) -> bool:
        """One try to lead, or to go on leading; whether it came true."""
        began = self._clocks.steady()
        try:
            sight, won = await self._within(min(longest, _ATTEMPT), self._try)
        except (PushError, TimeoutError) as error:
            if first and not isinstance(error, Unreachable | TimeoutError):
                raise
            _LOG.warning("the lease: %s", str(error) or "the API server does not answer in time")
            return False
        self._sight = sight
        if won:
            # Counted from before the request: the API server may have taken it as early as that.
            self._until = began + RENEW_DEADLINE
        elif sight.lease.holder not in ("", self.me):
            self._until = -math.inf  # somebody else leads: no waiting for the deadline
        return won

    async def _within(self, seconds: float, call: Callable[[], T]) -> T:
        running = asyncio.get_running_loop().run_in_executor(self._threads, call)
        return await asyncio.wait_for(running, seconds)

    def _try(self) -> tuple[Sight, bool]:
        before, found = self._sight, self._leases.read()
        lease, stored = found or (None, None)
        now = self._clocks.steady()
        sight = see(before, lease, now)
        wanted = claim(self.me, sight, now, self._clocks.date())
        if wanted is None or not self._leases.write(wanted, stored):
            return sight, False
        # A lease counts from before it was written, a stand-in from when it was surely there.
        since = self._clocks.steady() if wanted.stands_in else now
        return see(sight, wanted, since), wanted.holder == self.me

    def _give_back(self) -> None:
        for _ in range(2):  # a renewal may just be under way, and be faster
            found = self._leases.read()
            wanted = release(self.me, found[0], self._clocks.date()) if found else None
            if not found or not wanted or self._leases.write(wanted, found[1]):
                return
