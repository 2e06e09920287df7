"""The article's way over WinRM, for comparison: one ``run_ps`` of plain pywinrm for each look.

Each script opens an Exchange session of its own and runs one cmdlet; what is looked at on the
server itself needs no session. The lab runs these scripts and no other: it recognises the form,
and runs the cmdlet on the model. What signs the second hop in is left out.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

from exchange_push_operator.core.commands import Cmdlet
from lab.exchange.host import Host
from lab.exchange.process import Bootstrap, Process

_COMMAND = "powershell -encodedcommand "  # as pywinrm's run_ps spells it
_SESSION = (
    "$session = New-PSSession -ConfigurationName Microsoft.Exchange "
    "-ConnectionUri http://{}/PowerShell/ -Authentication Kerberos\n"
    "Import-PSSession $session -CommandName {} | Out-Null\n"
)
_JSON = " | ConvertTo-Json -Compress"
_PARAMETER = r" -(\w+)(?: '([^']*)'|:\$(true|false))"
_LINE = re.compile(rf"(\w+-\w+)((?:{_PARAMETER})*){re.escape(_JSON)}")


def script(server: str, look: Cmdlet) -> str:
    """What an administrator's program sends for one look."""
    session = "" if "-Local" in look.name else _SESSION.format(server, look.name)
    return f"{session}{look}{_JSON}"


class ScriptProcess(Process):
    """A process of a remote shell that also runs scripts of this one form."""

    def __init__(self, command: str, bootstrap: Bootstrap, start: Callable[[], Host]) -> None:
        """Anything else is for the operator's host script, or refused."""
        self._look = _read(command)
        super().__init__(bootstrap.command_line if self._look else command, bootstrap, start)

    def _main(self) -> None:
        if self._look is None:
            super()._main()
        else:
            self._write(self._start().once(*self._look), exit_code=0)


def _read(command: str) -> tuple[str, dict[str, Any]] | None:
    if not command.startswith(_COMMAND):
        return None
    try:
        text = base64.b64decode(command.removeprefix(_COMMAND)).decode("utf-16-le")
    except (binascii.Error, UnicodeDecodeError):
        return None
    found = _LINE.fullmatch(text.rpartition("\n")[2])
    if found is None:
        return None
    given = re.findall(_PARAMETER, found[2])
    return found[1], {name: flag == "true" if flag else text for name, text, flag in given}
