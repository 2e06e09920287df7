"""One Exchange organisation: what its servers share, the servers, and what happens by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from lab.exchange.certificates import Mint
from lab.exchange.directory import Directory, View
from lab.exchange.server import Server
from lab.exchange.trust import Microsoft365, Offline

ORGANIZATION_GUID = "0f7c2a54-0000-4000-8000-9f61d7b3c8aa"
ACCOUNT = "CORP\\svc-epo"
ADMINISTRATOR = "CORP\\Administrator"


def wall_clock() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Switches:
    """Behaviour that is not known, or that tests want; ``lab.exchange.faults`` explains."""

    denied_cmdlets: tuple[str, ...] = ()
    controllers_down: tuple[str, ...] = ()
    proxy_look: str = "object"
    creation_takes_transport: bool = False
    distributes_key: bool = True
    distribution_seconds: float = 0.0
    stale_probe: str = "fails"
    probe_warmup: float = 0.0
    old_signature_seconds: float = 0.0
    auth_admin_stopped: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One change that was made, and by whom."""

    cmdlet: str
    parameters: Mapping[str, Any]
    server: str
    account: str

    def as_dict(self) -> dict[str, Any]:
        parameters = {key: _json(value) for key, value in self.parameters.items()}
        return {
            "cmdlet": self.cmdlet,
            "parameters": parameters,
            "server": self.server,
            "account": self.account,
        }


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return list(value) if isinstance(value, tuple) else value


@dataclass
class Organization:
    """The model. All of it is used under ``lock``, one cmdlet at a time."""

    guid: str = ORGANIZATION_GUID
    name: str = "Fabrikam"
    clock: Callable[[], datetime] = wall_clock
    microsoft365: Microsoft365 = field(default_factory=Offline)
    switches: Switches = field(default_factory=Switches)
    servers: dict[str, Server] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    mint: Mint = field(default_factory=Mint)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.directory = Directory(self.clock)
        self._deliveries: list[tuple[datetime, str, str]] = []

    # servers

    def add_server(self, server: Server) -> Server:
        self.servers[server.fqdn.lower()] = server
        return server

    def server(self, name: str) -> Server:
        """A server by short name or FQDN. Raises: KeyError."""
        for server in self.servers.values():
            if server.is_called(name):
                return server
        raise KeyError(name)

    def view(self, server: str | None = None) -> View:
        """The directory as a server sees it; the newest state without one."""
        return View(self.directory, self.server(server).controller if server else None)

    # what happens at a request

    def begin(self, server: Server) -> None:
        """A request arrives at a server: replication and the servicelet go on."""
        self.directory.look(server.controller)
        self.tick()

    def record(self, cmdlet: str, parameters: Mapping[str, Any], server: str, account: str) -> None:
        self.changes.append(Change(cmdlet, dict(parameters), server, account))

    # what Exchange does by itself

    def tick(self) -> None:
        """The AuthAdmin servicelet: the next certificate on its date, keys to other servers."""
        with self.lock:
            self._publish_next()
            self._deliver()

    def distribute(self, thumbprint: str, source: Server) -> None:
        """Set-AuthConfig was run on ``source``: the other servers get the private key."""
        if not self.switches.distributes_key:
            return
        due = self.clock() + timedelta(seconds=self.switches.distribution_seconds)
        for server in self.servers.values():
            if server is not source and server.in_scope:
                self._deliveries.append((due, thumbprint, server.fqdn.lower()))
        self._deliver()

    def _deliver(self) -> None:
        waiting = []
        for due, thumbprint, target in self._deliveries:
            if due > self.clock() or not self._hand_over(thumbprint, self.servers[target]):
                waiting.append((due, thumbprint, target))
        self._deliveries = waiting

    def _hand_over(self, thumbprint: str, target: Server) -> bool:
        """Copy a certificate with its key to a server that is up. True when that is done."""
        if target.faults.down:
            return False
        for source in self.servers.values():
            held = source.store.get(thumbprint)
            if held is not None and held.key is not None and not source.faults.down:
                if thumbprint not in target.store or target.store[thumbprint].key is None:
                    target.add(replace(held, services=frozenset()))
                return True
        return False

    def _publish_next(self) -> None:
        view = self.view()
        config = view.auth_config()
        if self.switches.auth_admin_stopped:
            return
        if not config.next or config.next_effective is None or config.next_effective > self.clock():
            return
        view.put(
            replace(
                config,
                current=config.next,
                previous=config.current,
                next="",
                next_effective=None,
                when_changed=self.clock(),
                replaced=config.current,
                replaced_at=self.clock(),
            )
        )
        self.record("AuthAdmin servicelet", {"CertificateThumbprint": config.next}, "", "SYSTEM")
