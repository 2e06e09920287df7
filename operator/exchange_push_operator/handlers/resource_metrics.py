"""What is told of each resource: at most 37 series, and none once it is gone.

Kept as one small value a resource, and written as Prometheus' text by ourselves: at five thousand
resources the library would build 170,000 samples for every scrape, which takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from exchange_push_operator.core.cluster import Resource
from exchange_push_operator.core.conditions import (
    IN_SYNC,
    READY,
    RECONCILING,
    STALLED_CONDITION,
    find,
)
from exchange_push_operator.core.config import SUSPENDED
from exchange_push_operator.core.reasons import WAITS_FOR_LEAVE
from exchange_push_operator.core.status import STAGE_CONDITIONS
from exchange_push_operator.core.timestamps import parse_utc
from exchange_push_operator.handlers.workqueue import Key

CONDITIONS = (READY, IN_SYNC, RECONCILING, STALLED_CONDITION, *STAGE_CONDITIONS)
_PREFIX = "exchange_push_config_"
_STATUSES = ("True", "False", "Unknown")
_ABSENT = {RECONCILING: "False", STALLED_CONDITION: "False"}  # they are there while True only


@dataclass(frozen=True, slots=True)
class Figures:
    """One resource: the status of each of ``CONDITIONS``, and the numbers beside them."""

    conditions: tuple[str, ...]
    suspended: bool
    waits_for_leave: bool
    pending_changes: int
    certificate_ends: float | None
    client_certificate_ends: float | None
    interval: float = 0.0
    last_success: float | None = None


class ResourceMetrics:
    """All resources by key. Written in the event loop, read in any thread."""

    def __init__(self) -> None:
        """Start empty."""
        self._figures: dict[Key, Figures] = {}

    def put(
        self, key: Key, resource: Resource, *, interval: float, succeeded: float | None
    ) -> None:
        """Take in an object; ``succeeded`` is when, where its pass was a success."""
        known = self._figures.get(key)
        last = succeeded or (known.last_success if known else None)
        self._figures[key] = replace(figures(resource), interval=interval, last_success=last)

    def remove(self, key: Key) -> None:
        """The object is gone."""
        self._figures.pop(key, None)

    def render(self) -> bytes:
        """All of them as they are now, in Prometheus' text format."""
        known = self._figures.copy()  # one step of the interpreter
        lines = [_head("condition", "1 for the status that a condition has, 0 for the two others.")]
        lines += (_conditions(key, found) for key, found in known.items())
        for name, text, number in _NUMBERS:
            lines.append(_head(name, text))
            lines += _samples(name, number, known)
        return b"".join(lines)


def figures(resource: Resource) -> Figures:
    """What an object tells of itself."""
    status: Mapping[str, Any] = resource.get("status") or {}
    annotations = resource["metadata"].get("annotations") or {}
    known = {one["type"]: one["status"] for one in status.get("conditions") or ()}
    in_sync = find(status, IN_SYNC) or {}
    return Figures(
        conditions=tuple(known.get(type_) or _ABSENT.get(type_, "Unknown") for type_ in CONDITIONS),
        suspended=bool(resource["spec"].get("suspend")) or annotations.get(SUSPENDED) == "true",
        waits_for_leave=in_sync.get("reason") in WAITS_FOR_LEAVE,
        pending_changes=len(status.get("plannedChanges") or ()),
        certificate_ends=_end(status.get("certificate")),
        client_certificate_ends=_end(status.get("clientCertificate")),
    )


def _end(certificate: Mapping[str, str] | None) -> float | None:
    ends = (certificate or {}).get("notAfter")
    return parse_utc(ends).timestamp() if ends else None


# Namespaces and names are DNS labels: there is nothing to escape in them.
def _conditions(key: Key, found: Figures) -> bytes:
    start = f'{_PREFIX}condition{{namespace="{key[0]}",name="{key[1]}"'
    return "".join(
        f'{start},type="{type_}",status="{status}"}} {int(actual == status)}\n'
        for type_, actual in zip(CONDITIONS, found.conditions, strict=True)
        for status in _STATUSES
    ).encode()


def _samples(
    name: str, number: Callable[[Figures], float | None], known: Mapping[Key, Figures]
) -> Iterator[bytes]:
    for key, found in known.items():
        value = number(found)
        if value is not None:
            labels = f'namespace="{key[0]}",name="{key[1]}"'
            yield f"{_PREFIX}{name}{{{labels}}} {value}\n".encode()


def _head(name: str, text: str) -> bytes:
    return f"# HELP {_PREFIX}{name} {text}\n# TYPE {_PREFIX}{name} gauge\n".encode()


_NUMBERS: tuple[tuple[str, str, Callable[[Figures], float | None]], ...] = (
    (
        "suspended",
        "1 while the resource is suspended, by spec or by annotation.",
        lambda found: int(found.suspended),
    ),
    (
        "waits_for_leave",
        "1 while all that is to be changed waits for approval, or for a change window.",
        lambda found: int(found.waits_for_leave),
    ),
    (
        "pending_changes",
        "Changes that are planned and not made; at most 32 are counted.",
        lambda found: found.pending_changes,
    ),
    (
        "certificate_not_after_timestamp_seconds",
        "When the current OAuth certificate ends.",
        lambda found: found.certificate_ends,
    ),
    (
        "client_certificate_not_after_timestamp_seconds",
        "When the operator's own certificate for Entra ID ends.",
        lambda found: found.client_certificate_ends,
    ),
    (
        "interval_seconds",
        "Seconds from one look to the next, by spec.interval and --max-interval.",
        lambda found: found.interval,
    ),
    (
        "last_success_timestamp_seconds",
        "When a pass last ended well, in this process.",
        lambda found: found.last_success,
    ),
)
