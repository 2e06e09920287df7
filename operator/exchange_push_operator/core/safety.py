"""The last look at a step before it is performed: what must never be sent, whoever planned it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

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


def check_cmdlet(
    step: Step, auth: AuthConfig, *, manage: bool = False, made: Collection[str] = ()
) -> None:
    """Refuse what would replace the Auth or the transport certificate (safety rules 1 and 4).

    ``manage``: by its policy the resource may make, stage and publish the next one; never assign
    one in the place of a current one. ``made`` are those that we made to follow.

    Raises:
        Refused: ChangeRefused.
    """
    if not isinstance(step.command, Cmdlet):
        return
    name, parameters = step.command.name, dict(step.command.parameters)
    if name in (_ASSIGNS_CERTIFICATES, _CREATES_CERTIFICATES) and auth.current is not None:
        _check_roll_over(parameters, auth, manage=manage)
    if name == _ASSIGNS_CERTIFICATES:
        _check_assignment(parameters)
    if name == _CREATES_CERTIFICATES and (
        parameters.get("Force") or parameters.get("Services") != "None"
    ):
        raise _bug("a certificate must be made without -Force and without services")
    copied = str(parameters.get("Thumbprint"))
    if name == _COPIES_CERTIFICATES and not (auth.names(copied) or (manage and copied in made)):
        raise _bug("only a certificate that AuthConfig names is copied to another server")


def _check_roll_over(parameters: Mapping[str, Value], auth: AuthConfig, *, manage: bool) -> None:
    """A current certificate gives way to the next one only, and only by policy Manage."""
    if not manage or "CertificateThumbprint" in parameters:
        raise _bug(f"AuthConfig names {auth.current}, which is never replaced")
    coming = parameters.get("NewCertificateThumbprint")
    if coming == auth.current:
        raise _bug("the current certificate cannot be the next one")
    if coming is not None and "NewCertificateEffectiveDate" not in parameters:
        raise _bug("a next certificate is staged with its date")
    if parameters.get("PublishCertificate") and auth.next is None:
        raise _bug("there is no next certificate to publish")


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
