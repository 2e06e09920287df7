"""Keeps the signs of life of this process, for the probes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from exchange_push_operator.core.vitals import Signs, complaints, longest_pass

_BEAT = 1.0


class Vitals:
    """Written by the event loop, read by the threads of the probes.

    ``expected`` is how many watches there are once the start-up lists are done.
    """

    def __init__(self, expected: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing has lived yet; that counts from now."""
        self._expected, self._clock = expected, clock
        self._loop = clock()
        self._watches: dict[str, float] = {}
        self._listed: set[str] = set()
        self._passes: dict[str, float] = {}

    async def beat(self) -> None:
        """Show for ever that the event loop turns."""
        while True:
            self._loop = self._clock()
            await asyncio.sleep(_BEAT)

    def asked(self, path: str, *, watching: bool) -> None:
        """A list or a watch was asked for; a watch comes after its list."""
        self._watches = {**self._watches, path: self._clock()}
        if watching:
            self._listed.add(path)

    @contextmanager
    def passing(self, name: str, timeout: float) -> Iterator[None]:
        """A pass runs that has ``timeout`` seconds."""
        over = self._clock() + longest_pass(timeout)
        self._passes = {**self._passes, name: over}
        try:
            yield
        finally:
            self._passes = {key: at for key, at in self._passes.items() if key != name}

    def ready(self) -> bool:
        """Whether everything that exists has been listed."""
        return len(self._listed) >= self._expected

    def complaints(self) -> list[str]:
        """What only a new process will help against."""
        return list(complaints(Signs(self._loop, self._watches, self._passes), self._clock()))
