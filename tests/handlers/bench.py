"""A controller at work in a thread of its own: objects in memory, a scripted reconciler."""

import asyncio
import copy
import itertools
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from answers import NOW
from exchange_push_operator.core import status as statuses
from exchange_push_operator.core.cluster import Conflict, Resource
from exchange_push_operator.core.config import FINALIZER, SUSPENDED
from exchange_push_operator.core.conflict import Peers
from exchange_push_operator.core.events import Event
from exchange_push_operator.core.plan import Finding, holds
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.schedule import Requeue
from exchange_push_operator.handlers.controller import Controller, Limits
from exchange_push_operator.handlers.passes import Doors, Logic
from exchange_push_operator.reconcile import Memory, Outcome
from lab import wait
from lab.status_lint import BROKEN_RULES

T = TypeVar("T")

STEADY = Requeue("steady", 3600, 120)
NAMESPACE = "exchange"


def until(predicate: Callable[[], T], what: str) -> T:
    return wait.until(predicate, 60, what, interval=0.005)


def ready(resource: Resource, **fields: Any) -> dict[str, Any]:
    """A status that depends on the generation alone."""
    annotations = resource["metadata"].get("annotations") or {}
    if annotations.get(SUSPENDED):
        return dict(statuses.suspended({**resource, "status": {}}, NOW))
    told: dict[str, Finding | None] = {"Ready": holds(Reason.SUCCEEDED, "all is well")}
    return {**statuses.with_findings({**resource, "status": {}}, told, NOW), **fields}


class Objects:
    """The port in memory: resource versions, conflicts, finalizers, and a watch."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, Any]] = {}
        self.reads = 0
        self.writes: list[str] = []
        self.watch: Callable[[str, Resource], None] = lambda _change, _resource: None
        self.before_write: Callable[[], None] = lambda: None
        self.before_read: Callable[[], None] = lambda: None
        self._versions = itertools.count(9)
        self._lock = threading.RLock()

    def create(
        self,
        name: str,
        created: str = "2026-11-21T09:00:00Z",
        spec: Mapping[str, Any] | None = None,
        **status: Any,
    ) -> None:
        metadata: dict[str, Any] = {"namespace": NAMESPACE, "name": name, "generation": 1}
        metadata |= {"uid": f"uid-{next(self._versions)}", "creationTimestamp": created}
        status = {"observedGeneration": -1, **status}
        body = {"apiVersion": "v", "kind": "K", "metadata": metadata}
        body |= {"spec": dict(spec or {}), "status": status}
        with self._lock:
            self.stored[name] = body
            self._store(name, "ADDED")

    def edit(self, name: str, change: Callable[[dict[str, Any]], None], *, spec: bool) -> None:
        with self._lock:
            change(self.stored[name])
            self.stored[name]["metadata"]["generation"] += int(spec)
            self._store(name, "MODIFIED")

    def edit_spec(self, name: str, **spec: Any) -> None:
        self.edit(name, lambda it: it["spec"].update(spec), spec=True)

    def annotate(self, name: str, key: str, value: str) -> None:
        self.edit(name, lambda it: it["metadata"].update(annotations={key: value}), spec=False)

    def delete(self, name: str) -> None:
        with self._lock:
            if self.stored[name]["metadata"].get("finalizers"):
                self.edit(
                    name, lambda it: it["metadata"].update(deletionTimestamp="now"), spec=True
                )
            else:
                self._remove(name)

    def vanish(self, name: str) -> dict[str, Any]:
        """Gone, and the watch says nothing; the object as it was."""
        with self._lock:
            return self.stored.pop(name)

    def get(self, namespace: str, name: str) -> Resource | None:
        assert namespace == NAMESPACE
        self.before_read()
        with self._lock:
            self.reads += 1
            return copy.deepcopy(self.stored.get(name))

    def write_status(self, resource: Resource, status: Mapping[str, Any]) -> Resource | None:
        self.before_write()
        with self._lock:
            found = self._same(resource)
            if found is not None:
                self.writes.append("status")
                BROKEN_RULES.note(found, status)
                found["status"] = json.loads(json.dumps(status))
                self._store(found["metadata"]["name"], "MODIFIED")
            return copy.deepcopy(found)

    def set_finalizer(self, resource: Resource, *, present: bool) -> Resource | None:
        with self._lock:
            found = self._same(resource)
            if found is None:
                return None
            self.writes.append(f"finalizer {'on' if present else 'off'}")
            found["metadata"]["finalizers"] = [FINALIZER] if present else []
            if not present and "deletionTimestamp" in found["metadata"]:
                self._remove(found["metadata"]["name"])
                return None
            self._store(found["metadata"]["name"], "MODIFIED")
            return copy.deepcopy(found)

    def _same(self, resource: Resource) -> dict[str, Any] | None:
        found = self.stored.get(resource["metadata"]["name"])
        version = resource["metadata"]["resourceVersion"]
        if found is not None and found["metadata"]["resourceVersion"] != version:
            raise Conflict("the object has been modified")
        return found

    def _store(self, name: str, change: str) -> None:
        self.stored[name]["metadata"]["resourceVersion"] = str(next(self._versions))
        self.watch(change, copy.deepcopy(self.stored[name]))

    def _remove(self, name: str) -> None:
        gone = self.stored.pop(name)
        gone["metadata"]["resourceVersion"] = str(next(self._versions))
        self.watch("DELETED", gone)


class Recorder:
    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def record(self, resource: Resource, events: Sequence[Event]) -> None:
        self.events += [(resource["metadata"]["name"], event.reason) for event in events]


Script = Callable[[Resource, Peers, Memory], Outcome]


class Bench:
    """Enter it to start the controller; the script may be changed at any time."""

    def __init__(self, script: Script | None = None, **limits: Any) -> None:
        self.objects, self.recorder = Objects(), Recorder()
        self.script: Script = script or (lambda it, _peers, _memory: Outcome(ready(it), STEADY))
        self.looks: list[str] = []
        self.overlaps: list[str] = []
        self._running: set[str] = set()
        logic = Logic(
            self._reconcile,
            lambda it: {**statuses.progressing(it, NOW), "progressing": True},
            lambda: NOW,
        )
        figures = {"workers": 4, "retry_interval": 0.01, "progress_after": 60, **limits}
        self.controller = Controller(
            logic, Doors(self.objects, self.recorder), Limits(rng=lambda: 0.5, **figures)
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        self.call(self.controller.start)
        self.objects.watch = self.watched
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        assert self.overlaps == []

    def stop(self, grace: float = 5) -> bool:
        stopping = self.controller.stop(grace)
        return asyncio.run_coroutine_threadsafe(stopping, self._loop).result(10)

    def watched(self, change: str | None, resource: Resource) -> None:
        self._loop.call_soon_threadsafe(self.controller.watched, change, resource)

    def mute_the_watch(self) -> None:
        self.objects.watch = lambda _change, _resource: None

    def call(self, function: Callable[[], None]) -> None:
        async def run() -> None:
            function()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    def status(self, name: str) -> dict[str, Any]:
        status: dict[str, Any] = self.objects.stored[name]["status"]
        return status

    def settle(self, *, looks: int) -> None:
        """Wait until so many looks were begun in all and none runs."""
        until(lambda: len(self.looks) >= looks and not self._running, f"{looks} looks")
        self.call(lambda: None)

    def _reconcile(self, resource: Resource, peers: Peers, memory: Memory) -> Outcome:
        name = resource["metadata"]["name"]
        if name in self._running:
            self.overlaps.append(name)
        self._running.add(name)
        self.looks.append(name)
        try:
            return self.script(resource, peers, memory)
        finally:
            self._running.discard(name)
