"""The first words: the host script goes there, and says who and what it is."""

from __future__ import annotations

import logging

from exchange_push_operator.adapters.foreign_text import short
from exchange_push_operator.adapters.powershell_host import Message, bootstrap
from exchange_push_operator.adapters.winrm_session import Session
from exchange_push_operator.adapters.winrm_trouble import Gone
from exchange_push_operator.core.errors import SpecError, Unreachable

log = logging.getLogger("exchange_push_operator.exchange")

_NETBIOS = 15  # characters of a computer's name that .NET's MachineName has


def greet(session: Session, lines: bytes, server: str, deadline: float) -> None:
    """Send the host script and the first lines for it, in one Send, and look at its ready line.

    Raises:
        Unreachable: a 32-bit PowerShell.
        SpecError: the computer has another name: an alias or a load balancer.
        Gone, Overdue, and whatever pywinrm raises.
    """
    session.send(bootstrap().first_line + lines)
    ready = session.receive(lambda message: "ready" in message, deadline)
    _inspect(ready, server)
    session.boot = str(ready["ready"])
    process = ready.get("ps"), ready.get("pid")
    log.info("%s: host started, PowerShell %s, process %s", server, *process)


def _inspect(ready: Message, server: str) -> None:
    if ready.get("version") != bootstrap().sha256:
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
