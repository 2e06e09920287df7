"""Who leads is decided by what one replica sees, and by no clock but its own."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from exchange_push_operator.core.lease import (
    LEASE_DURATION,
    LOOK_PERIOD,
    MARGIN,
    RENEW_DEADLINE,
    RETRY_PERIOD,
    Lease,
    Sight,
    claim,
    release,
    see,
)

DATE = datetime(2026, 11, 21, 9, tzinfo=UTC)
LATER = DATE + timedelta(seconds=2)
HELD = Lease("a", 15, DATE, DATE, transitions=3)
STAND_IN = Lease("", 15, None, DATE)


def test_where_no_lease_is_nobody_leads_before_a_leader_whose_lease_was_deleted_has_noticed() -> (
    None
):
    """A new Pod cannot tell the first start of all from a Lease deleted a moment ago."""
    nothing = see(None, None, 99.0)
    assert claim("a", nothing, 99.0, DATE) == STAND_IN
    sight = see(nothing, STAND_IN, 100.0)
    assert see(sight, STAND_IN, 110.0) == sight
    assert claim("a", sight, 114.9, DATE) is None
    assert claim("a", sight, 115.0, DATE) == Lease("a", 15, DATE, DATE, transitions=0)


def test_a_leader_puts_its_record_in_the_place_of_a_stand_in_and_the_new_one_stands_by() -> None:
    leader = see(see(None, HELD, 500.0), STAND_IN, 502.0)
    assert claim("a", leader, 502.0, LATER) == replace(HELD, renewed=LATER)
    sight = see(see(None, STAND_IN, 100.0), HELD, 102.0)
    assert claim("b", sight, 116.9, LATER) is None
    assert claim("b", sight, 117.0, LATER) is not None


def test_a_stand_in_that_is_deleted_too_is_waited_for_anew() -> None:
    """A leader may have been there in between, and nobody has seen it."""
    sight = see(see(None, STAND_IN, 100.0), None, 110.0)
    again = claim("b", sight, 110.0, LATER)
    assert again == replace(STAND_IN, renewed=LATER)
    assert claim("b", see(sight, again, 110.0), 124.9, LATER) is None


def test_a_lease_that_somebody_made_by_hand_without_a_record_is_not_free_at_once() -> None:
    sight = see(None, Lease("", 0), 100.0)
    assert claim("a", sight, 114.9, DATE) is None
    assert claim("a", sight, 115.0, DATE) is not None


def test_a_lease_that_was_given_back_is_taken_at_once() -> None:
    given_back = release("a", HELD, LATER)
    assert given_back is not None
    assert given_back.holder == ""
    taken = claim("b", see(None, given_back, 100.0), 100.0, LATER)
    assert taken == Lease("b", 15, LATER, LATER, transitions=4)


def test_the_holder_renews_and_keeps_the_rest_of_the_record() -> None:
    renewed = claim("a", see(None, HELD, 0.0), 0.0, LATER)
    assert renewed == replace(HELD, renewed=LATER)


def test_nobody_takes_a_lease_before_its_record_has_stood_still_for_its_duration() -> None:
    sight = see(None, HELD, 100.0)
    assert claim("b", sight, 114.999, LATER) is None
    assert claim("b", sight, 115.0, LATER) == Lease("b", 15, LATER, LATER, transitions=4)


def test_every_change_of_the_record_starts_the_count_anew() -> None:
    sight = see(None, HELD, 100.0)
    assert see(sight, HELD, 110.0) == sight
    renewed = see(sight, replace(HELD, renewed=LATER), 110.0)
    assert claim("b", renewed, 115.0, LATER) is None
    assert claim("b", renewed, 125.0, LATER) is not None


@pytest.mark.parametrize("hours", [-24, 0, 24])
def test_the_dates_of_another_machine_decide_nothing(hours: int) -> None:
    odd = replace(HELD, renewed=DATE + timedelta(hours=hours))
    sight = see(None, odd, 100.0)
    assert claim("b", sight, 101.0, DATE) is None
    assert claim("b", sight, 115.0, DATE) is not None


def test_a_record_without_a_duration_counts_as_one_of_ours() -> None:
    sight = see(None, replace(HELD, duration=0), 0.0)
    assert claim("b", sight, LEASE_DURATION - 0.1, DATE) is None
    assert claim("b", sight, LEASE_DURATION, DATE) is not None


def test_a_lease_that_somebody_deleted_is_made_anew_by_its_holder() -> None:
    sight = see(see(None, HELD, 100.0), None, 105.0)
    assert claim("a", sight, 105.0, LATER) == replace(HELD, renewed=LATER)


def test_others_wait_as_if_the_deleted_lease_had_been_renewed_a_moment_before() -> None:
    sight = see(see(None, HELD, 100.0), STAND_IN, 105.0)
    assert claim("b", sight, 119.9, LATER) is None
    assert claim("b", sight, 120.0, LATER) is not None


def test_who_led_long_ago_does_not_take_a_deleted_lease_for_its_own() -> None:
    sight = see(see(None, HELD, 100.0), None, 160.0)
    assert claim("a", sight, 160.0, LATER) == replace(STAND_IN, renewed=LATER)


def test_only_the_holder_gives_a_lease_back() -> None:
    assert release("b", HELD, LATER) is None


def test_a_leader_stops_well_before_anybody_can_take_over() -> None:
    assert RENEW_DEADLINE + MARGIN == LEASE_DURATION
    assert MARGIN >= 2 * RETRY_PERIOD


def test_a_killed_leader_is_missed_for_sixteen_seconds_at_most() -> None:
    """It may die right after a renewal that a standby sees one look later."""
    assert LOOK_PERIOD + LEASE_DURATION <= 16


class Replica:
    """Follows the rules with a clock of its own: another zero, and a little too fast or slow."""

    def __init__(self, name: str, chance: random.Random) -> None:
        self.name, self._chance = name, chance
        self._zero, self._speed = chance.uniform(-1e6, 1e6), chance.uniform(0.999, 1.001)
        self.sight: Sight | None = None
        self.until = self.wakes = -1.0
        self._until = -1e12

    def clock(self, now: float) -> float:
        return self._zero + now * self._speed

    def leads(self, now: float) -> bool:
        return self.clock(now) < self._until

    def act(self, now: float, stored: Lease | None) -> Lease | None:
        """One look and, where it may, one write; what is stored then."""
        began = self.clock(now)
        self.sight = see(self.sight, stored, began)
        wanted = claim(self.name, self.sight, began, DATE + timedelta(seconds=self._zero + now))
        if wanted is None:
            return stored
        self.sight = see(self.sight, wanted, began)
        if wanted.holder:
            self._until = began + RENEW_DEADLINE
        return wanted


@pytest.mark.parametrize("seed", range(8))
def test_there_are_never_two_leaders_whoever_sleeps_or_starts_anew_and_whatever_is_deleted(
    seed: int,
) -> None:
    chance = random.Random(seed)
    replicas = [Replica(name, chance) for name in "abc"]
    stored: Lease | None = None
    leaders_in_all: set[str] = set()
    for tick in range(2400):
        now = tick / 4
        if chance.random() < 0.01:
            stored = None
        if chance.random() < (0.3 if stored is None else 0.01):  # it has never seen the Lease
            replicas[chance.randrange(3)] = Replica(f"pod {tick}", chance)
        for replica in replicas:
            if now < replica.wakes or chance.random() > 0.25:
                continue
            if chance.random() < 0.04:  # it is stopped for a while, and knows nothing of it
                replica.wakes = now + chance.uniform(1, 40)
                continue
            stored = replica.act(now, stored)
        leaders = [replica.name for replica in replicas if replica.leads(now)]
        assert len(leaders) <= 1, (seed, now)
        leaders_in_all.update(leaders)
    assert len(leaders_in_all) > 1, "nobody ever took over"
