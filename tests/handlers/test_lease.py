"""The election asks in time, believes no answer that came too late, and lets go when it must."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from exchange_push_operator.core.errors import Refused, SpecError, Unreachable
from exchange_push_operator.core.lease import Lease
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.handlers.lease import Clocks, Election

DATE = datetime(2026, 11, 21, 9, tzinfo=UTC)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Stored:
    """The port in memory; ``before`` is called before every answer."""

    def __init__(self) -> None:
        self.lease: Lease | None = Lease("", 1, DATE, DATE)  # given back: free at once
        self.version = 0
        self.before: Callable[[str], None] = lambda _call: None
        self.calls: list[str] = []

    def read(self) -> tuple[Lease, Mapping[str, Any]] | None:
        self.calls.append("read")
        self.before("read")
        return (self.lease, {"version": self.version}) if self.lease else None

    def write(self, lease: Lease, found: Mapping[str, Any] | None) -> bool:
        self.calls.append("write")
        self.before("write")
        if (found or {"version": 0})["version"] != self.version:
            return False
        self.lease, self.version = lease, self.version + 1
        return True

    @property
    def holder(self) -> str:
        return self.lease.holder if self.lease else ""


class Site:
    def __init__(self) -> None:
        self.clock, self.stored = Clock(), Stored()

    def election(self, name: str = "a") -> Election:
        return Election(self.stored, name, Clocks(self.clock, lambda: DATE))


@pytest.fixture
def site() -> Site:
    return Site()


async def turn_until(predicate: Callable[[], bool]) -> None:
    while not predicate():  # noqa: ASYNC110 - set by another thread
        await asyncio.sleep(0)


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(coroutine, 20))


def test_a_free_lease_is_taken_at_the_first_try(site: Site) -> None:
    election = site.election()
    run(election.acquire())
    assert election.leads()
    assert site.stored.calls == ["read", "write"]


def test_who_does_not_lead_may_not_write(site: Site) -> None:
    with pytest.raises(Unreachable, match="does not lead"):
        site.election().fence()


def test_a_write_must_have_left_before_the_lease_can_be_taken(site: Site) -> None:
    election = site.election()
    run(election.acquire())
    assert election.fence() == 15
    site.clock.now += 9
    assert election.fence() == 6
    site.clock.now += 1
    with pytest.raises(Unreachable):
        election.fence()


def test_the_time_that_the_request_took_is_no_gain(site: Site) -> None:
    def slowly(call: str) -> None:
        site.clock.now += 2.0 if call == "write" else 0.0

    site.stored.before = slowly
    election = site.election()
    run(election.acquire())
    assert election.fence() == 13


def test_a_standby_waits_and_takes_over_when_the_record_stands_still(site: Site) -> None:
    site.stored.lease, site.stored.version = Lease("other", 15, DATE, DATE, 0), 7

    def time_passes(_call: str) -> None:
        site.clock.now += 8

    site.stored.before = time_passes
    election = site.election()
    run(election.acquire())
    assert site.stored.calls == ["read", "read", "read", "write"]
    assert site.stored.lease.holder == "a"


def test_where_there_is_no_lease_it_leads_when_nobody_else_can(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    def time_passes(_call: str) -> None:
        site.clock.now += 8

    site.stored.lease, site.stored.before = None, time_passes
    with caplog.at_level("INFO"):
        run(site.election().acquire())
    assert site.stored.calls == ["read", "write", "read", "read", "write"]
    assert "no Lease is there; leading in 15 s, if nobody else does" in caplog.text


def test_who_was_faster_leads(site: Site) -> None:
    def be_faster(call: str) -> None:
        if call == "write":
            site.stored.lease, site.stored.version = Lease("other", 15, DATE, DATE, 0), 1

    async def race() -> None:
        site.stored.before = be_faster
        waiting = asyncio.create_task(site.election().acquire())
        await turn_until(lambda: site.stored.holder == "other")
        waiting.cancel()

    run(race())
    site.stored.before = lambda _call: None
    run(site.election("other").acquire())
    assert site.stored.holder == "other"


def test_a_leader_whose_name_is_gone_from_the_record_stops_at_once(site: Site) -> None:
    async def story() -> None:
        election = site.election()
        await election.acquire()
        site.stored.lease, site.stored.version = Lease("other", 15, DATE, DATE, 9), 9
        site.clock.now += 8.5  # so that the next look comes soon
        await election.keep()
        assert not election.leads()

    run(story())


def test_a_leader_that_gets_no_answer_stops_at_its_deadline(site: Site) -> None:
    def fail(_call: str) -> None:
        site.clock.now += 3
        raise Unreachable("the API server does not answer")

    async def story() -> None:
        election = site.election()
        await election.acquire()
        site.clock.now += 8.5
        site.stored.before = fail
        await election.keep()
        assert not election.leads()

    run(story())
    assert site.stored.holder == "a"  # nobody could be told; the lease runs out


def test_a_call_that_hangs_does_not_outlive_the_deadline(site: Site) -> None:
    go_on = threading.Event()

    def hang(_call: str) -> None:
        go_on.wait(20)

    async def story() -> None:
        election = site.election()
        await election.acquire()
        site.clock.now += 9.8
        site.stored.before = hang
        renewing = asyncio.create_task(election.keep())
        await turn_until(lambda: len(site.stored.calls) == 3)
        site.clock.now += 0.3
        await renewing
        assert not election.leads()
        go_on.set()

    run(story())


def test_a_woken_sleeper_does_not_lead_even_before_it_has_looked(site: Site) -> None:
    election = site.election()
    run(election.acquire())
    site.clock.now += 60
    assert not election.leads()


def test_given_back_it_is_anybodys_at_once(site: Site) -> None:
    async def story() -> None:
        first, second = site.election("a"), site.election("b")
        await first.acquire()
        await first.release()
        assert not first.leads()
        assert site.stored.holder == ""
        await second.acquire()
        assert site.stored.holder == "b"

    run(story())


def test_given_back_it_is_although_a_renewal_was_faster(site: Site) -> None:
    def be_faster(call: str) -> None:
        if call == "write":
            site.stored.before = lambda _call: None
            site.stored.version += 1

    async def story() -> None:
        election = site.election()
        await election.acquire()
        site.stored.before = be_faster
        await election.release()
        assert site.stored.holder == ""

    run(story())


def test_what_is_not_ours_is_not_given_back(site: Site) -> None:
    site.stored.lease, site.stored.version = Lease("other", 15, DATE, DATE, 0), 7
    run(site.election().release())
    assert site.stored.calls == []


def test_giving_back_never_fails(site: Site) -> None:
    def fail(_call: str) -> None:
        raise Unreachable("the API server does not answer")

    async def story() -> None:
        election = site.election()
        await election.acquire()
        site.stored.before = fail
        await election.release()

    run(story())
    assert site.stored.holder == "a"


@pytest.mark.parametrize(
    "error", [SpecError("no such namespace"), Refused(Reason.ACCESS_DENIED, "forbidden")]
)
def test_what_no_waiting_cures_is_told_at_the_first_try(site: Site, error: Exception) -> None:
    def fail(_call: str) -> None:
        raise error

    site.stored.before = fail
    with pytest.raises(type(error)):
        run(site.election().acquire())


def test_an_api_server_that_is_away_is_waited_for(site: Site) -> None:
    answers = iter([Unreachable("away"), Refused(Reason.ACCESS_DENIED, "not yet")])

    def fail_twice(_call: str) -> None:
        error = next(answers, None)
        if error is not None:
            raise error

    site.stored.before = fail_twice
    election = site.election()
    run(election.acquire())
    assert election.leads()
