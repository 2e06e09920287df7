"""The port Recorder: Kubernetes events (events.k8s.io/v1) that are counted and rationed.

kopf's own recorder makes a new object of every call and needs a kopf context. As in client-go,
equal events of one object are one series, and an object has a budget: 25 at once, then one in
five minutes. The last ten of it are for Warnings that have not been told lately: neither a busy
day nor one Warning that comes again and again hides another one.
"""

from __future__ import annotations

import logging
import queue
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeAlias, TypeVar

from exchange_push_operator.adapters.kubernetes_api import KubernetesApi
from exchange_push_operator.core.cluster import Resource
from exchange_push_operator.core.config import GROUP
from exchange_push_operator.core.errors import PushError
from exchange_push_operator.core.events import WARNING, Event

_LOG = logging.getLogger(__name__)

CONTROLLER = f"{GROUP}/operator"
BURST = 25
RESERVED = 10
REFILL = timedelta(minutes=5)
SERIES_WINDOW = timedelta(minutes=6)  # as client-go's finishTime

_REMEMBERED = 4096  # objects and series; the ones unused for longest are forgotten
_WAITING = 20_000
_PAUSE = 0.01  # seconds; thousands of first looks at once need the API server for themselves
_LONGEST_NOTE = 1024  # bytes; a rule of the events API
_LONGEST_NAME = 200

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Series:
    """Equal events of one object: the event's name, how often it happened, when last."""

    name: str
    count: int
    last: datetime


@dataclass(frozen=True, slots=True)
class Budget:
    """How many events an object may still have."""

    tokens: float
    at: datetime

    def spend(self, now: datetime, least: int) -> Budget | None:
        """One event less; None where fewer than ``least`` would be left."""
        tokens = min(float(BURST), self.tokens + (now - self.at) / REFILL)
        return Budget(tokens - 1, now) if tokens >= 1 + least else None


class _Recent(OrderedDict[K, V], Generic[K, V]):
    """A dict that keeps what was set last."""

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > _REMEMBERED:
            self.popitem(last=False)


_Reference: TypeAlias = Mapping[str, str]
_Item: TypeAlias = tuple[_Reference, Event, datetime] | None


class EventRecorder:
    """Fills the port ``Recorder``: writes in a thread of its own, and never holds up a pass."""

    def __init__(self, api: KubernetesApi, now: Callable[[], datetime], instance: str) -> None:
        """``instance`` names this process, for people who look at an event."""
        self._api, self._now, self._instance = api, now, instance[:128]
        self._waiting: queue.Queue[_Item] = queue.Queue(_WAITING)
        self._budgets: _Recent[str, Budget] = _Recent()
        self._series: _Recent[tuple[str, Event], Series] = _Recent()
        self._told: set[type[Exception]] = set()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def start(self) -> None:
        """Start writing."""
        self._thread.start()

    def close(self, timeout: float) -> None:
        """Write what waits, for at most ``timeout`` seconds, and end."""
        self._closing.set()
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(timeout)

    def record(self, resource: Resource, events: Sequence[Event]) -> None:
        """Tell what happened to a resource. Returns at once and never raises."""
        for event in events:
            try:
                self._waiting.put_nowait((_reference(resource), event, self._now()))
            except queue.Full:
                _LOG.warning("too many events are waiting; dropped one: %s", event.reason)

    def write_waiting(self) -> None:
        """Write what waits, in the caller's thread."""
        while not self._waiting.empty():
            self._take()

    def _run(self) -> None:
        while self._take():
            self._closing.wait(_PAUSE)

    def _take(self) -> bool:
        """Write the next event; whether there may be more."""
        item = self._waiting.get()
        if item is None:
            return False
        regarding, event, happened = item
        try:
            self._write(regarding, event, happened)
        except PushError as error:
            _LOG.warning("an event was dropped (%s): %s", event.reason, error)
        except Exception as error:  # noqa: BLE001 - a bug in one event must not end all
            self._tell_once(event, error)
        return True

    def _tell_once(self, event: Event, error: Exception) -> None:
        kind = type(error)
        _LOG.error(
            "a bug dropped an event (%s): %s; please report it",
            event.reason,
            kind.__name__,
            exc_info=None if kind in self._told else error,
        )
        self._told.add(kind)

    def _write(self, regarding: _Reference, event: Event, now: datetime) -> None:
        uid = regarding["uid"]
        series = self._series.get((uid, event))
        if series is not None and now - series.last > SERIES_WINDOW:
            series = None
        news = event.type == WARNING and series is None
        left = self._budgets.get(uid, Budget(BURST, now)).spend(now, 0 if news else RESERVED)
        if left is None:
            _LOG.debug("an event was dropped (%s): the object has had too many", event.reason)
            return
        self._budgets[uid] = left
        counted = self._count(regarding, series, now) if series else None
        self._series[uid, event] = counted or self._create(regarding, event, now)

    def _create(self, regarding: _Reference, event: Event, now: datetime) -> Series:
        stem = regarding["name"][:_LONGEST_NAME].rstrip("-.")
        name = f"{stem}.{uuid.uuid4().hex[:16]}"
        body = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": regarding["namespace"]},
            "eventTime": _micro_time(now),
            "type": event.type,
            "reason": event.reason,
            "action": "Reconcile",
            "note": _cut(event.message),
            "regarding": regarding,
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance,
        }
        self._api.call("POST", _path(regarding["namespace"]), body)
        return Series(name, 1, now)

    def _count(self, regarding: _Reference, series: Series, now: datetime) -> Series | None:
        """Count a repetition; None where the event has expired meanwhile."""
        count = series.count + 1
        patch = {"series": {"count": count, "lastObservedTime": _micro_time(now)}}
        path = f"{_path(regarding['namespace'])}/{series.name}"
        if self._api.call("PATCH", path, patch, "application/merge-patch+json") is None:
            return None
        return Series(series.name, count, now)


def _reference(resource: Resource) -> _Reference:
    metadata = resource["metadata"]
    names = ("namespace", "name", "uid", "resourceVersion")
    return {
        "apiVersion": resource["apiVersion"],
        "kind": resource["kind"],
        **{name: metadata[name] for name in names},
    }


def _path(namespace: str) -> str:
    return f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"


def _micro_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _cut(text: str) -> str:
    return text.encode(errors="replace")[:_LONGEST_NOTE].decode(errors="ignore")
