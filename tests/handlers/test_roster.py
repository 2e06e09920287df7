"""What wakes a resource: starting up is spread, and what went unseen is found."""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import Any

from exchange_push_operator.handlers.roster import Roster
from exchange_push_operator.handlers.workqueue import Key
from handlers.test_workqueue import ClockedQueue

_NUMBERS = itertools.count(1)


def resource(name: str, namespace: str = "exchange") -> dict[str, Any]:
    metadata = {"namespace": namespace, "name": name, "uid": f"uid-{name}", "generation": 1}
    created = {"creationTimestamp": "2026-11-21T09:00:00Z", "resourceVersion": str(next(_NUMBERS))}
    return {"metadata": {**metadata, **created}, "spec": {}, "status": {}}


class Site:
    def __init__(self) -> None:
        self.queue = ClockedQueue()
        self.roster = Roster(self.queue, random.Random(1).random)

    def take(self) -> list[Key]:
        """All keys that wait, in their order; each is done with at once."""

        async def all_of_them() -> list[Key]:
            found = [await self.queue.get() for _ in range(len(self.queue))]
            return [key for key in found if key is not None]

        keys = asyncio.run(all_of_them())
        for key in keys:
            self.queue.done(key)
        return keys

    def list(self, *names: str, namespace: str = "exchange") -> None:
        for name in names:
            self.roster.watched(resource(name, namespace), listed=True)


def test_a_start_with_many_resources_is_spread() -> None:
    site = Site()
    site.list(*(f"config-{number}" for number in range(2000)))
    waiting = []
    for _ in range(20):
        waiting.append(len(site.queue))
        site.queue.clock.advance(0.1)
    steps = [after - before for before, after in itertools.pairwise(waiting)]
    assert max(steps) < 400  # of 2,000; never all at once
    site.queue.clock.advance(1)
    assert len(site.queue) == 2000


def test_neighbours_of_the_list_are_not_looked_at_together() -> None:
    """They often share servers."""
    site = Site()
    names = [f"config-{number:03}" for number in range(500)]
    site.list(*names)
    site.queue.clock.advance(1)
    order = [names.index(name) for _, name in site.take()]
    near = sum(abs(one - other) < 10 for one, other in itertools.pairwise(order))
    assert near < 150  # the first hundred are looked at as they come


def test_what_is_not_in_a_new_list_is_looked_at() -> None:
    """After an HTTP 410 nobody tells what was deleted; a look finds it gone."""
    site = Site()
    site.list("a", "b")
    site.take()
    site.roster.listing("exchange")
    site.list("a")
    site.roster.look_for_unlisted("exchange")
    assert site.take() == [("exchange", "b")]


def test_a_list_of_one_namespace_says_nothing_about_another_one() -> None:
    site = Site()
    site.list("a")
    site.list("b", namespace="mail")
    site.take()
    site.roster.listing("mail")
    site.roster.look_for_unlisted("exchange")
    assert site.take() == []
    site.roster.look_for_unlisted("mail")
    assert site.take() == [("mail", "b")]


def test_what_was_deleted_properly_meanwhile_is_not_looked_at() -> None:
    site = Site()
    site.list("a")
    site.take()
    site.roster.listing(None)
    site.roster.gone(("exchange", "a"), "uid-a")
    site.roster.look_for_unlisted(None)
    assert site.take() == []
