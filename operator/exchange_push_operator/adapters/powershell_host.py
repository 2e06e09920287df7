"""The PowerShell host script: what is sent to start it, and the lines that are spoken with it.

Pure functions of bytes and values; who carries the bytes is another file's business.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias

from exchange_push_operator.core.commands import Cmdlet, Value
from exchange_push_operator.core.errors import CmdletFailed
from exchange_push_operator.core.ports import Answer, Sensitive
from exchange_push_operator.core.scrub import scrub

Message: TypeAlias = Mapping[str, Any]

HASH_MISMATCH = b"!hash"  # what stage0.ps1 prints before it ends with exit code 97

# What WinRS runs through cmd.exe. -InputFormat None: else powershell.exe reads standard input
# itself, before the script can.
_POWERSHELL = (
    "powershell.exe -NoLogo -NoProfile -NonInteractive -ExecutionPolicy Bypass "
    "-InputFormat None -OutputFormat Text -EncodedCommand "
)
# Seconds a cmdlet may take. A probe waits for the health manager, the restart for a service; a
# copy is two cmdlets, the second of which goes to another server.
_TIMEOUT = 60
_LONGER = {
    "Copy-ExchangeCertificate": 180,
    "Invoke-MonitoringProbe": 180,
    "New-ExchangeCertificate": 120,
    "Restart-Service": 120,
    "Test-OAuthConnectivity": 120,
}
_OPENING = 60  # seconds host.ps1 gives the Exchange session to open
_EACH_FURTHER = 10  # seconds a request may take longer for every cmdlet after the slowest
_LONGEST_TEXT = 512
# Exchange begins some texts with server, request id and time: another text each time.
_PREFIX = re.compile(r"^(?:\[[^\]]*(?:RequestId|TimeStamp|FailureCategory)=[^\]]*\]\s*)+")


class NotAllowed(ValueError):
    """The program asks for something that allowlist.json does not have."""


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """What starts the host: a command line, and the script that stage 0 reads from stdin."""

    command_line: str
    host: bytes
    sha256: str

    @property
    def first_line(self) -> bytes:
        """The first line of standard input."""
        return base64.b64encode(self.host) + b"\n"


@dataclass(frozen=True, slots=True)
class Rule:
    """What allowlist.json says of one cmdlet. A type is a name, or the values that are allowed."""

    changes: bool
    parameters: Mapping[str, str | Sequence[str]]


@cache
def bootstrap() -> Bootstrap:
    """The command line and the host script as they are sent, made once."""
    allow = json.dumps(_allow_json(), separators=(",", ":"))
    host = _text("host.ps1").replace("@@ALLOW@@", allow).encode("ascii")
    sha256 = hashlib.sha256(host).hexdigest().upper()
    stage0 = _text("stage0.ps1").replace("@@HASH@@", sha256)
    encoded = base64.b64encode(stage0.encode("utf-16-le")).decode("ascii")
    return Bootstrap(_POWERSHELL + encoded, host, sha256)


@cache
def allow_list() -> Mapping[str, Rule]:
    """The cmdlets that may be sent, by name."""
    return {
        name: Rule(bool(entry.get("changes")), entry["parameters"])
        for name, entry in _allow_json().items()
    }


def check(command: Cmdlet, *, changes: bool) -> None:
    """Refuse what must never leave the operator.

    Raises: NotAllowed: an unknown cmdlet or parameter, a value of the wrong type, or a cmdlet
    that changes something among the looks (``-WhatIf`` makes a look of it).
    """
    rule = allow_list().get(command.name)
    if rule is None:
        message = f"{command.name} is not in allowlist.json"
        raise NotAllowed(message)
    for name, value in command.parameters:
        if name not in rule.parameters or not _fits(value, rule.parameters[name]):
            message = f"{command.name} -{name} is not in allowlist.json with this type or value"
            raise NotAllowed(message)
    if rule.changes and not changes and ("WhatIf", True) not in command.parameters:
        message = f"{command.name} changes something and was sent as a look"
        raise NotAllowed(message)


def encode_login(identifier: str, fqdn: str, username: str, password: Sensitive | None) -> bytes:
    """The line that tells the host who opens the Exchange session. Never log it.

    Without a password the host goes on with the ticket that was delegated to the server.
    """
    request = {"id": identifier, "op": "login", "fqdn": fqdn, "username": username}
    return _line(request if password is None else request | {"password": password.reveal()})


def encode_run(identifier: str, batch: Sequence[Cmdlet], *, stop_on_error: bool) -> bytes:
    """The line that asks for cmdlets to be run."""
    calls = [
        {"cmdlet": one.name, "parameters": dict(one.parameters), "timeout": _seconds(one)}
        for one in batch
    ]
    return _line({"id": identifier, "op": "run", "stopOnError": stop_on_error, "calls": calls})


def patience(batch: Sequence[Cmdlet]) -> float:
    """Seconds after which the answer to a batch is not waited for any longer."""
    return _OPENING + max(map(_seconds, batch), default=0) + _EACH_FURTHER * len(batch)


def decode(line: bytes) -> Message | None:
    """A line of the host; None for anything else that stands on its standard output."""
    try:
        message = json.loads(line)
        if b"\\ud" in line:  # perhaps half of a surrogate pair, which no UTF-8 can hold
            text = json.dumps(message, ensure_ascii=False)
            message = json.loads(text.encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def answers(message: Message) -> tuple[Answer, ...]:
    """What the host says to each cmdlet that it ran.

    Raises: KeyError, TypeError, AttributeError, ValueError where the answer has another shape.
    """
    return tuple(_answer(result) for result in message["results"])


def one_line(text: str) -> str:
    """A server's own text in one line, without what is another at each call, not too long."""
    return scrub(_PREFIX.sub("", text.strip()))[:_LONGEST_TEXT]


def _answer(result: Message) -> Answer:
    errors = result["errors"]
    rows = tuple(dict(row) for row in result["output"])
    if errors or not result["ok"]:
        return Answer(rows, _failure(errors[0] if errors else {}))
    return Answer(rows)


def _failure(error: Message) -> CmdletFailed:
    return CmdletFailed(
        one_line(str(error.get("message", ""))) or "failed without a message",
        identifier=str(error.get("id", "")),
        category=str(error.get("category", "")),
        kind=str(error.get("reason", "")),
        where=str(error.get("where", "cmdlet")),
    )


def _fits(value: Value, kind: str | Sequence[str]) -> bool:
    if not isinstance(kind, str):
        return value in kind
    match kind:
        case "bool":
            return isinstance(value, bool)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "strings":
            return isinstance(value, tuple)
        case _:  # string, date and bytes travel as text
            return isinstance(value, str)


def _seconds(command: Cmdlet) -> int:
    return _LONGER.get(command.name, _TIMEOUT)


def _line(request: Message) -> bytes:
    # The newline in front ends what a half-delivered line may have left behind.
    return b"\n" + json.dumps(request, separators=(",", ":")).encode("ascii") + b"\n"


@cache
def _allow_json() -> dict[str, dict[str, Any]]:
    document: dict[str, dict[str, Any]] = json.loads(_text("allowlist.json"))
    return document


def _text(name: str) -> str:
    return (files("exchange_push_operator") / "powershell" / name).read_text("ascii")
