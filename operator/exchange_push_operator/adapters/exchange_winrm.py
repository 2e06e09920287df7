"""The port ``Exchange`` over WinRM: one process for each server and account, for a pass."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from exchange_push_operator.adapters.allow_list import check
from exchange_push_operator.adapters.clock import steady
from exchange_push_operator.adapters.exchange_session import raise_for_session
from exchange_push_operator.adapters.observed import observed
from exchange_push_operator.adapters.winrm_accounts import Accounts
from exchange_push_operator.adapters.winrm_authorities import Authorities
from exchange_push_operator.adapters.winrm_server import Server, Surroundings
from exchange_push_operator.adapters.winrm_transport import WireFactory, open_wire
from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.endpoints import EXCHANGE, of_batch
from exchange_push_operator.core.errors import Unreachable
from exchange_push_operator.core.ports import (
    Answer,
    Exchange,
    ExchangeAccess,
    Fence,
    Observer,
    no_fence,
    unobserved,
)

log = logging.getLogger("exchange_push_operator.exchange")

_ROUND = 15.0  # seconds between two looks for idle ones
_TURN = 120.0  # seconds a caller waits for those before it at one server

_Key: TypeAlias = tuple[str | int, ...]


class WinRMExchanges:
    """All servers that are spoken with, for any number of threads.

    Calls to one server with one account wait for one another; different servers do not.
    ``protocol_factory`` makes the connection; tests give a scripted one.
    """

    def __init__(  # noqa: PLR0913 - each is a thing that tests replace
        self,
        ca_file: str | None = None,
        *,
        fence: Fence = no_fence,
        protocol_factory: WireFactory = open_wire,
        clock: Callable[[], float] = steady,
        pause: Callable[[float], object] | None = None,
        turn: float = _TURN,
        observer: Observer = unobserved,
    ) -> None:
        """Take the operator's CA file; it serves resources that name no CA of their own."""
        self.observer, self.fence = observer, fence
        self._authorities = Authorities(ca_file)
        self._open_wire = protocol_factory
        self._clock = clock
        self._turn = turn
        self._stopping = threading.Event()
        self._pause = pause or self._stopping.wait
        self._lock = threading.Lock()
        self._servers: dict[_Key, Server] = {}
        self._accounts = Accounts(clock)
        self._counters = {"starts": 0, "resets": 0, "resends": 0, "requests": 0, "calls": 0}

    @property
    def counters(self) -> Mapping[str, int]:
        """Processes started, connections reset, requests sent again, WinRM requests, calls."""
        with self._lock:
            return dict(self._counters)

    def connect(self, access: ExchangeAccess, wanted: Fence = no_fence) -> Exchange:
        """The servers as this account sees them. Nothing is sent yet.

        ``wanted`` is asked beside the fence: whether a change is still to be sent.
        """
        return _Account(self, access, wanted)

    def start(self, every: float = _ROUND) -> None:
        """Begin to close what is idle."""
        keeper = partial(self._keep_house, every)
        threading.Thread(target=keeper, name="exchange-idle", daemon=True).start()

    def run(
        self,
        name: str,
        access: ExchangeAccess,
        batch: Sequence[Cmdlet],
        *,
        changes: bool,
        wanted: Fence = no_fence,
    ) -> tuple[Answer, ...]:
        """Run cmdlets on a server. Raises what the port raises."""
        while True:
            server = self._server(name, access)
            if not server.lock.acquire(timeout=self._turn):
                message = f"{name}: an earlier request of ours does not end; check its load"
                raise Unreachable(message)
            try:
                # Between the two lines above it may have been closed for idleness.
                if not server.retired:
                    self._count("calls")
                    return server.call(batch, changes=changes, wanted=wanted)
            finally:
                server.lock.release()

    def close_idle(self, now: float) -> None:
        """End the processes that nobody has used for a minute, and what else has had its time."""
        with self._lock:
            servers = tuple(self._servers.items())
            self._accounts.forget_unused(now)
        for key, server in servers:
            if now - server.used >= server.idle_limit and server.lock.acquire(blocking=False):
                try:
                    self._retire(key, server, now)
                finally:
                    server.lock.release()

    def close(self, timeout: float = 10.0) -> None:
        """End every process, all at once; what is not done in time is left to IdleTimeout."""
        self._stopping.set()
        with self._lock:
            servers = tuple(self._servers.values())
            self._servers.clear()
        deadline = time.monotonic() + timeout
        closers = [
            threading.Thread(target=_close, args=(server, timeout), daemon=True)
            for server in servers
        ]
        for closer in closers:
            closer.start()
        for closer in closers:
            closer.join(max(0.0, deadline - time.monotonic()))
        self._authorities.close()

    def _keep_house(self, every: float) -> None:
        while not self._stopping.wait(every):
            try:
                self.close_idle(self._clock())
            except Exception:  # else nothing idle would be closed ever again
                log.exception("a bug kept idle PowerShell processes open; please report it")

    def _retire(self, key: _Key, server: Server, now: float) -> None:
        if now - server.used < server.idle_limit:
            return  # used between the look and the lock
        with self._lock:
            self._servers.pop(key, None)
        server.retire()

    def _server(self, name: str, access: ExchangeAccess) -> Server:
        credential = self._accounts.key(name, access)
        reached = (
            access.scheme,
            access.port,
            access.ca_pem or "",
            access.host_installed,
            access.read_only,
        )
        key = (name, access.version, *reached, *credential)
        ca_path = self._authorities.path(access.ca_pem)
        with self._lock:
            if self._stopping.is_set():  # what is opened now would be closed by nobody
                message = f"{name}: not asked, the operator is stopping"
                raise Unreachable(message)
            if key not in self._servers:
                sign_in = self._accounts.sign_in(credential)
                tickets = self._accounts.tickets(credential, name, access)
                wire = partial(self._open_wire, name, access, ca_path, tickets)
                around = Surroundings(wire, self._count, self._clock, self._wait, self.fence)
                self._servers[key] = Server(name, access, sign_in, around)
            return self._servers[key]

    def _count(self, name: str) -> None:
        with self._lock:
            self._counters[name] += 1

    def _wait(self, seconds: float) -> None:
        self._pause(seconds)


class _Account:
    """Fills the port for one account."""

    def __init__(self, pool: WinRMExchanges, access: ExchangeAccess, wanted: Fence) -> None:
        self._pool, self._access, self._wanted = pool, access, wanted

    def run(
        self, server: str, batch: Sequence[Cmdlet], *, changes: bool = False
    ) -> tuple[Answer, ...]:
        """As the port says.

        Raises besides: NotAllowed for what allowlist.json does not have, and Throttled where
        WinRM's quota is used up.
        """
        for command in batch:
            # A read-only access takes looks alone, whatever the caller says of them.
            check(command, changes=changes and not self._access.read_only)
        if not batch:
            return ()
        with observed(self._pool.observer, EXCHANGE, of_batch(batch)):
            answers = self._pool.run(
                server, self._access, batch, changes=changes, wanted=self._wanted
            )
            raise_for_session(
                server,
                self._access.username,
                batch,
                answers,
                changes=changes,
                delegated=self._access.password is None,
            )
        return answers


def _close(server: Server, timeout: float) -> None:
    if server.lock.acquire(timeout=timeout):
        try:
            server.retire()
        finally:
            server.lock.release()
