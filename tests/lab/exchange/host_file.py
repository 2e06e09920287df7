"""The host script as a file on a server, and what ``powershell.exe -File`` does with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from lab.exchange.host import Host
from lab.exchange.process import Bootstrap, Process
from lab.exchange.server import Server
from lab.exchange.texts import say

MISSING, INSTALLED, OTHER, UNSIGNED = "missing", "installed", "other", "unsigned"
_PATH = r"C:\Program Files\Exchange Push Operator\ExchangePushHost.ps1"
# inferred: that WinRM shows powershell.exe's -196608 as the number without a sign
_NO_SUCH_FILE = 0xFFFD0000
_MARK = b"# SIG # Begin signature block"
_BLOCK = b"\r\n" + _MARK + b"\r\n# MIIFjgYJKoZIhvcNAQcCoIIF\r\n# SIG # End signature block\r\n"


def signed(script: bytes) -> bytes:
    """The file as Set-AuthenticodeSignature leaves it, after an editor of Windows."""
    return script.replace(b"\n", b"\r\n") + _BLOCK


def version_of(file: bytes) -> str:
    """What Get-FileVersion of the host script says of a file."""
    text = file.replace(b"\r", b"").partition(b"\n" + _MARK)[0]
    return hashlib.sha256(text.rstrip(b"\n") + b"\n").hexdigest().upper()


def version_on(server: Server, script: bytes) -> str:
    """The version of the file that lies on a server."""
    if server.faults.host_script == OTHER:
        script = script.replace(b".SYNOPSIS", b".SYNOPSIS\n    An older one.")
    return version_of(signed(script))


class FileProcess(Process):
    """PowerShell under AllSigned with the file that ``host_script`` of the server's faults names.

    Nothing is read from standard input before the host reads it.
    """

    def __init__(self, bootstrap: Bootstrap, server: Server, start: Callable[[], Host]) -> None:
        self._server = server
        super().__init__(bootstrap.command_line, bootstrap, start)

    def _main(self) -> None:
        culture = self._server.culture
        match self._server.faults.host_script:
            case "missing":
                self._refuse(say(culture, "no_file", _PATH), _NO_SUCH_FILE)
            case "unsigned":
                text = say(culture, "not_signed", _PATH)
                # the id is the same in all languages; long lines are broken
                where = "    + FullyQualifiedErrorId : Unauthorized\r\n   Access"
                self._refuse(f"{text}\r\n{where}", 1)
            case _:
                self._talk(self._start(), b"")

    def _refuse(self, text: str, exit_code: int) -> None:
        self._write(f"{text}\r\n".encode(), stream="stderr", exit_code=exit_code)
