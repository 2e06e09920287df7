"""The controller: workers take keys from the queue, run passes, and say when to come back."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass

from exchange_push_operator import log
from exchange_push_operator.core.cluster import Conflict, Resource
from exchange_push_operator.core.errors import PushError, Throttled
from exchange_push_operator.core.schedule import Requeue, delay
from exchange_push_operator.handlers.lanes import Lane, Lanes, lanes_of
from exchange_push_operator.handlers.metrics import Metrics, Tally, tallied
from exchange_push_operator.handlers.passes import PROGRESS_AFTER, Doors, Logic, Passes, Seen
from exchange_push_operator.handlers.roster import Roster, key_of
from exchange_push_operator.handlers.vitals import Vitals
from exchange_push_operator.handlers.workqueue import Key, WorkQueue

_LOG = logging.getLogger(__name__)

_LISTED_LATELY = 10.0  # seconds until the last object of a list has surely been handed on


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

    def __init__(
        self,
        logic: Logic,
        doors: Doors,
        limits: Limits,
        metrics: Metrics | None = None,
        vitals: Vitals | None = None,
    ) -> None:
        """Nothing runs before ``start``. ``metrics`` and ``vitals`` learn of every pass."""
        self._logic, self._doors, self._limits = logic, doors, limits
        self._metrics, self._vitals = metrics or Metrics(), vitals or Vitals(0)
        self._workers: list[asyncio.Task[None]] = []
        self._started = False

    def start(self, *, standby: bool = False) -> None:
        """Begin in the running event loop; on ``standby`` no key is looked at before ``work``."""
        limits = self._limits
        self._queue = WorkQueue(asyncio.get_running_loop())
        self._roster = Roster(self._queue, limits.rng)
        self._lanes = Lanes()
        # A pass that takes its time needs a second thread to say so.
        self._passes = Passes(
            self._logic,
            self._doors,
            self._vitals,
            threads=2 * limits.workers,
            progress_after=limits.progress_after,
        )
        self._started = True
        if not standby:
            self.work()

    def work(self) -> None:
        """Start the workers: what has gathered in the queue is looked at."""
        queue = self._queue  # of a standby it tells nothing: nobody is late
        self._metrics.watch_queue(lambda: len(queue), lambda: queue.oldest)
        self._workers = [
            asyncio.create_task(self._work(), name=f"worker {number}")
            for number in range(self._limits.workers)
        ]

    async def stop(self, grace: float) -> bool:
        """Take no more work and give the passes that run ``grace`` seconds; whether all ended."""
        if not self._started:
            return True
        self._started = False
        self._queue.close()
        late: set[asyncio.Task[None]] = set()
        if self._workers:
            _, late = await asyncio.wait(self._workers, timeout=grace)
        for worker in late:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._passes.close()
        self._workers = []
        return not late

    def watched(self, change: str | None, resource: Resource) -> None:
        """Take in an event of the watch; ``change`` is None for what is listed at the start."""
        self._metrics.watch_is_alive()
        if change == "DELETED":
            self._gone(key_of(resource), resource["metadata"]["uid"])
        else:
            self._roster.watched(resource, listed=change is None)

    def known(self) -> Collection[Key]:
        """The resources that exist, as far as is known."""
        return self._roster.keys()

    def watch_answered(self) -> None:
        """The API server has taken the watch on again; nothing may have changed for hours."""
        self._metrics.watch_is_alive()

    def listing(self, namespace: str | None) -> None:
        """All resources of a namespace, or of all of them, are about to be listed."""
        self._roster.listing(namespace)

    def listed(self, namespace: str | None) -> None:
        """They have been listed, and events of what was listed are on their way."""
        loop = asyncio.get_running_loop()
        loop.call_later(_LISTED_LATELY, self._roster.look_for_unlisted, namespace)

    def secret_watched(self, change: str | None, secret: Resource) -> None:
        """Take in an event of the watch of Secrets."""
        self._roster.secret_watched(change, secret)

    async def _work(self) -> None:
        while (key := await self._queue.get()) is not None:
            if not self._lanes.enter(key, self._lanes_of(key)):
                continue  # it is held until there is room in its lanes
            try:
                with log.about(object="/".join(key), reconcile_id=uuid.uuid4().hex[:8]):
                    await self._look(key)
            finally:
                self._queue.done(key)
                for waited in self._lanes.leave(key):
                    self._queue.resume(waited)

    def _lanes_of(self, key: Key) -> tuple[Lane, ...]:
        lane, known = self._roster.lane(key)
        failed = self._queue.failures(key) > 0
        return lanes_of(lane, self._limits.workers, known=known, failed=failed)

    async def _look(self, key: Key) -> None:
        uid = self._roster.uid(key)
        if uid is None:
            return
        with tallied() as tally:
            try:
                self._finish(key, uid, await self._passes.run(key, self._roster), tally)
            except Conflict:
                message = "the object was changed while it was looked at; looking again"
                self._broken_off(logging.INFO, message, tally)
                self._try_again(key)
            except PushError as error:
                self._broken_off(logging.WARNING, str(error), tally)
                self._try_again(key, error)
            except Exception as error:  # noqa: BLE001 - the one broad catch: a bug in one pass must not end all
                message = "a bug ended the pass; please report it"
                self._broken_off(logging.ERROR, message, tally, error)
                self._try_again(key)

    def _broken_off(
        self, level: int, message: str, tally: Tally, bug: Exception | None = None
    ) -> None:
        effort = self._effort("retry", tally)
        log.broken_off(_LOG, level, message, effort, bug)

    def _finish(self, key: Key, uid: str, seen: Seen | None, tally: Tally) -> None:
        if seen is None:
            self._gone(key, uid)
            return
        effort = self._effort(seen.result, tally)
        log.reconciled(_LOG, seen.resource, seen.outcome, effort)
        if seen.gone:
            self._gone(key, uid)
            return
        if key in self._roster:
            longest = self._limits.max_interval
            self._metrics.seen(key, seen.resource, seen.outcome, longest)
        self._come_back(key, seen.outcome.requeue)

    def _effort(self, result: str, tally: Tally) -> log.Effort:
        seconds = tally.seconds
        self._metrics.passed(result, seconds)
        return log.Effort(result, seconds, tally.requests)

    def _gone(self, key: Key, uid: str) -> None:
        self._roster.gone(key, uid)
        if key not in self._roster:
            self._metrics.forget(key)

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
