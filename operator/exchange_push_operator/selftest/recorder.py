"""A wire that notes what goes over it; the product's own code does the talking."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from exchange_push_operator.adapters.winrm_transport import Connection, Wire, open_wire
from exchange_push_operator.core.ports import ExchangeAccess

if TYPE_CHECKING:  # the extra kerberos may be missing
    from exchange_push_operator.adapters.kerberos_tickets import Tickets

T = TypeVar("T")


@dataclass
class Recorder:
    """Lines of the host, and how long calls took. ``open`` is a wire factory."""

    clock: Callable[[], float] = time.monotonic
    factory: Callable[[str, ExchangeAccess, str, Tickets | None], Wire] = open_wire
    tickets: Tickets | None = None
    lines: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def open(
        self, server: str, access: ExchangeAccess, ca_path: str, tickets: Tickets | None
    ) -> Wire:
        """The product's wire, listened to."""
        self.tickets = tickets
        return _Listening(self.factory(server, access, ca_path, tickets), self)

    def timed(self, name: str, call: Callable[[], T]) -> T:
        """Keep how long the first call of this name took."""
        start = self.clock()
        try:
            return call()
        finally:
            self.seconds.setdefault(name, self.clock() - start)

    def ready(self) -> dict[str, Any]:
        """The first line of the host script."""
        return next((line for line in self.lines if "ready" in line), {})

    def results(self) -> list[dict[str, Any]]:
        """The newest results, one for each cmdlet."""
        found = [line["results"] for line in self.lines if isinstance(line.get("results"), list)]
        return found[-1] if found else []


class _Listening:
    """Passes every call on."""

    def __init__(self, wire: Wire, recorder: Recorder) -> None:
        self._wire = wire
        self._recorder = recorder
        self._unread = b""
        self._started = 0.0

    @property
    def transport(self) -> Connection:
        return self._wire.transport

    def open_shell(self, *, codepage: int, idle_timeout: str) -> str:
        return self._recorder.timed(
            "sign-in",
            lambda: self._wire.open_shell(codepage=codepage, idle_timeout=idle_timeout),
        )

    def run_command(self, shell_id: str, command: str, *, console_mode_stdin: bool) -> str:
        self._started = self._recorder.clock()
        return self._wire.run_command(shell_id, command, console_mode_stdin=console_mode_stdin)

    def send_command_input(
        self, shell_id: str, command_id: str, stdin_input: bytes, *, end: bool
    ) -> None:
        self._wire.send_command_input(shell_id, command_id, stdin_input, end=end)

    def get_command_output_raw(
        self, shell_id: str, command_id: str
    ) -> tuple[bytes, bytes, int, bool]:
        found = self._wire.get_command_output_raw(shell_id, command_id)
        *lines, self._unread = (self._unread + found[0]).split(b"\n")
        for line in lines:
            self._note(line)
        return found

    def close_shell(self, shell_id: str) -> None:
        self._wire.close_shell(shell_id)

    def _note(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            return
        if isinstance(message, dict):
            self._recorder.lines.append(message)
            if "ready" in message:
                elapsed = self._recorder.clock() - self._started
                self._recorder.seconds.setdefault("ready", elapsed)
