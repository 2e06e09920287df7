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
    delegated: bool = False,
) -> None:
    """Raise where there was no Exchange session.

    A change that follows one that was made keeps its CmdletFailed: something was changed.
    ``delegated`` says that the host had the account's ticket to show there, and no password.

    Raises: Refused (SecondHopFailed), Unreachable.
    """
    for number, answer in enumerate(answers):
        if answer.error is not None and answer.error.where == "session":
            if _is_denied(answer.error):
                meaning = _turned_down(server, account_name(username), delegated=delegated)
            else:
                meaning = _no_session(server, _local(batch, answers))
            log.info("%s (its own words: %s)", meaning, answer.error)
            if not changes or number == 0:
                raise meaning


def _is_denied(error: CmdletFailed) -> bool:
    return error.identifier == "AccessDenied" or error.category in _DENIED


def _turned_down(server: str, account: str, *, delegated: bool) -> PushError:
    # The host signs in there by itself: a network logon has no credential to pass on, and the
    # virtual directory of Exchange takes nothing but Kerberos.
    shown, cure = "it", ""
    if delegated:
        shown = f"the delegated ticket of {account}"
        cure = (
            "trust the server for delegation in Active Directory, keep the account out of "
            "Protected Users and 'sensitive and cannot be delegated', or use a password; "
        )
    return Refused(
        Reason.SECOND_HOP_FAILED,
        f"{server} signs {account} in, but its Exchange session http://{server}/PowerShell/ turns "
        f"{shown} down: {cure}let it use remote PowerShell (Set-User -RemotePowerShellEnabled "
        f"$true), give it a management role, and check Kerberos there (klist get http/{server})",
    )


def _no_session(server: str, about: str) -> PushError:
    if about:
        return Unreachable(f"{server}: {about}")
    where = f"http://{server}/PowerShell/"
    return Unreachable(f"{server}: {where} opens no session; check IIS and the Exchange services")


def _local(batch: Sequence[Cmdlet], answers: Sequence[Answer]) -> str:
    for command, answer in zip(batch, answers, strict=False):
        if command.name == "Get-LocalExchangeServer" and answer.rows:
            if answer.rows[0].get("SetupRunning"):
                return "Exchange Setup is running there"
            if answer.rows[0].get("Version") is None:
                return "Exchange is not installed there; check spec.exchange.servers"
    return ""
