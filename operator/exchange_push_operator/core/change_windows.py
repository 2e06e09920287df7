"""Change windows: when changes may begin, by the clocks on the wall of a time zone.

A window opens at ``start`` on each of its days and lasts ``duration``, counted in real time: six
hours are six hours also in the night in which the clocks are moved. A start that the clocks skip
comes as much later as they skip; one that they show twice is the first of the two (PEP 495).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from exchange_push_operator.core.durations import parse_duration
from exchange_push_operator.core.errors import SpecError

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
LONGEST = timedelta(hours=168)
# The same day comes back after a week; a zone's own date is a day off at most.
_AHEAD = timedelta(days=8)


@dataclass(frozen=True, slots=True)
class ChangeWindow:
    """``days`` are those on which it opens; Monday is 0. ``zone`` is whose clocks count."""

    days: frozenset[int]
    start: time
    duration: timedelta
    zone: ZoneInfo

    def openings(self, first: datetime, last: datetime) -> Iterator[datetime]:
        """When it opens between two moments, in UTC."""
        # One that the clocks skip at the end of a day comes on the next.
        day = first.astimezone(self.zone).date() - timedelta(days=1)
        while day <= last.astimezone(self.zone).date():
            opening = datetime.combine(day, self.start, self.zone).astimezone(UTC)
            if day.weekday() in self.days and first <= opening <= last:
                yield opening
            day += timedelta(days=1)

    def is_open(self, now: datetime) -> bool:
        """Whether it is open at that moment; at its end it is not."""
        return any(now < opening + self.duration for opening in self.openings(now - LONGEST, now))


def is_open(windows: Sequence[ChangeWindow], now: datetime) -> bool:
    """Whether a change may begin; without any window always."""
    return not windows or any(window.is_open(now) for window in windows)


def next_opening(windows: Iterable[ChangeWindow], now: datetime) -> datetime:
    """When the next of them opens, in UTC. The same at every look until then."""
    second = timedelta(seconds=1)
    return min(min(window.openings(now + second, now + _AHEAD)) for window in windows)


def parse_windows(spec: Iterable[Mapping[str, Any]]) -> tuple[ChangeWindow, ...]:
    """Read spec.changeWindows.

    Raises:
        SpecError: a zone that nobody knows, or a value that the CRD of an earlier day let through.
    """
    return tuple(_window(item, f"spec.changeWindows[{n}]") for n, item in enumerate(spec))


def _window(item: Mapping[str, Any], field: str) -> ChangeWindow:
    if not item["days"]:
        raise SpecError(f"{field}.days: names no day, so it never opens")
    duration = parse_duration(item["duration"], f"{field}.duration")
    if not timedelta(0) < duration <= LONGEST:
        raise SpecError(f"{field}.duration: {item['duration']} is not within 168h")
    return ChangeWindow(
        days=frozenset(DAYS.index(day) for day in item["days"]),
        start=time.fromisoformat(item["start"]),
        duration=duration,
        zone=_zone(item["timeZone"], f"{field}.timeZone"),
    )


def _zone(name: str, field: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # a folder of zones is an OSError
        raise SpecError(
            f"{field}: there is no time zone {name!r}; write it as in the IANA database, like "
            "Europe/Berlin or UTC"
        ) from error
