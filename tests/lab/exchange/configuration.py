"""WinRM's own settings, as a Get of winrm/config answers them (Windows Server 2016 and later)."""

from __future__ import annotations

RESOURCE = "http://schemas.microsoft.com/wbem/wsman/1/config"

DEFAULTS = {
    "MaxEnvelopeSizekb": "500",
    "MaxTimeoutms": "60000",
    "IdleTimeout": "7200000",
    "MaxConcurrentUsers": "10",
    "MaxShellRunTime": "2147483647",
    "MaxProcessesPerShell": "25",
    "MaxMemoryPerShellMB": "1024",
    "MaxShellsPerUser": "30",
}
_OF_THE_SHELL = ("IdleTimeout", "MaxConcurrentUsers", "MaxShell", "MaxProcesses", "MaxMemory")


def document(settings: dict[str, str] | None = None) -> str:
    """The body of the answer; ``settings`` replace the defaults."""
    found = DEFAULTS | (settings or {})
    shell = "".join(_element(*item) for item in found.items() if item[0].startswith(_OF_THE_SHELL))
    rest = "".join(
        _element(*item) for item in found.items() if not item[0].startswith(_OF_THE_SHELL)
    )
    return f'<cfg:Config xmlns:cfg="{RESOURCE}">{rest}<cfg:Winrs>{shell}</cfg:Winrs></cfg:Config>'


def _element(name: str, value: str) -> str:
    return f"<cfg:{name}>{value}</cfg:{name}>"
