"""When a resource is looked at again."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_push_operator.core.schedule import Kind, Requeue, delay

SECONDS = st.floats(1, 7 * 24 * 3600)
CHANCE = st.floats(0, 1)
FAILURES = st.integers(0, 5000)


def wish(kind: Kind, **figures: float) -> Requeue:
    return Requeue(kind, **{"interval": 3600.0, "retry_interval": 120.0, **figures})


@given(interval=SECONDS, cap=st.none() | SECONDS, chance=CHANCE)
def test_a_steady_resource_is_looked_at_within_a_tenth_of_its_interval(
    interval: float, cap: float | None, chance: float
) -> None:
    wanted = interval if cap is None else min(interval, cap)
    seconds = delay(wish("steady", interval=interval), 0, cap, chance)
    assert 0.9 * wanted <= seconds <= 1.1 * wanted * (1 + 1e-9)


@given(failures=FAILURES, longest=SECONDS, chance=CHANCE)
def test_a_back_off_never_exceeds_the_retry_interval(
    failures: int, longest: float, chance: float
) -> None:
    assert 0 < delay(wish("retry", retry_interval=longest), failures, None, chance) <= longest


@given(failures=st.integers(0, 5), chance=CHANCE)
def test_a_back_off_doubles_until_it_is_the_longest(failures: int, chance: float) -> None:
    requeue = wish("retry", retry_interval=3600)
    once = delay(requeue, failures, None, chance)
    assert delay(requeue, failures + 1, None, chance) == pytest.approx(2 * once)


def test_the_first_retry_comes_within_a_second() -> None:
    assert delay(wish("retry"), 0, None, 1.0) == 1.0


@given(failures=FAILURES, longest=SECONDS, chance=CHANCE)
def test_what_waits_for_a_person_waits_the_flat_retry_interval(
    failures: int, longest: float, chance: float
) -> None:
    assert delay(wish("stalled", retry_interval=longest), failures, 5.0, chance) == longest


@given(
    kind=st.sampled_from(["steady", "retry", "stalled", "now", "never"]),
    failures=FAILURES,
    cap=st.none() | SECONDS,
    chance=CHANCE,
    pause=SECONDS,
)
def test_a_pause_that_was_asked_for_is_kept_by_all(
    kind: Kind, failures: int, cap: float | None, chance: float, pause: float
) -> None:
    assert delay(wish(kind, at_least=pause), failures, cap, chance) >= pause


@given(failures=FAILURES, chance=CHANCE)
def test_now_does_not_wait_and_never_does_not_come(failures: int, chance: float) -> None:
    assert delay(wish("now"), failures, None, chance) == 0
    assert math.isinf(delay(wish("never"), failures, None, chance))
