"""The operator's metrics. Names, types and labels are a stable API: docs/metrics.md has them all.

No label names a tenant, a server or an account. What grows with the resources is in
``resource_metrics``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib.metadata import version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from exchange_push_operator.core.cluster import Resource
from exchange_push_operator.core.ports import Request
from exchange_push_operator.core.schedule import capped
from exchange_push_operator.core.status import STAGE_CONDITIONS
from exchange_push_operator.handlers.resource_metrics import ResourceMetrics
from exchange_push_operator.handlers.workqueue import Key
from exchange_push_operator.reconcile import Outcome
from exchange_push_operator.reconcile.outcome import RESULTS

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_PREFIX = "exchange_push_"
_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


@dataclass(slots=True)
class Tally:
    """What one pass takes: its time, and its remote requests in whatever thread."""

    began: float = field(default_factory=time.monotonic)
    requests: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self.began

    def add(self) -> None:
        """One request more."""
        with self._lock:
            self.requests += 1


_TALLY: ContextVar[Tally | None] = ContextVar("tally", default=None)


@contextmanager
def tallied() -> Iterator[Tally]:
    """Count the remote requests that are made inside, in threads with a copied context too."""
    tally = Tally()
    token = _TALLY.set(tally)
    try:
        yield tally
    finally:
        _TALLY.reset(token)


class Metrics:
    """All metrics of one process, in a registry of their own. Safe in threads."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        """``now`` gives seconds since 1970."""
        disable_created_metrics()  # type: ignore[no-untyped-call]  # no hints; one series more each
        self.registry = CollectorRegistry()
        self._now = now
        self._resources = ResourceMetrics()
        labels = ("endpoint", "operation", "code")
        self._passes = self._counter("reconcile_total", "Passes, by how they ended.", "result")
        self._pass_seconds = self._histogram(
            "reconcile_duration_seconds", "How long a pass takes.", "result"
        )
        self._requests = self._counter(
            "remote_requests_total", "Requests to Exchange servers and to Microsoft.", *labels
        )
        self._request_seconds = self._histogram(
            "remote_request_duration_seconds", "How long such a request takes.", *labels
        )
        self._kube_requests = self._counter(
            "kube_requests_total", "Our requests to the API server.", "verb", "resource", "code"
        )
        self._detected = self._counter(
            "drift_detected_total", "Found changed although its spec is not.", "component"
        )
        self._corrected = self._counter("drift_corrected_total", "Changed back.", "component")
        self._depth = self._gauge("queue_depth", "Resources that wait for a worker.")
        self._oldest = self._gauge("queue_oldest_seconds", "For how long the first of them waits.")
        self._watched = self._gauge(
            "watch_last_event_timestamp_seconds", "When the watch last gave a sign of life."
        )
        self._leads = self._gauge("leader", "1 while this replica leads, else 0.", "lease")
        build = self._gauge("build_info", "Always 1; the version is a label.", "version")
        build.labels(version("exchange-push-operator")).set(1)
        self._begin_at_zero()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(_PREFIX + name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(_PREFIX + name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(_PREFIX + name, text, labels, registry=self.registry, buckets=_SECONDS)

    def _begin_at_zero(self) -> None:
        """A rate needs a value before the first event."""
        for component in STAGE_CONDITIONS:
            self._detected.labels(component)
            self._corrected.labels(component)
        for result in RESULTS:
            self._passes.labels(result)

    def render(self) -> bytes:
        """Everything as Prometheus' text, of the type ``CONTENT_TYPE``."""
        return generate_latest(self.registry) + self._resources.render()

    def watch_queue(self, depth: Callable[[], float], oldest: Callable[[], float]) -> None:
        """Ask these two at every scrape."""
        self._depth.set_function(depth)
        self._oldest.set_function(oldest)

    def watch_leader(self, lease: str, leads: Callable[[], bool]) -> None:
        """Ask at every scrape whether this replica leads, by the Lease of this name."""
        self._leads.labels(lease).set_function(leads)

    def watch_is_alive(self) -> None:
        """The watch of our resources gave a sign of life."""
        self._watched.set(self._now())

    def requested(self, request: Request) -> None:
        """Fills the port ``Observer``."""
        labels = (request.endpoint, request.operation, request.code)
        self._requests.labels(*labels).inc()
        self._request_seconds.labels(*labels).observe(request.seconds)
        tally = _TALLY.get()
        if tally is not None:
            tally.add()

    def kube_requested(self, verb: str, resource: str, code: str) -> None:
        """One request to the API server."""
        self._kube_requests.labels(verb, resource, code).inc()

    def passed(self, result: str, seconds: float) -> None:
        """A pass is over."""
        self._passes.labels(result).inc()
        self._pass_seconds.labels(result).observe(seconds)

    def seen(
        self, key: Key, resource: Resource, outcome: Outcome, max_interval: float | None = None
    ) -> None:
        """What a pass found: the object as it is now, and the installer's cap on its interval."""
        requeue = outcome.requeue
        succeeded = self._now() if requeue.kind == "steady" else None
        interval = capped(requeue.interval, max_interval)
        self._resources.put(key, resource, interval=interval, succeeded=succeeded)
        for component in outcome.drift.detected:
            self._detected.labels(component).inc()
        for component in outcome.drift.corrected:
            self._corrected.labels(component).inc()

    def forget(self, key: Key) -> None:
        """The resource is gone, and its series with it."""
        self._resources.remove(key)
