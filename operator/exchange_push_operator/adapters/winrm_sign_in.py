"""Keeps a wrong password from locking its account: every 401 is counted by Active Directory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from exchange_push_operator.core.errors import Refused

_PAUSE = 300.0  # seconds in which a credential that was turned down is not tried again
_MOST_DOUBLINGS = 3
_PROVEN = 60.0  # seconds after a sign-in in which the password is taken to be right still


def pause(times: int) -> float:
    """Seconds to wait after so many refusals in a row: 5 minutes, 10, 20, then 40.

    Active Directory forgets bad sign-ins once the last one is long enough ago: 10 to 30 minutes by
    common policies ("Reset account lockout counter after"). With a steady five minutes it never
    would, and any threshold would be reached.
    """
    return float(_PAUSE * 2 ** min(times - 1, _MOST_DOUBLINGS))


@dataclass(frozen=True, slots=True)
class _Refusal:
    """What a server said. ``its_own``: another one had just taken the same password."""

    until: float
    meaning: Refused
    its_own: bool


class SignIn:
    """One account's credential, as the servers have received it so far.

    All servers of a resource are asked at once, and a password that was changed since the last
    pass would be wrong on all of them. So it is tried on one server at a time until one has taken
    it, and once one has turned it down, on no other: with sixteen servers a wrong password would
    lock the account within one pass. One that refuses what another has just taken may have
    trouble of its own, and stops nobody else; a second one does. Another password is another
    ``SignIn``; the same one in another Secret, or in a Secret that was touched, is not.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Nothing is known yet."""
        self._clock = clock
        self._one_at_a_time = threading.Lock()
        self._lock = threading.Lock()
        self._refusals: dict[str, _Refusal] = {}
        self._times = 0  # refusals since a server has taken it
        self._said: Refused | None = None  # the first of them
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

    def refused(self, server: str, refusal: Refused) -> Refused:
        """A server said 401; what is said of it.

        Which server is tried first is chance: as long as none takes the password, the one that
        turned it down first is named, so that status does not move from try to try.
        """
        with self._lock:
            now, known = self._clock(), self._refusals.get(server)
            if known is not None and now < known.until:
                return _again(known.meaning)  # told already
            self._times += 1
            first = not any(now < r.until for name, r in self._refusals.items() if name != server)
            its_own = now < self._proven_until and first
            self._proven_until = self._proven_until if its_own else -1.0
            if not its_own:
                self._said = refusal = self._said or refusal
            self._refusals[server] = _Refusal(now + pause(self._times), refusal, its_own)
            return _again(refusal)

    def _accept(self, server: str) -> None:
        with self._lock:
            self._proven_until = self._clock() + _PROVEN
            self._times, self._said = 0, None
            self._refusals.pop(server, None)

    def _is_proven(self) -> bool:
        with self._lock:
            return self._clock() < self._proven_until

    def _check(self, server: str) -> None:
        with self._lock:
            now = self._clock()
            self._refusals = {k: r for k, r in self._refusals.items() if now < r.until}
            told = self._refusals.get(server)
            if told is None and now >= self._proven_until:
                told = next((r for r in self._refusals.values() if not r.its_own), None)
            if told is not None:
                raise _again(told.meaning)


def _again(refusal: Refused) -> Refused:
    # A new one: an exception that is raised twice would collect the tracebacks of both.
    return Refused(refusal.reason, str(refusal))
