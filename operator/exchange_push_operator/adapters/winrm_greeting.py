"""The first words: the host script goes there, and says who and what it is."""

from __future__ import annotations

import logging

from exchange_push_operator.adapters.foreign_text import short
from exchange_push_operator.adapters.host_script import INSTALLED_PATH, Bootstrap
from exchange_push_operator.adapters.powershell_host import Message
from exchange_push_operator.adapters.winrm_session import Session
from exchange_push_operator.adapters.winrm_trouble import Gone
from exchange_push_operator.core.errors import Refused, SpecError, Unreachable
from exchange_push_operator.core.reasons import Reason

log = logging.getLogger("exchange_push_operator.exchange")

_START = 90.0  # seconds from the first Send to the ready line, on a loaded server
_HASH_SHOWN = 12  # hexadecimal digits that tell two versions apart
_NETBIOS = 15  # characters of a computer's name that .NET's MachineName has


def greet(session: Session, script: Bootstrap, lines: bytes, server: str, now: float) -> None:
    """Send the host script and the first lines for it, in one Send, and look at its ready line.

    A script that is installed there hears nothing, and no password, before its version is known.

    Raises:
        Refused: HostScriptRefused: the installed script is of another version.
        Unreachable: a 32-bit PowerShell.
        SpecError: the computer has another name: an alias or a load balancer.
        Gone, Overdue, and whatever pywinrm raises.
    """
    if not script.is_installed:
        session.send(script.first_line + lines)
    ready = session.receive(lambda message: "ready" in message, now + _START)
    _inspect(ready, script, server)
    if script.is_installed:
        session.send(lines)
    session.boot = str(ready["ready"])
    process = ready.get("ps"), ready.get("pid")
    log.info("%s: host started, PowerShell %s, process %s", server, *process)


def _inspect(ready: Message, script: Bootstrap, server: str) -> None:
    if ready.get("version") != script.sha256:
        if script.is_installed:
            raise Refused(Reason.HOST_SCRIPT_REFUSED, _another_version(ready, script, server))
        raise Gone(text="the host script there is another one")
    if ready.get("bits") != 64:  # noqa: PLR2004 - Exchange's registry keys are 64-bit
        message = f"{server}: WinRM starts a 32-bit PowerShell; run the 64-bit WinRM service"
        raise Unreachable(message)
    host = short(str(ready.get("host", "")))
    if host.casefold() != server.partition(".")[0][:_NETBIOS].casefold():
        message = (
            f"{server} is answered by the computer {host}: "
            "name every server by its own FQDN in spec.exchange.servers"
        )
        raise SpecError(message)


def _another_version(ready: Message, script: Bootstrap, server: str) -> str:
    found = short(str(ready.get("version", "")))[:_HASH_SHOWN]
    return (
        f"{server}: {INSTALLED_PATH} is another version ({found} instead of "
        f"{script.sha256[:_HASH_SHOWN]}); install the one of this operator with "
        "Install-ExchangePushHost.ps1, or set spec.exchange.connection.hostScript: Streamed"
    )
