"""What the self-test learns about WinRM and Windows PowerShell. Pure."""

from __future__ import annotations

from exchange_push_operator.selftest.evidence import Echo, Evidence
from exchange_push_operator.selftest.finding import (
    Finding,
    broken,
    differs,
    expected,
    not_reached,
    still_open,
)


def host(evidence: Evidence) -> Finding:
    """The bootstrap, and what it runs in."""
    ready = evidence.ready
    if not ready:
        return broken(str(evidence.failure or "the host script never spoke"))
    seconds = evidence.seconds.get("ready", 0.0)
    text = f"PowerShell {ready.get('ps')}, {ready.get('bits')} bit, ready after {seconds:.1f} s"
    return expected(text)


def quotas(evidence: Evidence) -> Finding:
    """WinRM's own settings."""
    found = evidence.quotas
    if found is None:
        return still_open("winrm/config cannot be read; run: winrm get winrm/config")
    low = [
        f"{name} {found[name]} (at least {least})"
        for name, least in _LEAST.items()
        if found.get(name, "").isdecimal() and int(found[name]) < least
    ]
    if low:
        return differs(f"too low: {', '.join(low)}")
    return expected(", ".join(f"{name} {found[name]}" for name in _LEAST if name in found))


# What a pass needs of WinRM on a server: one shell for the operator and one for whoever looks after
# it; an Exchange session in a process takes some hundred megabytes.
_LEAST = {
    "MaxEnvelopeSizekb": 150,
    "MaxShellsPerUser": 2,
    "MaxProcessesPerShell": 2,
    "MaxMemoryPerShellMB": 512,
    "MaxConcurrentUsers": 2,
}


def dead_process(evidence: Evidence) -> Finding:
    """Its code is documented nowhere."""
    return _echo(evidence.dead_process, known=None)


def gone_shell(evidence: Evidence) -> Finding:
    """The code on which a new process is started."""
    return _echo(evidence.gone_shell, known=2150858843)


def _echo(echo: Echo | None, known: int | None) -> Finding:
    if echo is None:
        return not_reached()
    if known is not None and echo.code != known:
        return differs(f"fault {echo}, not {known}")
    return expected(f"fault {echo}")


def idle(evidence: Evidence) -> Finding:
    """http.sys drops idle connections after two minutes."""
    resets = evidence.resets_after_idle
    if resets is None:
        return still_open("not tried; add --idle (it waits for three minutes)")
    return expected(f"the process was still there; connections made anew: {resets}")
