"""The lines that are spoken with the PowerShell host script.

Pure functions of bytes and values; who carries the bytes is another file's business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.errors import CmdletFailed
from exchange_push_operator.core.ports import Answer, Sensitive
from exchange_push_operator.core.scrub import scrub

Message: TypeAlias = Mapping[str, Any]

# Seconds a cmdlet may take. A probe waits for the health manager; a copy is two cmdlets, the second
# of which goes to another server. A restart that is cut off leaves a service stopped that nobody
# starts, and on a loaded server it takes minutes to stop.
_TIMEOUT = 60
_LONGER = {
    "Copy-ExchangeCertificate": 180,
    "Invoke-MonitoringProbe": 180,
    "New-ExchangeCertificate": 120,
    "Restart-Service": 300,
    "Test-OAuthConnectivity": 120,
}
_OPENING = 60  # seconds host.ps1 gives the Exchange session to open
_EACH_FURTHER = 10  # seconds a request may take longer for every cmdlet after the slowest
_LONGEST_TEXT = 512
# Exchange begins some texts with server, request id and time: another text each time.
_PREFIX = re.compile(r"^(?:\[[^\]]*(?:RequestId|TimeStamp|FailureCategory)=[^\]]*\]\s*)+")


def encode_login(
    identifier: str,
    fqdn: str,
    username: str,
    password: Sensitive | None,
    *,
    read_only: bool = False,
) -> bytes:
    """The line that tells the host who opens the Exchange session. Never log it.

    Without a password the host goes on with the ticket that was delegated to the server.
    ``read_only``: from then on the host refuses whatever allowlist.json marks as a change.
    """
    request: dict[str, Any] = {"id": identifier, "op": "login", "fqdn": fqdn, "username": username}
    if read_only:
        request["readOnly"] = True
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


def _seconds(command: Cmdlet) -> int:
    return _LONGER.get(command.name, _TIMEOUT)


def _line(request: Message) -> bytes:
    # The newline in front ends what a half-delivered line may have left behind.
    return b"\n" + json.dumps(request, separators=(",", ":")).encode("ascii") + b"\n"
