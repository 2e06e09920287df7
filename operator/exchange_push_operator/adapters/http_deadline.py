"""One deadline for a whole answer.

The time-outs of sockets count anew with every piece: who sends a byte now and then would hold a
thread for hours. requests and urllib3 know no limit for all of it, headers included.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from urllib3.util.ssl_ import create_urllib3_context

from exchange_push_operator.adapters.clock import steady


class _Until(threading.local):
    """When the request of this thread has to be over, by the clock of the lease.

    That one goes on while the machine sleeps: what it woke up with is too late by then.
    """

    moment: float | None = None
    clock: Callable[[], float] = staticmethod(steady)


_UNTIL = _Until()


@contextmanager
def time_limit(seconds: float, clock: Callable[[], float] = steady) -> Iterator[None]:
    """Let the TLS sockets of this thread time out after so many seconds, whatever comes."""
    _UNTIL.moment, _UNTIL.clock = clock() + seconds, clock
    try:
        yield
    finally:
        _UNTIL.moment = None


def context_with_limit() -> ssl.SSLContext:
    """urllib3's own TLS settings, with sockets that keep to ``time_limit``."""
    context = create_urllib3_context()
    context.sslsocket_class = _Socket
    return context


class _Socket(ssl.SSLSocket):
    def recv_into(self, *arguments: Any, **options: Any) -> int:
        """Receive, as ``socket.recv_into``. Raises TimeoutError."""
        self._hurry()
        return super().recv_into(*arguments, **options)

    def recv(self, *arguments: Any, **options: Any) -> bytes:
        """Receive, as ``socket.recv``: TLS inside this TLS is read so. Raises TimeoutError."""
        self._hurry()
        return super().recv(*arguments, **options)

    def send(self, *arguments: Any, **options: Any) -> int:
        """Send, as ``socket.send``; sendall uses it. Raises TimeoutError."""
        self._hurry()
        return super().send(*arguments, **options)

    def _hurry(self) -> None:
        # urllib3 sets the time-out anew for every request, so it may be shortened here.
        if _UNTIL.moment is None:
            return
        left = _UNTIL.moment - _UNTIL.clock()
        if left <= 0:
            message = "the answer was not complete in time"
            raise TimeoutError(message)
        set_before = self.gettimeout()
        self.settimeout(left if set_before is None else min(set_before, left))
