"""Answers the stub functions of one PowerShell process from the model: a line in, a line out."""

from __future__ import annotations

import base64
import json
import socketserver
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeAlias

from exchange_push_operator.core.errors import CmdletFailed
from lab.exchange.host import Host, changes_something
from lab.exchange.runner import run

Json: TypeAlias = dict[str, Any]

ACCESS_DENIED = 5
CANNOT_CONNECT = -2144108526  # 0x80338012, ERROR_WSMAN_CANNOT_CONNECT
_TICKS = datetime(1, 1, 1, tzinfo=UTC)
# The host's own function that a cmdlet is run for.
_FOR = {
    "Export-ExchangeCertificate": "Copy-ExchangeCertificate",
    "Import-ExchangeCertificate": "Copy-ExchangeCertificate",
}
# These end a cmdlet; Exchange's own errors mostly do not.
_ENDING = ("ParameterBinding", "CommandNotFound", "HostException")


class Broker:
    """A listener on loopback. ``host`` knows server and account; ``die`` ends the process."""

    def __init__(self, host: Host, die: Callable[[], None]) -> None:
        self.host = host
        self._die = die
        self._new_request = False
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.broker = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="lab-broker", daemon=True
        )

    @property
    def address(self) -> str:
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def expect_request(self) -> None:
        """A request goes to the process: replication goes on by these."""
        self._new_request = True

    def answer(self, line: bytes) -> bytes:
        """What goes back; nothing where the process dies."""
        request = decoded(json.loads(line))
        found = self._run(request) if "cmdlet" in request else self._connect(request)
        if found is None:
            self._die()
            return b""
        return json.dumps(found, separators=(",", ":")).encode("ascii") + b"\n"

    def _connect(self, request: Json) -> Json:
        """The second hop."""
        self.host.login(request)
        try:
            self.host.open_session()
        except CmdletFailed as error:
            code = ACCESS_DENIED if error.identifier == "AccessDenied" else CANNOT_CONNECT
            return {"message": encoded(str(error)), "code": encoded(code)}
        return {"message": None}

    def _run(self, request: Json) -> Json | None:
        name, parameters = request["cmdlet"], request["parameters"]
        server = self.host.server
        called = _FOR.get(name, name)
        if server.faults.stuck_cmdlet == called:
            return {"stuck": True}
        changes = changes_something({"cmdlet": called, "parameters": parameters})
        if changes and server.uses_up("die_before_change"):
            return None
        found = self._invoke(name, parameters)
        last = name != "Export-ExchangeCertificate"
        if changes and last and server.uses_up("die_after_change"):
            return None
        return found

    def _invoke(self, name: str, parameters: Json) -> Json:
        organization, server = self.host.organization, self.host.server
        with organization.lock:
            if self._new_request:
                self._new_request = False
                organization.begin(server)
            try:
                rows = run(organization, server, name, parameters, self.host.username)
            except CmdletFailed as error:
                return {"rows": [], "fault": _fault(error)}
        shown = [{key: encoded(value) for key, value in row.items()} for row in rows]
        return {"rows": shown, "fault": None}


def _fault(error: CmdletFailed) -> Json:
    return {
        "message": encoded(str(error)),
        "id": encoded(error.identifier),
        "category": encoded(error.category),
        "reason": encoded(error.kind),
        "ends": error.kind.startswith(_ENDING),
    }


def encoded(value: Any) -> Any:
    """A value as talk.ps1 reads it."""
    match value:
        case None | bool():
            return value
        case int():
            return f"i:{value}"
        case datetime():
            return f"d:{_to_ticks(value)}"
        case bytes():
            return "b:" + base64.b64encode(value).decode()
        case list() | tuple():
            return [encoded(one) for one in value]
        case _:
            return "s:" + base64.b64encode(str(value).encode()).decode()


def decoded(value: Any) -> Any:
    """A value as talk.ps1 writes it; a list becomes a tuple, as cmdlets of the model take them."""
    match value:
        case dict():
            return {key: decoded(one) for key, one in value.items()}
        case list():
            return tuple(decoded(one) for one in value)
        case str():
            return _read(value[0], value[2:])
        case _:
            return value


def _read(kind: str, text: str) -> Any:
    match kind:
        case "i":
            return int(text)
        case "d":
            return _TICKS + timedelta(microseconds=int(text) // 10)
        case "b":
            return base64.b64decode(text)
        case _:
            return base64.b64decode(text).decode()


def _to_ticks(moment: datetime) -> int:
    """.NET counts tenths of a microsecond since the year 1."""
    span = moment.astimezone(UTC) - _TICKS
    return (span.days * 86_400 + span.seconds) * 10_000_000 + span.microseconds * 10


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        self.wfile.write(self.server.broker.answer(self.rfile.readline()))


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    broker: Broker
