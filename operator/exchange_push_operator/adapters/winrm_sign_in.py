"""Keeps a wrong password from locking its account: every 401 is counted by Active Directory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from exchange_push_operator.core.errors import Refused

PAUSE = 300.0  # seconds in which a credential that was turned down is not tried again
_PROVEN = 60.0  # seconds after a sign-in in which the password is taken to be right still


class SignIn:
    """One version of one account's credential, as the servers have received it so far.

    All servers of a resource are asked at once, and a password that was changed since the last
    pass would be wrong on all of them. So it is tried on one server at a time until one has taken
    it, and once one has turned it down, on no other: with sixteen servers a wrong password would
    lock the account within one pass. Another version of the Secret is another ``SignIn``.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Nothing is known yet."""
        self._clock = clock
        self._one_at_a_time = threading.Lock()
        self._lock = threading.Lock()
        self._refusals: dict[str, tuple[float, Refused]] = {}
        self._proven_until = -1.0
        self.used = clock()

    @contextmanager
    def attempt(self, server: str, knock: Callable[[], None]) -> Iterator[None]:
        """Around the call that signs in. Raises: Refused, as a server said it before.

        ``knock`` sees whether anybody listens there: who waits for a server that is away must not
        keep the others from trying.
        """
        self.used = self._clock()
        if not self._is_proven():
            self._check(server)
            knock()
            with self._one_at_a_time:
                if not self._is_proven():
                    self._check(server)
                    yield
                    self._accept(server)
                    return
        self._check(server)
        yield
        self._accept(server)

    def refused(self, server: str, refusal: Refused) -> None:
        """A server said 401."""
        with self._lock:
            self._proven_until = -1.0
            self._refusals[server] = (self._clock() + PAUSE, refusal)

    def _accept(self, server: str) -> None:
        with self._lock:
            self._proven_until = self._clock() + _PROVEN
            self._refusals.pop(server, None)

    def _is_proven(self) -> bool:
        with self._lock:
            return self._clock() < self._proven_until

    def _check(self, server: str) -> None:
        with self._lock:
            now = self._clock()
            self._refusals = {k: v for k, v in self._refusals.items() if now < v[0]}
            # Where the password is known to be right, only the server that said no is spared it.
            told = server if now < self._proven_until else min(self._refusals, default="")
            if told in self._refusals:
                raise _again(self._refusals[told][1])


def _again(refusal: Refused) -> Refused:
    # A new one: an exception that is raised twice would collect the tracebacks of both.
    return Refused(refusal.reason, str(refusal))
