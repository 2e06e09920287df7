"""The controller: workers take keys from the queue, run passes, and say when to come back."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from exchange_push_operator import log
from exchange_push_operator.core.cluster import Conflict, Resource
from exchange_push_operator.core.errors import PushError, Throttled
from exchange_push_operator.core.schedule import Requeue, delay
from exchange_push_operator.handlers.passes import PROGRESS_AFTER, Doors, Logic, Passes, Seen
from exchange_push_operator.handlers.roster import Roster, key_of
from exchange_push_operator.handlers.workqueue import Key, WorkQueue

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once, how often. ``retry_interval`` is for passes that end without an outcome."""

    workers: int = 16
    max_interval: float | None = None
    retry_interval: float = 120.0
    progress_after: float = PROGRESS_AFTER
    rng: Callable[[], float] = random.random


class Controller:
    """Keeps every resource looked at. Made anywhere, used in the event loop that starts it."""

    def __init__(self, logic: Logic, doors: Doors, limits: Limits) -> None:
        """Nothing runs before ``start``."""
        self._logic, self._doors, self._limits = logic, doors, limits
        self._workers: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the workers in the running event loop."""
        limits = self._limits
        self._queue = WorkQueue(asyncio.get_running_loop())
        self._roster = Roster(self._queue, limits.rng)
        # A pass that takes its time needs a second thread to say so.
        self._passes = Passes(
            self._logic,
            self._doors,
            threads=2 * limits.workers,
            progress_after=limits.progress_after,
        )
        self._workers = [
            asyncio.create_task(self._work(), name=f"worker {number}")
            for number in range(limits.workers)
        ]

    async def stop(self, grace: float) -> bool:
        """Take no more work and give the passes that run ``grace`` seconds; whether all ended."""
        if not self._workers:
            return True
        self._queue.close()
        _, late = await asyncio.wait(self._workers, timeout=grace)
        for worker in late:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._passes.close()
        self._workers = []
        return not late

    def watched(self, change: str | None, resource: Resource) -> None:
        """Take in an event of the watch; ``change`` is None for what is listed at the start."""
        if change == "DELETED":
            self._roster.gone(key_of(resource), resource["metadata"]["uid"])
        else:
            self._roster.watched(resource, listed=change is None)

    async def _work(self) -> None:
        while (key := await self._queue.get()) is not None:
            try:
                with log.about(object="/".join(key), reconcile_id=uuid.uuid4().hex[:8]):
                    await self._look(key)
            finally:
                self._queue.done(key)

    async def _look(self, key: Key) -> None:
        started, uid = time.monotonic(), self._roster.uid(key)
        if uid is None:
            return
        try:
            seen = await self._passes.run(key, self._roster)
        except Conflict:
            _LOG.info("the object was changed while it was looked at; looking again")
            self._try_again(key)
        except PushError as error:
            _LOG.warning("%s", error)
            self._try_again(key, error)
        except Exception:  # noqa: BLE001 - the one broad catch: a bug in one pass must not end all
            _LOG.exception("a bug ended the pass; please report it")
            self._try_again(key)
        else:
            self._finish(key, uid, seen, time.monotonic() - started)

    def _finish(self, key: Key, uid: str, seen: Seen | None, seconds: float) -> None:
        if seen is None:
            self._roster.gone(key, uid)
            return
        log.reconciled(_LOG, seen.resource, seen.outcome, seconds)
        if seen.gone:
            self._roster.gone(key, uid)
            return
        self._come_back(key, seen.outcome.requeue)

    def _try_again(self, key: Key, error: PushError | None = None) -> None:
        pause = error.retry_after if isinstance(error, Throttled) else None
        longest = self._limits.retry_interval
        self._come_back(key, Requeue("retry", longest, longest, pause or 0.0))

    def _come_back(self, key: Key, requeue: Requeue) -> None:
        if key not in self._roster:
            return
        failures = self._queue.failures(key)
        if requeue.kind == "retry":
            self._queue.failed(key)
        elif requeue.kind != "now":
            self._queue.succeeded(key)
        seconds = delay(requeue, failures, self._limits.max_interval, self._limits.rng())
        if math.isfinite(seconds):
            self._queue.add_after(key, seconds)
