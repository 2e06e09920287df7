"""Change windows: daylight saving, midnight, zones, and what cannot be read."""

from __future__ import annotations

import importlib.resources
import zoneinfo
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from exchange_push_operator.core.change_windows import (
    ChangeWindow,
    is_open,
    next_opening,
    parse_windows,
)
from exchange_push_operator.core.errors import SpecError
from exchange_push_operator.core.timestamps import parse_utc, utc_text

BERLIN = {"days": ["Sat", "Sun"], "start": "22:00", "duration": "6h", "timeZone": "Europe/Berlin"}


def windows(*items: Mapping[str, Any]) -> tuple[ChangeWindow, ...]:
    return parse_windows({**BERLIN, **item} for item in items)


def opens(at: str, **item: Any) -> str:
    """When a window opens that is closed at that moment."""
    asked = windows(item)
    assert not is_open(asked, parse_utc(at))
    return utc_text(next_opening(asked, parse_utc(at)))


def spans(first: str, last: str, **item: Any) -> list[tuple[str, str]]:
    """When it opens and closes between two moments, minute by minute."""
    asked, now, end = windows(item), parse_utc(first), parse_utc(last)
    moments = [now + timedelta(minutes=n) for n in range(int((end - now).total_seconds() // 60))]
    edges = [
        utc_text(after)
        for before, after in pairwise(moments)
        if is_open(asked, before) != is_open(asked, after)
    ]
    return list(zip(edges[::2], edges[1::2], strict=True))


def test_without_windows_a_change_may_always_begin() -> None:
    assert is_open((), datetime(2026, 11, 21, tzinfo=UTC))


def test_a_window_goes_over_midnight_into_a_day_that_it_does_not_name() -> None:
    found = spans("2026-11-20T12:00:00Z", "2026-11-24T00:00:00Z")
    assert found == [
        ("2026-11-21T21:00:00Z", "2026-11-22T03:00:00Z"),
        ("2026-11-22T21:00:00Z", "2026-11-23T03:00:00Z"),
    ]


def test_the_hour_is_that_of_the_zone_in_summer_as_in_winter() -> None:
    assert opens("2026-07-15T00:00:00Z") == "2026-07-18T20:00:00Z"
    assert opens("2026-12-15T00:00:00Z") == "2026-12-19T21:00:00Z"


def test_six_hours_are_six_hours_in_the_nights_in_which_the_clocks_are_moved() -> None:
    spring = spans("2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", days=["Sat"])
    autumn = spans("2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z", days=["Sat"])
    assert spring == [("2026-03-28T21:00:00Z", "2026-03-29T03:00:00Z")]
    assert autumn == [("2026-10-24T20:00:00Z", "2026-10-25T02:00:00Z")]


def test_a_start_that_the_clocks_skip_comes_as_much_later_as_they_skip() -> None:
    skipped = {"days": ["Sun"], "start": "02:30", "duration": "1h"}
    assert opens("2026-03-28T12:00:00Z", **skipped) == "2026-03-29T01:30:00Z"  # 03:30


def test_a_start_that_is_skipped_into_the_next_day_is_still_the_next_opening() -> None:
    late = {"days": ["Sat"], "start": "23:30", "duration": "1h", "timeZone": "America/Nuuk"}
    assert opens("2027-03-28T00:59:00Z", **late) == "2027-03-28T01:30:00Z"  # Sat 22:59
    assert opens("2027-03-28T01:01:00Z", **late) == "2027-03-28T01:30:00Z"  # Sun 00:01


def test_a_start_that_the_clocks_show_twice_is_the_first_of_the_two_and_no_second() -> None:
    twice = {"days": ["Sun"], "start": "02:30", "duration": "30m"}
    found = spans("2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z", **twice)
    assert found == [("2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z")]


def test_the_day_is_that_of_the_zone_however_far_it_is_from_utc() -> None:
    east = {"days": ["Mon"], "start": "01:00", "timeZone": "Pacific/Kiritimati"}
    west = {"days": ["Mon"], "start": "23:00", "timeZone": "Pacific/Pago_Pago"}
    assert opens("2026-11-20T12:00:00Z", **east) == "2026-11-22T11:00:00Z"
    assert opens("2026-11-20T12:00:00Z", **west) == "2026-11-24T10:00:00Z"
    assert is_open(windows(east), parse_utc("2026-11-22T11:30:00Z"))
    assert is_open(windows(west), parse_utc("2026-11-24T10:30:00Z"))


def test_the_first_moment_is_inside_and_the_last_is_not() -> None:
    asked = windows({})
    assert is_open(asked, parse_utc("2026-11-21T21:00:00Z"))
    assert not is_open(asked, parse_utc("2026-11-21T20:59:59Z"))
    assert not is_open(asked, parse_utc("2026-11-22T03:00:00Z"))


def test_a_window_of_a_whole_week_never_closes() -> None:
    week = {"days": ["Sat"], "duration": "168h"}
    assert spans("2026-11-16T12:00:00Z", "2026-12-05T00:00:00Z", **week) == []
    assert is_open(windows(week), parse_utc("2026-11-18T00:00:00Z"))


def test_of_several_windows_the_first_to_open_counts() -> None:
    asked = windows({}, {"days": ["Wed"], "start": "03:00", "timeZone": "UTC"})
    at = parse_utc("2026-11-23T12:00:00Z")
    assert utc_text(next_opening(asked, at)) == "2026-11-25T03:00:00Z"
    assert is_open(asked, parse_utc("2026-11-25T04:00:00Z"))
    assert is_open(asked, parse_utc("2026-11-21T22:00:00Z"))


@pytest.mark.parametrize(
    ("item", "says"),
    [
        ({"timeZone": "Europe/Atlantis"}, "changeWindows[0].timeZone: there is no time zone"),
        ({"timeZone": "Europe"}, "changeWindows[0].timeZone: there is no time zone"),
        ({"timeZone": "../etc/passwd"}, "changeWindows[0].timeZone: there is no time zone"),
        ({"duration": "soon"}, "changeWindows[0].duration: 'soon' is not a duration"),
        ({"duration": "169h"}, "changeWindows[0].duration: 169h is not within 168h"),
        ({"duration": "0s"}, "changeWindows[0].duration: 0s is not within 168h"),
        ({"days": []}, "changeWindows[0].days: names no day"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_can_never_open_is_refused_by_its_name(item: Mapping[str, Any], says: str) -> None:
    with pytest.raises(SpecError, match="changeWindows") as refused:
        windows(item)
    assert says in str(refused.value)


def test_zones_are_known_on_a_system_that_has_none() -> None:
    """An image without a shell has no time zone database of its own."""
    known = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(())
    try:
        zone = ZoneInfo.no_cache("Europe/Berlin")
    finally:
        zoneinfo.reset_tzpath(known)
    assert importlib.resources.files("tzdata").is_dir()
    assert zone.utcoffset(datetime(2026, 7, 1)) == timedelta(hours=2)  # noqa: DTZ001 - on the wall
