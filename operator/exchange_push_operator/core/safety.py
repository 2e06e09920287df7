"""The last look at a step before it is performed: what must never be sent, whoever planned it."""

from __future__ import annotations

from collections.abc import Sequence

from exchange_push_operator.core.commands import Cmdlet, GraphRequest
from exchange_push_operator.core.errors import Refused
from exchange_push_operator.core.key_credentials import KeyCredential, lost
from exchange_push_operator.core.plan import Guard, Step
from exchange_push_operator.core.reasons import Reason

_CREATES_CERTIFICATES = "New-ExchangeCertificate"
_ASSIGNS_CERTIFICATES = "Set-AuthConfig"


def still_valid(guard: Guard, entries: Sequence[KeyCredential]) -> bool:
    """Whether the list is what the plan was made on."""
    return frozenset(entry.canonical for entry in entries) == guard.entries


def check_write(command: GraphRequest, guard: Guard, entries: Sequence[KeyCredential]) -> None:
    """Refuse a write that would drop somebody's key (safety rule 3).

    Raises:
        Refused: ChangeRefused.
    """
    gone = set(lost(entries, command.body or {"keyCredentials": []})) - guard.may_go
    if gone:
        raise Refused(
            Reason.CHANGE_REFUSED,
            f"the change would drop keys that are not ours ({', '.join(sorted(gone))}) and is "
            "not sent; please report this as a bug",
        )


def touches_auth_config(step: Step) -> bool:
    """Whether the step makes or assigns an Auth certificate."""
    name = step.command.name if isinstance(step.command, Cmdlet) else ""
    return name in (_ASSIGNS_CERTIFICATES, _CREATES_CERTIFICATES)


def check_cmdlet(step: Step, current_thumbprint: str | None) -> None:
    """Refuse what would replace the Auth or the transport certificate (safety rules 1 and 4).

    Raises:
        Refused: ChangeRefused.
    """
    if not isinstance(step.command, Cmdlet):
        return
    name, parameters = step.command.name, dict(step.command.parameters)
    if name in (_ASSIGNS_CERTIFICATES, _CREATES_CERTIFICATES) and current_thumbprint is not None:
        raise _bug(f"AuthConfig names {current_thumbprint}, which is never replaced")
    if name == _CREATES_CERTIFICATES and (
        parameters.get("Force") or parameters.get("Services") != "None"
    ):
        raise _bug("a certificate must be made without -Force and without services")


def _bug(message: str) -> Refused:
    return Refused(
        Reason.CHANGE_REFUSED, f"{message}; nothing is sent, please report this as a bug"
    )
