"""Keeps a wrong password from locking its account: every 401 is counted by Active Directory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from exchange_push_operator.core.errors import Refused

PAUSE = 300.0  # seconds in which a server that said no is not asked again
_ENOUGH = 2  # servers that say no, one after another, before no other one is asked


class SignIn:
    """One version of one account's credential, as the servers have received it so far.

    A server that turned it down hears it again after five minutes at the earliest; another
    version of the Secret is another ``SignIn``. As long as no server has taken it, it is tried
    on one server at a time, and after two refusals on no other: with sixteen servers a wrong
    password would lock the account within one pass.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Nothing is known yet."""
        self._clock = clock
        self._one_at_a_time = threading.Lock()
        self._lock = threading.Lock()
        self._refusals: dict[str, tuple[float, Refused]] = {}
        self._in_a_row = 0
        self._taken = False
        self.used = clock()

    @contextmanager
    def attempt(self, server: str) -> Iterator[None]:
        """Around the call that signs in. Raises: Refused, as the server said it before."""
        self.used = self._clock()
        if self._taken:
            self._check(server)
            yield
            self._accept(server)
            return
        with self._one_at_a_time:
            self._check(server)
            yield
            self._accept(server)

    def refused(self, server: str, refusal: Refused) -> None:
        """A server said 401."""
        with self._lock:
            if server not in self._refusals:
                self._in_a_row += 1
            self._taken = False
            self._refusals[server] = (self._clock() + PAUSE, refusal)

    def _accept(self, server: str) -> None:
        with self._lock:
            self._taken = True
            self._in_a_row = 0
            self._refusals.pop(server, None)

    def _check(self, server: str) -> None:
        with self._lock:
            now = self._clock()
            for name, (until, _) in tuple(self._refusals.items()):
                if now >= until:
                    del self._refusals[name]
                    self._in_a_row = max(0, self._in_a_row - 1)
            if server in self._refusals:
                raise _again(self._refusals[server][1])
            if self._in_a_row >= _ENOUGH:
                raise _again(self._refusals[min(self._refusals)][1])


def _again(refusal: Refused) -> Refused:
    # A new one: an exception that is raised twice would collect the tracebacks of both.
    return Refused(refusal.reason, str(refusal))
