"""The host script in a real PowerShell process, over the lab's model."""

from __future__ import annotations

import shutil

from lab.toolchain import SetupError

POWERSHELL_HELP = "a PowerShell that runs the shipped scripts (default: a stand-in in Python)"
NAMES = ("pwsh", "powershell.exe")


def found() -> str | None:
    """The first PowerShell on PATH."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


def named(name: str) -> str:
    """The PowerShell that somebody asks for by name or path. Raises: SetupError."""
    path = shutil.which(name)
    if path is None:
        message = (
            f"there is no {name!r} on PATH: install PowerShell 7 (https://aka.ms/powershell), or "
            "leave POWERSHELL out, then a stand-in in Python speaks the host script's lines"
        )
        raise SetupError(message)
    return path
