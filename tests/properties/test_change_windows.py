"""Change windows against the plainest reading of them: look at every minute's clock on the wall."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import assume, given
from hypothesis import strategies as st

from exchange_push_operator.core.change_windows import ChangeWindow, is_open, next_opening

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
# Clocks that move by an hour, by half of one (Lord Howe), never, and dates a day apart.
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Kiritimati")

MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1)).map(  # noqa: DTZ001 - UTC
    lambda moment: moment.replace(second=0, microsecond=0, tzinfo=UTC)
)
WINDOWS = st.builds(
    ChangeWindow,
    days=st.frozensets(st.integers(0, 6), min_size=1),
    start=st.builds(time, st.integers(0, 23), st.sampled_from((0, 15, 30, 45))),
    duration=st.integers(15, 600).map(lambda minutes: timedelta(minutes=minutes)),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
)
SEVERAL = st.lists(WINDOWS, min_size=1, max_size=3)


def opens_on_the_wall(window: ChangeWindow, moment: datetime) -> bool:
    """Whether the clocks show its start, for the first time on that day."""
    wall = moment.astimezone(window.zone)
    return wall.weekday() in window.days and wall.time() == window.start and not wall.fold


def the_clocks_move(window: ChangeWindow, moment: datetime) -> bool:
    nearby = (moment + timedelta(hours=hours) for hours in (-30, 0, 30))
    return len({near.astimezone(window.zone).utcoffset() for near in nearby}) > 1


@given(WINDOWS, MOMENTS)
def test_it_is_open_where_the_clocks_have_shown_its_start_within_its_duration(
    window: ChangeWindow, now: datetime
) -> None:
    assume(not the_clocks_move(window, now))
    minutes = range(int(window.duration / MINUTE))
    expected = any(opens_on_the_wall(window, now - n * MINUTE) for n in minutes)
    assert is_open([window], now) is expected


@given(SEVERAL, MOMENTS)
def test_it_opens_when_it_says_and_not_before(
    windows: Sequence[ChangeWindow], now: datetime
) -> None:
    opening = next_opening(windows, now)
    assert now < opening <= now + timedelta(days=8)
    assert is_open(windows, opening)
    if not is_open(windows, now):
        assert not is_open(windows, opening - SECOND)
        between = [now + (opening - now) * n / 20 for n in range(20)]
        assert not any(is_open(windows, moment) for moment in between)


@given(SEVERAL, MOMENTS)
def test_what_it_says_stands_still_until_it_opens(
    windows: Sequence[ChangeWindow], now: datetime
) -> None:
    opening = next_opening(windows, now)
    for n in range(5):
        assert next_opening(windows, now + (opening - now) * n / 5) == opening


@given(WINDOWS, MOMENTS)
def test_it_lasts_as_long_as_it_says_in_every_night(window: ChangeWindow, now: datetime) -> None:
    opening = next_opening([window], now)
    following = next_opening([window], opening)
    end = opening + window.duration
    assert is_open([window], end - SECOND)
    assert is_open([window], end) is (following <= end)
