"""The last look at a step before it is performed: what must never be sent, whoever planned it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from exchange_push_operator.core.commands import Cmdlet, GraphRequest, Value
from exchange_push_operator.core.errors import Refused
from exchange_push_operator.core.key_credentials import KeyCredential, lost
from exchange_push_operator.core.organization import AuthConfig
from exchange_push_operator.core.plan import Guard, Step
from exchange_push_operator.core.reasons import Reason

_CREATES_CERTIFICATES = "New-ExchangeCertificate"
_ASSIGNS_CERTIFICATES = "Set-AuthConfig"
_COPIES_CERTIFICATES = "Copy-ExchangeCertificate"


def still_valid(guard: Guard, entries: Sequence[KeyCredential]) -> bool:
    """Whether the list is what the plan was made on."""
    return frozenset(entry.canonical for entry in entries) == guard.entries


def check_write(
    command: GraphRequest, guard: Guard, entries: Sequence[KeyCredential], *, again: bool = False
) -> None:
    """Refuse a write that would drop somebody's key (safety rule 3).

    ``again``: the write before was refused for an expired key, which may give leave to drop more.

    Raises:
        Refused: ChangeRefused.
    """
    gone = set(lost(entries, command))
    gone -= guard.may_go | (guard.at_last if again else frozenset())
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


def check_cmdlet(step: Step, auth: AuthConfig) -> None:
    """Refuse what would replace the Auth or the transport certificate (safety rules 1 and 4).

    Raises:
        Refused: ChangeRefused.
    """
    if not isinstance(step.command, Cmdlet):
        return
    name, parameters = step.command.name, dict(step.command.parameters)
    if name in (_ASSIGNS_CERTIFICATES, _CREATES_CERTIFICATES) and auth.current is not None:
        raise _bug(f"AuthConfig names {auth.current}, which is never replaced")
    if name == _ASSIGNS_CERTIFICATES:
        _check_assignment(parameters)
    if name == _CREATES_CERTIFICATES and (
        parameters.get("Force") or parameters.get("Services") != "None"
    ):
        raise _bug("a certificate must be made without -Force and without services")
    if name == _COPIES_CERTIFICATES and not auth.names(str(parameters.get("Thumbprint"))):
        raise _bug("only a certificate that AuthConfig names is copied to another server")


def _check_assignment(parameters: Mapping[str, Value]) -> None:
    """One certificate becomes current, and nothing can ask a question that nobody answers."""
    if parameters.get("ClearPreviousCertificate"):
        raise _bug("the previous certificate is not forgotten: servers may sign with it still")
    if parameters.get("Force") is not True or parameters.get("Confirm") is not False:
        raise _bug("Set-AuthConfig must be sent with -Force and -Confirm:$false")


def _bug(message: str) -> Refused:
    return Refused(
        Reason.CHANGE_REFUSED, f"{message}; nothing is sent, please report this as a bug"
    )
