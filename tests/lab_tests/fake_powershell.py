"""Stands for the program `pwsh` where there is none: what the lab does around it can be tested.

It takes PowerShell's command line, finds the prelude and stage 0 in it, and plays the host script
with Python's stand-in, whose cmdlets ask the lab's broker as the stub functions do.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import socket
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

from exchange_push_operator.core.errors import CmdletFailed
from lab.exchange.accounts import Accounts
from lab.exchange.counters import Counters
from lab.exchange.failures import deadline, not_logged_in
from lab.exchange.host import Host
from lab.exchange.pwsh.broker import ACCESS_DENIED, decoded, encoded
from lab.exchange.runner import Outcome, allow_list, needs_session, plain
from lab.exchange.server import ServerFaults

Json: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class StubbedHost(Host):
    """The host script; cmdlets and the second hop are the broker's."""

    address: tuple[str, int] = ("", 0)
    _open: bool = field(default=False)

    def login(self, request: Json) -> Json:
        self._open = False
        return super(StubbedHost, self).login(request)

    def open_session(self) -> None:
        if not self._fqdn:
            raise not_logged_in()
        if self._open:
            return
        who = {"fqdn": self._fqdn, "username": self.username, "password": self._password}
        answer = self._ask(who)
        if answer["message"]:
            raise _no_session(answer)
        self._open = True

    def _call(self, call: Json) -> Outcome:
        name = str(call.get("cmdlet") or "")
        try:
            given = self.check(call, name, call.get("parameters") or {})
            if needs_session(name):
                self.open_session()
            does = self._copy if name.startswith("Copy-") else self._cmdlet
            if name == "New-ExchangeCertificate":
                does = self._make
            rows = does(name, given)
        except CmdletFailed as error:
            return Outcome(error=error)
        except TimeoutError:
            self.exit_code = 98
            return Outcome(error=deadline(int(call.get("timeout") or 60)))
        wanted = allow_list()[name]["output"]
        shown = [{key: plain(row[key]) for key in wanted if key in row} for row in rows]
        return Outcome(rows=tuple(shown))

    def _make(self, name: str, given: Json) -> list[Json]:
        """As New-ExchangeCertificate of host.ps1."""
        there = self._cmdlet("Get-LocalCertificate", {})
        if any(row["FriendlyName"] == given.get("FriendlyName") for row in there):
            text = "a certificate of this friendly name has been made in the meantime"
            kind, category = "RuntimeException", "OperationStopped"
            raise CmdletFailed(text, identifier=text, category=category, kind=kind)
        return self._part(name, given)

    def _copy(self, _name: str, given: Json) -> list[Json]:
        """As Copy-ExchangeCertificate of host.ps1."""
        password = {"Password": secrets.token_urlsafe()}
        export = {"Thumbprint": given["Thumbprint"], "Server": self._fqdn, **password}
        (file,) = self._part("Export-ExchangeCertificate", export)
        self._part("Import-ExchangeCertificate", {"Server": given["Server"], **password, **file})
        return []

    def _part(self, name: str, given: Json) -> list[Json]:
        try:
            return self._cmdlet(name, given)
        except CmdletFailed as error:
            text = f"{name}: {error}"
            raise CmdletFailed(
                text, identifier=error.identifier, category=error.category, kind=error.kind
            ) from error

    def _cmdlet(self, name: str, given: Json) -> list[Json]:
        """Raises: CmdletFailed; TimeoutError where it would not end."""
        answer = self._ask({"cmdlet": name, "parameters": given})
        if answer.get("stuck"):
            raise TimeoutError
        fault = answer["fault"]
        if fault:
            raise CmdletFailed(
                fault["message"],
                identifier=f"{fault['id']},{name}",
                category=fault["category"],
                kind=fault["reason"],
            )
        return list(answer["rows"])

    def _ask(self, request: Json) -> Json:
        sent = {key: _sent(value) for key, value in request.items()}
        with socket.create_connection(self.address) as connection, connection.makefile("rwb") as io:
            io.write(json.dumps(sent).encode() + b"\n")
            io.flush()
            found: Json = decoded(json.loads(io.readline()))
        return found


def _sent(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sent(one) for key, one in value.items()}
    return encoded(value)


def _no_session(answer: Json) -> CmdletFailed:
    denied = answer["code"] == ACCESS_DENIED
    transport = "System.Management.Automation.Remoting.PSRemotingDataStructureException"
    return CmdletFailed(
        answer["message"],
        identifier="AccessDenied" if denied else transport,
        category="PermissionDenied" if denied else "ResourceUnavailable",
        kind="PSRemotingTransportException",
        where="session",
    )


def program(folder: Path) -> str:
    """The path of an executable that is this module."""
    found = folder / "pwsh"
    path = ":".join(sys.path)
    command = f'exec "{sys.executable}" -m lab_tests.fake_powershell "$@"'
    found.write_text(f"#!/bin/sh\nPYTHONPATH='{path}' {command}\n", "utf-8")
    found.chmod(0o755)
    return str(found)


def main() -> int:
    encoded_command = sys.argv[sys.argv.index("-EncodedCommand") + 1]
    first, _, stage0 = base64.b64decode(encoded_command).decode("utf-16-le").partition("\n")
    (wanted,) = re.findall(r"'([0-9A-F]{64})'", stage0)
    script = base64.b64decode(sys.stdin.buffer.readline())
    if hashlib.sha256(script).hexdigest().upper() != wanted:
        print("!hash")
        return 97
    prelude = Path(first.removeprefix(". '").removesuffix("'")).read_text("ascii")
    (place,) = re.findall(r"LAB_ADDRESS = '(.+):(\d+)'", prelude)
    return _serve(wanted, (place[0], int(place[1])))


def _serve(version: str, address: tuple[str, int]) -> int:
    nothing: Any = SimpleNamespace(
        lock=threading.RLock(),
        begin=lambda _: None,
        uses_up=lambda _: 0,
        name="some-computer",
        faults=ServerFaults(),
    )
    host = StubbedHost(nothing, nothing, Accounts({}), Counters(), version, address=address)
    output = sys.stdout.buffer
    output.write(host.start())
    output.flush()
    for line in sys.stdin.buffer:
        output.write(host.feed(line))
        output.flush()
        if host.exit_code is not None:
            break
    return host.exit_code or 0


if __name__ == "__main__":
    sys.exit(main())
