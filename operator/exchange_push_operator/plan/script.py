"""A plan as a PowerShell script that an administrator can read, and run by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from importlib import resources

from exchange_push_operator.core import by_hand
from exchange_push_operator.core.commands import Cmdlet, GraphRequest, quoted
from exchange_push_operator.core.plan import Guard, Step
from exchange_push_operator.plan.passive import Planned
from exchange_push_operator.plan.text import AFTERWARDS, THEN, headline

# Windows' own: they act on the computer that they run on, and no Exchange session has them.
_WINDOWS = ("Restart-Service", "Restart-WebAppPool")
# The shell's cmdlets are of a module (implicit remoting), which does not see a script's own.
_OPENING = (
    "$preference = $global:ErrorActionPreference",
    "$global:ErrorActionPreference = 'Stop'",
    "try {",
)
_CLOSING = "} finally { $global:ErrorActionPreference = $preference }"
_MARK = "\ufeff"
_NOTHING = "# There is nothing to run."


def as_powershell(planned: Planned) -> str:
    """Windows PowerShell takes a file for ANSI unless it begins with a byte order mark."""
    lines = [
        f"# {headline(planned)}",
        *(f"# In the way: {text}" for text in planned.in_the_way),
        *(f"# Not looked at: {text}" for text in planned.unseen),
        *(_body(planned) if planned.steps else (_NOTHING,)),
    ]
    text = "\n".join(_comment_safe(line) for line in lines) + "\n"
    return text if text.isascii() else f"{_MARK}{text}"


def _body(planned: Planned) -> Iterator[str]:
    commands = [step.command for _, step in planned.steps]
    yield "# Read it, then run it in the Exchange Management Shell, soon after it was made."
    yield "# It stops at the first error."
    yield f"# {AFTERWARDS}"
    if not planned.leave.given:
        yield from (f"# {text}" for text in planned.leave.told())
    for name in _functions(commands):
        yield from ("", _function(name))
    yield from ("", *_OPENING)
    if any(isinstance(command, GraphRequest) for command in commands):
        yield from ("", f"Assert-GraphTenant -TenantId {quoted(planned.tenant_id)}")
    for number, (stage, step) in enumerate(planned.steps, start=1):
        yield from ("", f"# {number}. {stage}: {step.action} ({step.target})")
        yield from lines(planned.graph, step)
    yield from ("", _CLOSING)
    if planned.waiting:
        yield from ("", f"# {THEN} not in this script.")
    yield from (f"# {stage}: {step.action} ({step.target})" for stage, step in planned.waiting)


def lines(graph: str, step: Step) -> list[str]:
    """One step. Its last line is the cmdlet or the call itself."""
    command = step.command
    if isinstance(command, GraphRequest):
        _, call = by_hand.lines(graph, command)
        return [*_guarded(graph, step.guard), call]
    if step.server is None:
        return [str(command)]
    if command.name in _WINDOWS:
        there = f"Invoke-Command -ComputerName {quoted(step.server)}"
        return [f"{there} -ScriptBlock {{ {command} }}"]
    return [f"Connect-ExchangeServer -ServerFqdn {quoted(step.server)}", str(command)]


def _guarded(graph: str, guard: Guard | None) -> list[str]:
    """The list is written whole, so it must be what the plan was made on."""
    if guard is None:
        return []
    ids = ", ".join(quoted(str(json.loads(entry).get("keyId"))) for entry in sorted(guard.entries))
    uri = quoted(f"{graph}/v1.0/{guard.look.path}")
    return [f"Assert-KeyCredential -Uri {uri} -KeyId @({ids})"]


def _functions(commands: Iterable[Cmdlet | GraphRequest]) -> list[str]:
    """What no shell has: checks before Graph is written to, and the copy of a certificate."""
    wanted: dict[str, None] = {}
    for command in commands:
        if isinstance(command, GraphRequest):
            wanted |= dict.fromkeys(("Assert-GraphTenant", "Assert-KeyCredential"))
        elif command.name == "Copy-ExchangeCertificate":
            wanted[command.name] = None
    return list(wanted)


def _function(name: str) -> str:
    path = resources.files("exchange_push_operator.powershell") / "by_hand" / f"{name}.ps1"
    return path.read_text(encoding="ascii").rstrip()


def _comment_safe(line: str) -> str:
    """A comment shows what servers said: it must not become a line of the script."""
    if not line.startswith("#"):
        return line
    return " ".join(line.split()).encode("ascii", "replace").decode("ascii")
