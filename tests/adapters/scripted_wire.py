"""A wire without a network: a host that answers, and whatever pywinrm is told to raise."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from winrm.exceptions import WinRMOperationTimeoutError, WinRMTransportError, WSManFaultError

from exchange_push_operator.adapters.exchange_winrm import WinRMExchanges
from exchange_push_operator.adapters.host_script import bootstrap
from exchange_push_operator.adapters.powershell_host import decode
from exchange_push_operator.adapters.winrm_transport import Connection, Wire
from exchange_push_operator.core.commands import cmdlet
from exchange_push_operator.core.ports import (
    Answer,
    Exchange,
    ExchangeAccess,
    Fence,
    Sensitive,
    no_fence,
)

if TYPE_CHECKING:
    from exchange_push_operator.adapters.kerberos_tickets import Tickets

EX1, EX2, EX3, EX4 = (f"ex{number}.corp.fabrikam.com" for number in (1, 2, 3, 4))
LOOKS = (cmdlet("Get-AuthConfig"), cmdlet("Get-AuthServer"))
SECRET = "kept"
CHANGE = (cmdlet("Restart-Service", Name="MSExchangeHM"),)


@dataclass
class World:
    """The server behind all wires: what was asked of it, what it did, what goes wrong next.

    ``trouble`` holds, for each verb, what happens at its next calls: None for nothing. A verb
    with the prefix ``after`` fails when its work is done: the answer is lost; ``half send`` fails
    when half of it has arrived. ``at_once`` is the most that one Receive carries.
    """

    trouble: dict[str, list[BaseException | None]] = field(default_factory=dict)
    verbs: list[str] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    ready: dict[str, Any] = field(default_factory=dict)
    overrides: dict[str, Any] = field(default_factory=dict)
    results: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    on_knock: dict[str, Callable[[], object]] = field(default_factory=dict)
    on_create: Callable[[], object] | None = None
    noise: bytes = b""
    dies_with: int | None = None
    dies_in_a_cmdlet: bool = False
    at_once: int = 100_000
    wires: int = 0
    open_shells: set[str] = field(default_factory=set)
    accesses: list[ExchangeAccess] = field(default_factory=list)

    def __call__(
        self, server: str, access: ExchangeAccess, ca_path: str, tickets: Tickets | None
    ) -> Wire:
        del ca_path, tickets
        self.wires += 1
        self.accesses.append(access)
        return ScriptedWire(self, server.partition(".")[0].upper(), self.wires)

    def happen(self, verb: str) -> None:
        pending = self.trouble.get(verb, [])
        error = pending.pop(0) if pending else None
        if error is not None:
            raise error

    def count(self, verb: str) -> int:
        return self.verbs.count(verb)


class ScriptedWire:
    """Fills ``Wire``; speaks for one shell with one host."""

    def __init__(self, world: World, host: str, number: int) -> None:
        self.world = world
        self.shell = f"shell-{number}"
        self.boot = f"boot-{number}"
        self.host = host
        self.out = b""
        self.rest = b""
        self.answered: dict[str, bytes] = {}
        self.exit_code: int | None = None

    @property
    def transport(self) -> Connection:
        return self

    def close_session(self) -> None:
        self.world.verbs.append("close_session")

    def knock(self) -> None:
        self.world.on_knock.get(self.host, lambda: None)()

    def open_shell(self, *, codepage: int, idle_timeout: str) -> str:
        assert (codepage, idle_timeout) == (65001, "PT1800S")
        self._verb("create")
        if self.world.on_create is not None:
            self.world.on_create()
        self.world.open_shells.add(self.shell)
        return self.shell

    def run_command(self, shell_id: str, command: str, *, console_mode_stdin: bool) -> str:
        assert not console_mode_stdin
        assert command == bootstrap().command_line
        assert shell_id == self.shell
        self._verb("command")
        return "command"

    def send_command_input(
        self, shell_id: str, command_id: str, stdin_input: bytes, *, end: bool
    ) -> None:
        assert (shell_id, command_id) == (self.shell, "command")
        assert len(stdin_input) <= 96 * 1024
        self._verb("send")
        self.world.sent.append(stdin_input)
        if end:
            self.exit_code = 0
        half = len(stdin_input) // 2
        self._take(stdin_input[:half])
        self.world.happen("half send")
        self._take(stdin_input[half:])
        self.world.happen("after send")

    def get_command_output_raw(
        self, shell_id: str, command_id: str
    ) -> tuple[bytes, bytes, int, bool]:
        assert (shell_id, command_id) == (self.shell, "command")
        self._verb("receive")
        if not self.out and self.exit_code is None:
            raise WinRMOperationTimeoutError
        out, self.out = self.out[: self.world.at_once], self.out[self.world.at_once :]
        self.world.happen("after receive")
        ended = self.exit_code is not None and not self.out
        return out, b"", self.exit_code if ended and self.exit_code is not None else -1, ended

    def close_shell(self, shell_id: str) -> None:
        self._verb("delete")
        self.world.open_shells.discard(shell_id)

    def _verb(self, name: str) -> None:
        self.world.verbs.append(name)
        self.world.happen(name)

    def _take(self, data: bytes) -> None:
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self._hear(line)

    def _hear(self, line: bytes) -> None:
        world = self.world
        if line + b"\n" == bootstrap().first_line:
            if world.dies_with is not None:
                self.exit_code = world.dies_with
                self.out += b"!hash\n" if world.dies_with == 97 else b""
                return
            ready = {"ready": self.boot, "ps": "5.1", "pid": 1, "bits": 64, "host": self.host}
            self._say(ready | {"version": bootstrap().sha256} | world.ready)
        request = decode(line)
        if request is not None and self.exit_code is None:
            self._answer(dict(request))

    def _answer(self, request: dict[str, Any]) -> None:
        identifier = request["id"]
        if request["op"] == "login":
            self._say({"id": identifier, "boot": self.boot, "ok": True})
            return
        if identifier not in self.answered:
            self.answered[identifier] = self._run(request)
        if self.exit_code is None or self.exit_code == 98:
            self.out += self.answered[identifier]

    def _run(self, request: dict[str, Any]) -> bytes:
        world = self.world
        self.world.ran += [call["cmdlet"] for call in request["calls"]]
        if world.dies_in_a_cmdlet:
            self.exit_code = 1
        results = [
            world.results(call) if world.results else {"ok": True, "output": [], "errors": []}
            for call in request["calls"]
        ]
        answer = {"id": request["id"], "boot": self.boot, "stuck": False, "results": results}
        answer |= world.overrides
        if answer["stuck"]:
            self.exit_code = 98
        return self.world.noise + b"\n" + json.dumps(answer, ensure_ascii=False).encode() + b"\n"

    def _say(self, message: dict[str, Any]) -> None:
        self.out += b"\n" + json.dumps(message).encode() + b"\n"


class Clock:
    """Time that passes when the adapter pauses."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.step = 0.0  # the least that a pause takes

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += max(seconds, self.step)


class Fixture:
    """A pool over a scripted world."""

    def __init__(self, fence: Fence = no_fence) -> None:
        self.world, self.clock = World(), Clock()
        self.pool = WinRMExchanges(
            fence=fence, protocol_factory=self.world, clock=self.clock, pause=self.clock.pause
        )

    def exchange(self, version: str = "1", password: str = SECRET) -> Exchange:
        return self.pool.connect(access(version, password))

    def look(self, server: str = EX1) -> tuple[Answer, ...]:
        return self.exchange().run(server, LOOKS)

    def change(self) -> tuple[Answer, ...]:
        return self.exchange().run(EX1, CHANGE, changes=True)

    def fails(self, verb: str, *errors: BaseException | None) -> None:
        self.world.trouble[verb] = list(errors)


def access(version: str = "1", password: str = SECRET) -> ExchangeAccess:
    return ExchangeAccess(
        "NTLM", "HTTP", 5985, "CORP\\svc-epo", Sensitive.of(password), None, version
    )


def fault(code: int, wmi: int | None = None) -> WSManFaultError:
    return WSManFaultError(500, "", "", "lokalisiert", wsman_fault_code=code, wmierror_code=wmi)


def http(status: int) -> WinRMTransportError:
    return WinRMTransportError("http", status, "")


def run_together(*tasks: Any) -> None:
    """Each in a thread of its own; fails as the first of them does."""
    failures: list[BaseException] = []

    def guarded(task: Any) -> None:
        try:
            task()
        except BaseException as error:  # noqa: BLE001 - handed to the caller below
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
