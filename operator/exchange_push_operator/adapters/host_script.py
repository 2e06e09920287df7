"""The PowerShell host script, and the two ways in which it is started on a server.

*Streamed*: the command line holds stage 0, which reads the script from standard input and checks
its hash. *Installed*: an administrator has reviewed, signed and installed it, and it is called by
its path under AllSigned; it says its own hash. Either way it is the same script.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from exchange_push_operator.adapters import allow_list

HASH_MISMATCH = b"!hash"  # what stage0.ps1 prints before it ends with exit code 97
INSTALLED_PATH = r"%ProgramFiles%\Exchange Push Operator\ExchangePushHost.ps1"

# What WinRS runs through cmd.exe, which expands %ProgramFiles%. -InputFormat None: else
# powershell.exe reads standard input itself, before the script can.
_POWERSHELL = (
    "powershell.exe -NoLogo -NoProfile -NonInteractive -ExecutionPolicy {} "
    "-InputFormat None -OutputFormat Text {} {}"
)


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """What starts the host: a command line, and what goes to standard input before anything."""

    command_line: str
    first_line: bytes
    sha256: str

    @property
    def is_installed(self) -> bool:
        """Whether the script is a file on the server, whose version is not known before it runs."""
        return not self.first_line


@cache
def bootstrap(*, installed: bool = False) -> Bootstrap:
    """How the host is started, made once."""
    sha256 = hashlib.sha256(script()).hexdigest().upper()
    if installed:
        path = f'"{INSTALLED_PATH}"'
        return Bootstrap(_POWERSHELL.format("AllSigned", "-File", path), b"", sha256)
    stage0 = _text("stage0.ps1").replace("@@HASH@@", sha256)
    encoded = base64.b64encode(stage0.encode("utf-16-le")).decode("ascii")
    command_line = _POWERSHELL.format("Bypass", "-EncodedCommand", encoded)
    return Bootstrap(command_line, base64.b64encode(script()) + b"\n", sha256)


@cache
def script() -> bytes:
    """The host script with the allow-list in it: ASCII, LF, one line end at its end.

    So its hash is also the one that the script finds out of its own file (Get-FileVersion), where
    carriage returns and the signature block do not count.
    """
    return _text("host.ps1").replace("@@ALLOW@@", allow_list.text().strip()).encode("ascii")


def installer() -> bytes:
    """The script that signs, installs and checks the host script on a server."""
    return _text("Install-ExchangePushHost.ps1").encode("ascii")


def _text(name: str) -> str:
    return (files("exchange_push_operator") / "powershell" / name).read_text("ascii")
