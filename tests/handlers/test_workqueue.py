"""The work queue keeps the promises of client-go's, and lets edits go first."""

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any

from exchange_push_operator.handlers.workqueue import Handle, Key, WorkQueue

A, B, C = ("ns", "a"), ("ns", "b"), ("ns", "c")


class Pending:
    def __init__(self, at: float, callback: Callable[[], None]) -> None:
        self.at, self.callback, self.cancelled = at, callback, False

    def cancel(self) -> None:
        self.cancelled = True

    def when(self) -> float:
        return self.at


class Clock:
    """Time that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self._pending: list[tuple[float, int, Pending]] = []
        self._numbers = itertools.count()

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Handle:
        pending = Pending(self.now + delay, callback)
        heapq.heappush(self._pending, (pending.at, next(self._numbers), pending))
        return pending

    def advance(self, seconds: float) -> None:
        until = self.now + seconds
        while self._pending and self._pending[0][0] <= until:
            self.now, _, pending = heapq.heappop(self._pending)
            if not pending.cancelled:
                pending.callback()
        self.now = until

    def waiting(self) -> int:
        return sum(not pending.cancelled for _, _, pending in self._pending)


class ClockedQueue(WorkQueue):
    def __init__(self) -> None:
        self.clock = Clock()
        super().__init__(self.clock)


Test = Callable[[ClockedQueue], Awaitable[None]]


def in_a_loop(test: Test) -> Callable[[], None]:
    @wraps(test)
    def run() -> None:
        async def main() -> None:
            await test(ClockedQueue())

        asyncio.run(main())

    del run.__wrapped__  # pytest would ask it for fixtures
    return run


async def taken(queue: WorkQueue) -> Key | None:
    """What a worker that comes now gets at once; None where it would have to wait."""
    return await started(queue.get())


async def started(coroutine: Coroutine[Any, Any, Key | None]) -> Key | None:
    task = asyncio.ensure_future(coroutine)
    for _ in range(5):
        await asyncio.sleep(0)
    if task.done():
        return task.result()
    task.cancel()
    return None


@in_a_loop
async def test_a_key_that_is_added_twice_is_given_out_once(queue: ClockedQueue) -> None:
    queue.add(A)
    queue.add(A)
    assert await taken(queue) == A
    assert await taken(queue) is None


@in_a_loop
async def test_keys_come_out_in_the_order_they_came_in(queue: ClockedQueue) -> None:
    for key in (B, A, C):
        queue.add(key)
    assert [await taken(queue) for _ in range(3)] == [B, A, C]


@in_a_loop
async def test_a_key_is_never_held_by_two_workers(queue: ClockedQueue) -> None:
    queue.add(A)
    assert await taken(queue) == A
    queue.add(A)
    assert await taken(queue) is None
    queue.done(A)
    assert await taken(queue) == A


@in_a_loop
async def test_a_key_that_was_not_added_meanwhile_does_not_come_back(queue: ClockedQueue) -> None:
    queue.add(A)
    await taken(queue)
    queue.done(A)
    assert await taken(queue) is None


@in_a_loop
async def test_a_delayed_key_comes_when_it_is_due(queue: ClockedQueue) -> None:
    queue.add_after(A, 10)
    queue.clock.advance(9.9)
    assert await taken(queue) is None
    queue.clock.advance(0.2)
    assert await taken(queue) == A


@in_a_loop
async def test_a_change_cuts_a_delay_short(queue: ClockedQueue) -> None:
    queue.add_after(A, 10)
    queue.add(A)
    assert await taken(queue) == A
    queue.done(A)
    queue.clock.advance(20)
    assert await taken(queue) is None


@in_a_loop
async def test_the_sooner_of_two_delays_counts(queue: ClockedQueue) -> None:
    queue.add_after(A, 10)
    queue.add_after(A, 2)
    queue.add_after(A, 5)
    assert queue.clock.waiting() == 1
    queue.clock.advance(2)
    assert await taken(queue) == A


@in_a_loop
async def test_a_delay_is_pointless_for_a_key_that_waits(queue: ClockedQueue) -> None:
    queue.add(A)
    queue.add_after(A, 5)
    assert queue.clock.waiting() == 0


@in_a_loop
async def test_a_key_that_is_due_while_at_work_waits_for_its_worker(queue: ClockedQueue) -> None:
    queue.add(A)
    await taken(queue)
    queue.add_after(A, 1)
    queue.clock.advance(1)
    assert await taken(queue) is None
    queue.done(A)
    assert await taken(queue) == A


@in_a_loop
async def test_what_was_changed_goes_ahead_of_what_is_due(queue: ClockedQueue) -> None:
    queue.add(A, urgent=False)
    queue.add(B, urgent=False)
    queue.add(C)
    queue.add(B)
    assert len(queue) == 3
    assert [await taken(queue) for _ in range(4)] == [C, B, A, None]


@in_a_loop
async def test_being_due_does_not_take_a_changed_key_its_place(queue: ClockedQueue) -> None:
    queue.add(A)
    queue.add(A, urgent=False)
    queue.add(B)
    assert [await taken(queue) for _ in range(2)] == [A, B]


@in_a_loop
async def test_a_change_during_a_pass_is_urgent_afterwards(queue: ClockedQueue) -> None:
    queue.add(A)
    await taken(queue)
    queue.add(B, urgent=False)
    queue.add(A)
    queue.add(A, urgent=False)
    queue.done(A)
    assert [await taken(queue) for _ in range(2)] == [A, B]


@in_a_loop
async def test_a_dropped_key_is_forgotten_wherever_it_was(queue: ClockedQueue) -> None:
    queue.add(A)
    await taken(queue)
    queue.add(A)
    queue.failed(A)
    queue.add(B)
    queue.add_after(C, 1)
    for key in (A, B, C):
        queue.drop(key)
    queue.done(A)
    queue.clock.advance(5)
    assert await taken(queue) is None
    assert queue.failures(A) == 0


@in_a_loop
async def test_failures_are_counted_until_a_success(queue: ClockedQueue) -> None:
    queue.failed(A)
    queue.failed(A)
    assert (queue.failures(A), queue.failures(B)) == (2, 0)
    queue.succeeded(A)
    assert queue.failures(A) == 0


@in_a_loop
async def test_a_closed_queue_sends_every_worker_home(queue: ClockedQueue) -> None:
    workers = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    queue.add_after(A, 1)
    queue.close()
    assert await asyncio.gather(*workers) == [None, None, None]
    assert queue.clock.waiting() == 0
    queue.add(B)
    assert await queue.get() is None


@in_a_loop
async def test_many_workers_hold_each_key_once(queue: ClockedQueue) -> None:
    held: set[Key] = set()
    passes: dict[Key, int] = {}

    async def work() -> None:
        while (key := await queue.get()) is not None:
            assert key not in held
            held.add(key)
            passes[key] = passes.get(key, 0) + 1
            if passes[key] < 3:
                queue.add(key)
            await asyncio.sleep(0)
            held.discard(key)
            queue.done(key)
            if sum(passes.values()) == 3 * 50:
                queue.close()

    for number in range(50):
        queue.add(("ns", str(number)), urgent=number % 2 == 0)
    await asyncio.gather(*(work() for _ in range(8)))
    assert set(passes.values()) == {3}
