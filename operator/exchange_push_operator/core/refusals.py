"""What Microsoft Graph's errors mean for a write of key credentials, and who has to act.

Branches on ``error.code`` and its inner codes, never on messages.
"""

from __future__ import annotations

from exchange_push_operator.core.config import PushConfig, Target
from exchange_push_operator.core.errors import GraphFailed, PushError, Refused, Throttled
from exchange_push_operator.core.ports import Identity
from exchange_push_operator.core.reasons import Reason

_WRITE_ALL = frozenset({"Application.ReadWrite.All", "Directory.ReadWrite.All"})
_WRITE_OWNED = "Application.ReadWrite.OwnedBy"
EXPIRED_ENTRY = "KeyCredentialsInvalidEndDate"
_FORBIDDEN = 403
_CONFLICT = 409


def may_write(config: PushConfig, identity: Identity) -> bool:
    """Whether the identity has a role that can write the principal.

    Nobody owns the first-party principal, so OwnedBy does for a dedicated application only.
    """
    if identity.roles & _WRITE_ALL:
        return True
    return config.target is Target.DEDICATED and _WRITE_OWNED in identity.roles


def refused_write(config: PushConfig, error: GraphFailed) -> PushError:
    """The error of a refused PATCH, by what to do next."""
    codes = " ".join(error.codes)
    if error.status == _CONFLICT:
        return Throttled("Microsoft Graph is busy with another change of this principal")
    if "LockedServicePrincipalProperty" in codes or error.status == _FORBIDDEN:
        return _locked(config)
    if "AppPolicy" in codes:
        return Refused(
            Reason.BLOCKED_BY_TENANT_POLICY,
            f"an app management policy of the tenant forbids this key ({error.codes[0]}); exempt "
            f"{config.app_id} from it",
        )
    if "Directory_ResourceSizeExceeded" in codes:
        return Refused(
            Reason.TOO_MANY_KEYS,
            f"principal {config.app_id} has no room for another key; remove expired ones",
        )
    if EXPIRED_ENTRY in codes:
        return Refused(
            Reason.CHANGE_REFUSED,
            "Entra ID refuses the write because of a key that has expired; remove it, or set "
            "spec.principal.dropExpiredKeys",
        )
    return error


def _locked(config: PushConfig) -> Refused:
    if config.target is Target.FIRST_PARTY:
        cure = "use spec.principal.target DedicatedApplication, or add the key by hand"
    else:
        cure = "unlock its properties (servicePrincipalLockConfiguration) or make us its owner"
    return Refused(
        Reason.PRINCIPAL_LOCKED, f"Entra ID does not let principal {config.app_id} change; {cure}"
    )
