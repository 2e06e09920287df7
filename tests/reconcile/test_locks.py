"""One writer at a time: whoever waits gives up in time, and what nobody uses is forgotten."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exchange_push_operator.core.errors import Unreachable
from exchange_push_operator.core.ports import Exchange, ExchangeAccess, Fence
from exchange_push_operator.reconcile.locks import Lock, Locks
from lab.in_process import lab

pytestmark = pytest.mark.lab


def test_a_lock_is_waited_for_as_long_as_there_is_time() -> None:
    locks = Locks()
    with locks.of("one").hold(1.0), pytest.raises(Unreachable), locks.of("one").hold(0.01):
        pass
    with locks.of("one").hold(0.0), locks.of("other").hold(0.0):
        pass


def test_a_lock_tells_whether_another_one_has_held_it_since() -> None:
    lock = Locks().of("one")
    before = lock.holds
    with lock.hold(0.0) as holds:
        assert holds == before
    with lock.hold(0.0) as holds:
        assert holds != before


def test_what_no_pass_uses_is_forgotten() -> None:
    locks = Locks()
    with locks.of("one").hold(0.0):
        assert locks.of("one") is locks.of("one")
        assert len(locks) == 1
    assert len(locks) == 0


class LateIn(Locks):
    """The pass has next to no time left when it comes to wait for its turn."""

    def __init__(self, late: object) -> None:
        super().__init__()
        self.late, self.kept = late, Lock()

    def of(self, name: str) -> Lock:
        if name.startswith("organization/") and "None" not in name:
            self.late()  # type: ignore[operator] # of the test below
            return self.kept
        return super().of(name)


def test_a_pass_that_waits_for_another_one_ends_within_its_own_time() -> None:
    """Else /livez would take it for one that hangs, and the other one would be ended with it."""
    outside = lab()
    operator = outside.operator()
    operator.run()
    before = outside.status["conditions"]
    outside.administrator("Disable-PushNotificationProxy", Confirm=False)
    locks = LateIn(lambda: outside.clock.forward(seconds=299.99))
    operator.world = replace(operator.world, locks=locks)
    with locks.kept.hold(0.0):
        outcome = operator.step()
    assert outcome.changes == ()
    assert outcome.requeue.kind == "retry"
    assert outside.status["conditions"] == before


def test_a_write_is_no_longer_wanted_once_the_resource_was_edited() -> None:
    outside = lab()
    operator, fences = outside.operator(), list[Fence]()
    exchange = operator.world.exchange

    def remembered(access: ExchangeAccess, wanted: Fence) -> Exchange:
        fences.append(wanted)
        return exchange(access, wanted)

    operator.world = replace(operator.world, exchange=remembered)
    operator.step()
    fences[-1]()
    operator.memory.superseded = lambda: True
    with pytest.raises(Unreachable, match="edited"):
        fences[-1]()
