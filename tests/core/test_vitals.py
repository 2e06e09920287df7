"""When a process is to be replaced, and when not."""

from __future__ import annotations

from exchange_push_operator.core.vitals import Signs, complaints, longest_pass

LIVELY = Signs(loop=100.0, watches={"/epc": 100.0}, passes={"ns/a": 700.0})


def said(signs: Signs, now: float) -> list[str]:
    return list(complaints(signs, now))


def test_who_lives_is_left_alone() -> None:
    assert said(LIVELY, 130.0) == []


def test_an_event_loop_that_stands_still_for_half_a_minute_is_told() -> None:
    assert said(LIVELY, 131.0) == ["the event loop has stood still for 31 s"]


def test_a_watch_is_silent_when_it_neither_spoke_nor_asked_for_three_times_its_patience() -> None:
    late = Signs(loop=311.0, watches={"/epc": 100.0, "/other": 310.0}, passes={})
    assert said(late, 310.0) == []
    assert said(late, 311.0) == ["the watch /epc has been silent for 211 s"]


def test_a_pass_that_does_not_end_is_told() -> None:
    late = Signs(loop=701.0, watches={}, passes={"ns/a": 700.0, "ns/b": 702.0})
    assert said(late, 701.0) == ["the pass of ns/a ought to have been over 1 s ago"]


def test_a_pass_has_twice_its_time_and_never_less_than_the_slowest_call_needs() -> None:
    assert longest_pass(3600) == 7200
    assert longest_pass(30) == 630
