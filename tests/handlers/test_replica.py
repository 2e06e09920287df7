"""A replica watches always, works while it leads, and lets go in the right order."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from exchange_push_operator.core.cluster import Resource
from exchange_push_operator.core.conflict import Peers
from exchange_push_operator.core.lease import Lease
from exchange_push_operator.handlers.controller import Controller, Limits
from exchange_push_operator.handlers.lease import Clocks, Election
from exchange_push_operator.handlers.passes import Doors, Logic
from exchange_push_operator.handlers.replica import Replica
from exchange_push_operator.handlers.vitals import Vitals
from exchange_push_operator.reconcile import Memory, Outcome
from handlers.bench import STEADY, Objects, Recorder, ready
from handlers.test_lease import Clock, Stored

DATE = datetime(2026, 11, 21, 9, tzinfo=UTC)


class Site:
    """A replica in the event loop of the test; its passes wait for ``go_on``."""

    def __init__(self, grace: float = 10.0) -> None:
        self.clock, self.stored, self.objects = Clock(), Stored(), Objects()
        self.go_on, self.looks = threading.Event(), []  # type: tuple[threading.Event, list[str]]
        self.go_on.set()
        self.braked = threading.Event()
        logic = Logic(self._reconcile, lambda it: it["status"], lambda: DATE)
        doors = Doors(self.objects, Recorder())
        controller = Controller(logic, doors, Limits(workers=4, progress_after=60))
        self.election = Election(self.stored, "me", Clocks(self.clock, lambda: DATE))
        self.replica = Replica(controller, Vitals(1), self.election, self.braked.set, grace)
        self.objects.watch = controller.watched

    def _reconcile(self, resource: Resource, _peers: Peers, _memory: Memory) -> Outcome:
        self.looks.append(resource["metadata"]["name"])
        self.go_on.wait(20)
        return Outcome(ready(resource), STEADY)

    async def until(self, predicate: Callable[[], Any]) -> None:
        async with asyncio.timeout(20):
            while not predicate():  # noqa: ASYNC110 - threads do it
                await asyncio.sleep(0.005)


def run(story: Awaitable[None]) -> None:
    async def main() -> None:
        await story

    asyncio.run(main())


def test_a_standby_takes_everything_in_and_works_as_soon_as_it_leads() -> None:
    async def story() -> None:
        site = Site()
        site.stored.lease, site.stored.version = Lease("other", 15, DATE, DATE), 1
        await site.replica.start()
        site.objects.create("a")
        await site.until(lambda: site.stored.calls)
        assert site.looks == []
        site.clock.now += 16
        await site.until(lambda: site.looks == ["a"])
        await site.replica.stop()
        assert site.stored.holder == ""

    run(story())


def test_a_standby_that_is_stopped_leaves_the_lease_alone() -> None:
    async def story() -> None:
        site = Site()
        site.stored.lease, site.stored.version = Lease("other", 15, DATE, DATE), 1
        await site.replica.start()
        await site.until(lambda: site.stored.calls)
        await site.replica.stop()
        assert site.stored.holder == "other"
        assert site.replica.ended.passes

    run(story())


def test_stopped_it_gives_the_lease_back_after_the_last_pass() -> None:
    async def story() -> None:
        site = Site()
        site.go_on.clear()
        await site.replica.start()
        site.objects.create("a")
        await site.until(lambda: site.looks)
        stopping = asyncio.create_task(site.replica.stop())
        await site.until(site.braked.is_set)
        assert site.stored.holder == "me"
        assert site.election.leads()
        site.go_on.set()
        await stopping
        assert site.stored.holder == ""
        assert site.objects.writes == ["status"]
        assert site.replica.ended.passes

    run(story())


def test_a_lease_is_not_given_back_while_a_pass_hangs() -> None:
    """What that call still does must be over before anybody else writes."""

    async def story() -> None:
        site = Site(grace=0.05)
        site.go_on.clear()
        await site.replica.start()
        site.objects.create("a")
        await site.until(lambda: site.looks)
        await site.replica.stop()
        assert site.stored.holder == "me"
        assert not site.replica.ended.passes
        site.go_on.set()

    run(story())


def test_a_replica_that_lost_the_lease_brakes_and_asks_to_be_ended() -> None:
    async def story() -> None:
        site = Site()
        await site.replica.start()
        await site.until(site.election.leads)
        site.clock.now += 11
        await asyncio.wait_for(site.replica.over.wait(), 20)
        assert site.braked.is_set()
        assert site.replica.ended.lost
        await site.replica.stop()
        assert site.stored.holder == ""  # nobody had taken it, and nothing runs any more

    run(story())


@pytest.mark.parametrize("leads", [False, True])
def test_a_bug_in_the_election_ends_the_replica(
    leads: bool,  # noqa: FBT001 - a table's column
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It would live on, look healthy, and never lead again."""

    def stumble(_call: str) -> None:
        raise ValueError("no date")

    async def story() -> None:
        site = Site()
        if leads:
            await site.replica.start()
            await site.until(site.election.leads)
            site.clock.now += 9.9  # so that it is renewed soon
        site.stored.before = stumble
        if not leads:
            await site.replica.start()
        await asyncio.wait_for(site.replica.over.wait(), 20)
        assert site.braked.is_set()
        assert site.replica.ended.lost
        site.stored.before = lambda _call: None
        await site.replica.stop()

    run(story())
    assert "a bug ended the election" in caplog.text


def test_without_an_election_it_works_at_once() -> None:
    async def story() -> None:
        site = Site()
        alone = Replica(site.replica.controller, Vitals(1), None, site.braked.set)
        await alone.start()
        site.objects.create("a")
        await site.until(lambda: site.looks == ["a"])
        await alone.stop()
        assert site.stored.calls == []

    run(story())
