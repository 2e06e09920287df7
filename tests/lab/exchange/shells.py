"""The remote shells of one server, and what WS-Management does with them."""

from __future__ import annotations

import base64
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

from lab.canary import CANARIES
from lab.exchange import configuration, soap
from lab.exchange.accounts import Accounts
from lab.exchange.counters import Counters
from lab.exchange.host import Host
from lab.exchange.host_file import FileProcess, version_on
from lab.exchange.messages import SignedIn
from lab.exchange.organization import Organization
from lab.exchange.process import Bootstrap, Process
from lab.exchange.soap import Fault, Request

StartProcess: TypeAlias = Callable[[str, Bootstrap, Callable[[], Host]], Process]
"""A command line, what the product starts, and the host to start for it."""

IDLE = 7200.0  # seconds, Windows' default for a shell that names none


class ConnectionLost(Exception):
    """The connection is to be dropped without an answer."""


class NoAnswer(Exception):
    """The connection stays, and nothing is ever said on it."""


@dataclass(slots=True)
class Shell:
    owner: str
    delegated: bool
    idle: float
    used: float
    client: str = ""
    torn: bool = False
    commands: dict[str, Process] = field(default_factory=dict)

    def close(self) -> None:
        for process in self.commands.values():
            process.kill()


def _torn(output: bytes) -> bytes:
    """The first half, and the first byte of an é that something wrote to the console between."""
    return output[: len(output) // 2] + "é".encode()[:1]


def product_bootstrap() -> Bootstrap:
    """What the product ships; imported late, the model works without it."""
    module = import_module("exchange_push_operator.adapters.host_script")
    found: Bootstrap = module.bootstrap()
    return found


class WinRMService:
    """Everything behind the listeners of one server.

    ``counters`` counts requests by kind (``Create``, ``Command``, ``Send``, ``Receive``,
    ``Signal``, ``Delete``, ``auth``), ``processes`` and Exchange ``sessions`` ever started, and
    ``host.login``, ``host.ping``, ``host.run``. ``sign_ins`` counts those that were taken, by
    account, and how many of them were ``delegated`` or ``bound to TLS``. ``keytab`` is the
    service's own; without it there is no Kerberos.
    """

    def __init__(
        self,
        organization: Organization,
        server: str,
        accounts: Accounts,
        *,
        bootstrap: Callable[[], Bootstrap] = product_bootstrap,
        process: StartProcess = Process,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.organization = organization
        self.server = organization.server(server)
        self.accounts = accounts
        self.counters = Counters()
        self.settings: dict[str, str] = {}
        self.sign_ins = Counters()
        self.keytab: Path | None = None
        self._bootstrap = bootstrap
        self._start = process
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._shells: dict[str, Shell] = {}

    def serve(self, organization: Organization) -> None:
        """Another organisation behind the same ports; counters and shells begin anew."""
        self.close()
        followers, self.server.followers = self.server.followers, []
        self.organization = organization
        self.server = organization.server(self.server.fqdn)
        self.server.followers = followers
        self.counters = Counters()
        self.server.tell_followers()

    @property
    def open_shells(self) -> int:
        self._expire()
        return len(self._shells)

    @property
    def open_processes(self) -> int:
        with self._lock:
            found = [one for shell in self._shells.values() for one in shell.commands.values()]
        return sum(process.running for process in found)

    def close(self) -> None:
        """Drop all shells; who waits for output is woken."""
        with self._lock:
            shells, self._shells = list(self._shells.values()), {}
        for shell in shells:
            shell.close()

    def signs_in(self, client: SignedIn) -> None:
        """Somebody has signed in."""
        self.sign_ins.add(client.user)
        if client.delegated:
            self.sign_ins.add("delegated")
        if client.bound:
            self.sign_ins.add("bound to TLS")

    def handle(self, request: Request, client: SignedIn) -> str:
        """The body of the answer. Raises: Fault, ConnectionLost, NoAnswer."""
        self.counters.add(request.action)
        self._expire()
        if self.server.uses_up("lose_shells"):
            self.close()
        actions = {
            "Command": self._command,
            "Send": self._send,
            "Receive": self._receive,
            "Signal": self._signal,
            "Delete": self._delete,
        }
        if request.action == "Create":
            return self._create(request, client)
        if request.action == "Get" and request.resource == configuration.RESOURCE:
            return configuration.document(self.settings)
        if request.action not in actions:
            raise Fault(soap.SCHEMA)
        shell = self._shell(request, client.user)
        try:
            return actions[request.action](request, shell)
        finally:
            shell.used = self._monotonic()

    def _expire(self) -> None:
        now = self._monotonic()
        with self._lock:
            dead = [key for key, one in self._shells.items() if now - one.used > one.idle]
            shells = [self._shells.pop(key) for key in dead]
        for shell in shells:
            shell.close()

    def _shell(self, request: Request, user: str) -> Shell:
        with self._lock:
            shell = self._shells.get(request.shell_id)
        if shell is None:
            raise Fault(soap.SHELL_NOT_FOUND)
        if shell.owner != user:
            raise Fault(soap.OTHER_USER)
        shell.used = self._monotonic()
        return shell

    def _create(self, request: Request, client: SignedIn) -> str:
        if self.server.faults.quota:
            raise Fault(self.server.faults.quota_code)
        if self.server.uses_up("create_timeout"):
            raise Fault(soap.TIMED_OUT)
        if self.server.uses_up("create_hangs"):
            raise NoAnswer
        idle = request.text(".//rsp:IdleTimeOut")
        seconds = soap.seconds(idle) if idle else IDLE
        now = self._monotonic()
        shell = Shell(client.user, client.delegated, seconds, now, client.address)
        shell_id = str(uuid.uuid4()).upper()
        with self._lock:
            self._shells[shell_id] = shell
        return soap.created(shell_id)

    def _command(self, request: Request, shell: Shell) -> str:
        bootstrap = self._bootstrap()
        command_id = str(uuid.uuid4()).upper()
        CANARIES.show_command(request.command)
        self.counters.add("processes")
        shell.commands[command_id] = self._call_file(request.command, shell) or self._start(
            request.command, bootstrap, lambda: self._host_of(shell, bootstrap.sha256)
        )
        identifier = f"<rsp:CommandId>{command_id}</rsp:CommandId>"
        return f"<rsp:CommandResponse>{identifier}</rsp:CommandResponse>"

    def _call_file(self, command: str, shell: Shell) -> Process | None:
        """The process, where the command calls the host script that is installed here."""
        product = import_module("exchange_push_operator.adapters.host_script")
        installed: Bootstrap = product.bootstrap(installed=True)
        if command != installed.command_line:
            return None
        version = version_on(self.server, product.script())
        return FileProcess(installed, self.server, lambda: self._host_of(shell, version))

    def _host_of(self, shell: Shell, version: str) -> Host:
        host = self._host(version)
        host.delegated, host.client = shell.delegated, shell.client
        return host

    def _host(self, version: str) -> Host:
        return Host(self.organization, self.server, self.accounts, self.counters, version)

    def _process(self, shell: Shell, command_id: str) -> Process:
        if command_id not in shell.commands:
            raise Fault(soap.SHELL_NOT_FOUND)
        return shell.commands[command_id]

    def _send(self, request: Request, shell: Shell) -> str:
        path = ".//rsp:Send/rsp:Stream"
        process = self._process(shell, request.attribute(path, "CommandId"))
        if self.server.uses_up("send_fault"):
            raise Fault(soap.BUSY)
        data = base64.b64decode(request.text(path))
        end = request.attribute(path, "End").lower() == "true"
        if not process.send(data, end=end):
            raise Fault(soap.BROKEN_PIPE)
        if self.server.uses_up("send_fault_delivered"):
            raise Fault(soap.BUSY)
        return "<rsp:SendResponse/>"

    def _receive(self, request: Request, shell: Shell) -> str:
        command_id = request.attribute(".//rsp:DesiredStream", "CommandId")
        process = self._process(shell, command_id)
        if shell.torn:
            shell.torn = False
            raise ConnectionLost
        if self.server.uses_up("receive_timeout"):
            raise Fault(soap.TIMED_OUT)
        found = process.receive(request.timeout)
        if found is None:
            raise Fault(soap.TIMED_OUT)
        streams, exit_code = found
        if b'"results"' in streams.get("stdout", b""):
            # what was run is not told: the connection goes, and the output with it
            if self.server.uses_up("lost_answers"):
                raise ConnectionLost
            if self.server.uses_up("torn_answers"):
                shell.torn = True
                return soap.received(command_id, {"stdout": _torn(streams["stdout"])}, None)
        return soap.received(command_id, streams, exit_code)

    def _signal(self, request: Request, shell: Shell) -> str:
        process = shell.commands.pop(request.attribute(".//rsp:Signal", "CommandId"), None)
        if process is not None:
            process.kill()
        return "<rsp:SignalResponse/>"

    def _delete(self, request: Request, shell: Shell) -> str:
        with self._lock:
            self._shells.pop(request.shell_id, None)
        shell.close()
        return ""
