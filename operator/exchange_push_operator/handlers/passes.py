"""One pass: read the object, reconcile it, write what came out.

What blocks runs in threads of our own: kopf's and asyncio's pools have six threads on two cores,
and a pass waits for Exchange most of its time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias, TypeVar

from exchange_push_operator.core.cluster import Objects, Recorder, Resource
from exchange_push_operator.core.conditions import find, following
from exchange_push_operator.core.conflict import Peers
from exchange_push_operator.core.durations import parse_duration
from exchange_push_operator.core.errors import PushError
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.handlers.roster import Roster
from exchange_push_operator.handlers.vitals import Vitals
from exchange_push_operator.handlers.workqueue import Key
from exchange_push_operator.reconcile import Memory, Outcome

T = TypeVar("T")
Status: TypeAlias = Mapping[str, Any]

_DEFAULT_TIMEOUT = "5m"  # as in the CRD

# A pass that is over sooner says nothing in between.
PROGRESS_AFTER = 0.5


@dataclass(frozen=True, slots=True)
class Logic:
    """The reconciler as the handlers see it. ``reconcile`` blocks, the others do not."""

    reconcile: Callable[[Resource, Peers, Memory], Outcome]
    progressing: Callable[[Resource], Status]
    clock: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Doors:
    """The way to the cluster."""

    objects: Objects
    recorder: Recorder


@dataclass(frozen=True, slots=True)
class Seen:
    """What came out of a pass; ``resource`` is the object as it is now, or was when it went.

    ``wrote`` is whether the object was written, be it only its status.
    """

    resource: Resource
    outcome: Outcome
    wrote: bool = False
    gone: bool = False

    @property
    def result(self) -> str:
        """How the pass ended, in one word."""
        return self.outcome.result(wrote=self.wrote)


class Passes:
    """Runs passes. Never two of one key at once: the work queue sees to that."""

    def __init__(
        self,
        logic: Logic,
        doors: Doors,
        vitals: Vitals,
        *,
        threads: int,
        progress_after: float = PROGRESS_AFTER,
    ) -> None:
        """Threads are started as they are needed."""
        self._logic, self._vitals = logic, vitals
        self._objects, self._recorder = doors.objects, doors.recorder
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="pass")
        self._progress_after = progress_after

    async def run(self, key: Key, roster: Roster) -> Seen | None:
        """Look at one resource; None where it is gone.

        Raises:
            PushError: the API server did not answer or refused, or the object has moved on.
        """
        resource = await self._threaded(self._objects.get, *key)
        if resource is None or key not in roster:  # deleted while we asked
            return None
        roster.written(resource)
        with self._vitals.passing("/".join(key), _timeout(resource)):
            outcome, resource = await self._reconcile(key, resource, roster)
        try:
            written = await self._write(resource, outcome)
        finally:
            # What was changed was changed, whether or not the status could be written.
            self._recorder.record(resource, outcome.events)
        if written is None:
            return Seen(resource, outcome, wrote=True, gone=True)
        roster.written(written)
        return Seen(written, outcome, wrote=written is not resource)

    def close(self) -> None:
        """Start nothing more; threads that still run are left to end by themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _reconcile(
        self, key: Key, resource: Resource, roster: Roster
    ) -> tuple[Outcome, Resource]:
        memory = roster.memory(key, resource["metadata"]["uid"])
        memory.superseded = roster.moved_on(key, resource)
        running = self._threaded(
            self._logic.reconcile, resource, partial(roster.peers, key), memory
        )
        # Both are waited for, come what may: the key must not be let go while its thread runs.
        outcome, shown = await asyncio.gather(
            running, self._show_progress(running, resource, roster), return_exceptions=True
        )
        if isinstance(outcome, BaseException):
            raise outcome
        if isinstance(shown, BaseException):
            raise shown
        return outcome, shown

    async def _show_progress(
        self, running: asyncio.Future[Outcome], resource: Resource, roster: Roster
    ) -> Resource:
        """Say that a pass takes its time; the object as it is afterwards."""
        done, _ = await asyncio.wait({running}, timeout=self._progress_after)
        if done or not _is_news(resource):
            return resource
        try:
            written = await self._put(resource, self._logic.progressing(resource))
        except PushError:  # the write at the end of the pass meets the same, and deals with it
            return resource
        if written is None:
            return resource
        roster.written(written)
        return written

    async def _write(self, resource: Resource, outcome: Outcome) -> Resource | None:
        present = outcome.finalizer
        if present is None:
            return await self._put(resource, outcome.status)
        kept = await self._threaded(lambda: self._objects.set_finalizer(resource, present=present))
        if kept is None or (not present and "deletionTimestamp" in resource["metadata"]):
            return None  # let go: a status would come too late, and meet nobody
        return await self._put(kept, outcome.status)

    async def _put(self, resource: Resource, status: Status) -> Resource | None:
        """Write a status that differs; the object as it is afterwards, None where it is gone."""
        # The pass may have shown its progress since it read what its outcome rests on.
        old: Status = resource.get("status") or {}
        plain = _plain(following(old, status, self._logic.clock()))
        if plain == old:
            return resource
        return await self._threaded(self._objects.write_status, resource, plain)

    def _threaded(self, function: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        # The context carries the resource's name to the log lines of the thread.
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._pool, copy_context().run, function, *arguments)


def _timeout(resource: Resource) -> float:
    """Seconds that the resource gives a pass; what is no duration is told by the pass."""
    try:
        text = (resource.get("spec") or {}).get("timeout") or _DEFAULT_TIMEOUT
        return parse_duration(text, "spec.timeout").total_seconds()
    except PushError:
        return parse_duration(_DEFAULT_TIMEOUT, "").total_seconds()


def _is_news(resource: Resource) -> bool:
    """Whether somebody waits for what comes out: a routine look writes nothing, however long."""
    status: Status = resource.get("status") or {}
    if status.get("observedGeneration") != resource["metadata"].get("generation"):
        return True
    ready = find(status, "Ready")
    return ready is None or ready["reason"] == Reason.SUSPENDED  # then it was resumed


def _plain(value: Any) -> Any:
    """JSON's own types, so that equal means equal: a tuple never equals the list that is stored."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
