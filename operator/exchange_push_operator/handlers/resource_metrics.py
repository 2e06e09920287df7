"""What is told of each resource: at most 34 series, and none once it is gone.

Kept as one small value a resource and spelled out at a scrape: as gauges of the library they
would cost a hundred megabytes at five thousand resources.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from exchange_push_operator.core.cluster import Resource
from exchange_push_operator.core.conditions import IN_SYNC, READY, RECONCILING, STALLED_CONDITION
from exchange_push_operator.core.config import SUSPENDED
from exchange_push_operator.core.status import STAGE_CONDITIONS
from exchange_push_operator.core.x509 import parse_utc
from exchange_push_operator.handlers.workqueue import Key

CONDITIONS = (READY, IN_SYNC, RECONCILING, STALLED_CONDITION, *STAGE_CONDITIONS)
_STATUSES = ("True", "False", "Unknown")
_ABSENT = {RECONCILING: "False", STALLED_CONDITION: "False"}  # they are there while True only


@dataclass(frozen=True, slots=True)
class Figures:
    """One resource: the status of each of ``CONDITIONS``, and the numbers beside them."""

    conditions: tuple[str, ...]
    suspended: bool
    pending_changes: int
    certificate_ends: float | None
    last_success: float | None = None


class ResourceMetrics(Collector):
    """All resources by key. Written in the event loop, read in any thread."""

    def __init__(self) -> None:
        """Start empty."""
        self._figures: dict[Key, Figures] = {}

    def put(self, key: Key, resource: Resource, succeeded: float | None) -> None:
        """Take in an object; ``succeeded`` is when, where its pass was a success."""
        known = self._figures.get(key)
        last = succeeded or (known.last_success if known else None)
        self._figures[key] = replace(figures(resource), last_success=last)

    def remove(self, key: Key) -> None:
        """The object is gone."""
        self._figures.pop(key, None)

    def describe(self) -> list[GaugeMetricFamily]:
        """The families without their samples."""
        return list(_families().values())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All samples as they are now."""
        families = _families()
        for key, found in self._figures.copy().items():  # one step of the interpreter
            for type_, actual in zip(CONDITIONS, found.conditions, strict=True):
                for status in _STATUSES:
                    families["condition"].add_metric((*key, type_, status), float(actual == status))
            for name, value in _numbers(found):
                if value is not None:
                    families[name].add_metric(key, value)
        yield from families.values()


def figures(resource: Resource) -> Figures:
    """What an object tells of itself."""
    status: Mapping[str, Any] = resource.get("status") or {}
    annotations = resource["metadata"].get("annotations") or {}
    ends = (status.get("certificate") or {}).get("notAfter")
    known = {one["type"]: one["status"] for one in status.get("conditions") or ()}
    return Figures(
        conditions=tuple(known.get(type_) or _ABSENT.get(type_, "Unknown") for type_ in CONDITIONS),
        suspended=bool(resource["spec"].get("suspend")) or annotations.get(SUSPENDED) == "true",
        pending_changes=len(status.get("plannedChanges") or ()),
        certificate_ends=parse_utc(ends).timestamp() if ends else None,
    )


def _numbers(found: Figures) -> tuple[tuple[str, float | None], ...]:
    return (
        ("suspended", float(found.suspended)),
        ("pending_changes", float(found.pending_changes)),
        ("certificate_not_after_timestamp_seconds", found.certificate_ends),
        ("last_success_timestamp_seconds", found.last_success),
    )


def _families() -> dict[str, GaugeMetricFamily]:
    texts = {
        "suspended": "1 while the resource is suspended, by spec or by annotation.",
        "pending_changes": "Changes that are planned and not made; at most 32 are counted.",
        "certificate_not_after_timestamp_seconds": "When the current OAuth certificate ends.",
        "last_success_timestamp_seconds": "When a pass last ended well, in this process.",
    }
    condition = GaugeMetricFamily(
        "exchange_push_config_condition",
        "1 for the status that a condition has, 0 for the two others.",
        labels=("namespace", "name", "type", "status"),
    )
    others = {
        name: GaugeMetricFamily(f"exchange_push_config_{name}", text, labels=("namespace", "name"))
        for name, text in texts.items()
    }
    return {"condition": condition, **others}
