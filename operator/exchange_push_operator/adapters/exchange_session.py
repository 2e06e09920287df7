"""What it means when the host script cannot open its Exchange session, or loses it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from exchange_push_operator.adapters.foreign_text import account_name
from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.errors import CmdletFailed, PushError, Refused, Unreachable
from exchange_push_operator.core.ports import Answer
from exchange_push_operator.core.reasons import Reason

log = logging.getLogger("exchange_push_operator.exchange")

_DENIED = frozenset({"PermissionDenied", "AuthenticationError", "SecurityError"})
# .NET's names for an Exchange session that broke while a cmdlet was running.
_BROKEN = frozenset(
    {
        "InvalidRunspaceStateException",
        "PSRemotingDataStructureException",
        "PSRemotingTransportException",
    }
)


def is_broken(answer: Answer) -> bool:
    """Whether the Exchange session broke under the cmdlet, which may have done its work or not."""
    error = answer.error
    return error is not None and error.where == "cmdlet" and error.kind in _BROKEN


def raise_for_session(
    server: str,
    username: str,
    batch: Sequence[Cmdlet],
    answers: Sequence[Answer],
    *,
    changes: bool,
) -> None:
    """Raise where there was no Exchange session.

    A change that follows one that was made keeps its CmdletFailed: something was changed.

    Raises: Refused (SecondHopFailed), Unreachable.
    """
    for number, answer in enumerate(answers):
        if answer.error is not None and answer.error.where == "session":
            meaning = _explain(server, username, answer.error, _local(batch, answers))
            log.info("%s (its own words: %s)", meaning, answer.error)
            if not changes or number == 0:
                raise meaning


def _explain(server: str, username: str, error: CmdletFailed, about: str) -> PushError:
    account = account_name(username)
    where = f"http://{server}/PowerShell/"
    if error.identifier == "AccessDenied" or error.category in _DENIED:
        # The host signs in there by itself: a network logon has no credential to pass on, and
        # the virtual directory of Exchange takes nothing but Kerberos.
        return Refused(
            Reason.SECOND_HOP_FAILED,
            f"{server} signs {account} in, but its Exchange session {where} turns the account "
            "down: let it use remote PowerShell (Set-User -RemotePowerShellEnabled $true), give it "
            "a management role, and check Kerberos there (klist get http/" + server + ")",
        )
    if about:
        return Unreachable(f"{server}: {about}")
    return Unreachable(f"{server}: {where} opens no session; check IIS and the Exchange services")


def _local(batch: Sequence[Cmdlet], answers: Sequence[Answer]) -> str:
    for command, answer in zip(batch, answers, strict=False):
        if command.name == "Get-LocalExchangeServer" and answer.rows:
            if answer.rows[0].get("SetupRunning"):
                return "Exchange Setup is running there"
            if answer.rows[0].get("Version") is None:
                return "Exchange is not installed there; check spec.exchange.servers"
    return ""
