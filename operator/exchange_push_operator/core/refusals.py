"""What Microsoft Graph's errors mean for a write of key credentials, and who has to act.

Branches on ``error.code`` and its inner codes, never on messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from exchange_push_operator.core.config import PushConfig, Target
from exchange_push_operator.core.errors import (
    GraphFailed,
    PushError,
    Refused,
    Throttled,
    Unreachable,
)
from exchange_push_operator.core.key_credentials import KeyCredential
from exchange_push_operator.core.ports import Identity
from exchange_push_operator.core.reasons import Reason

_WRITE_ALL = frozenset({"Application.ReadWrite.All", "Directory.ReadWrite.All"})
_WRITE_OWNED = "Application.ReadWrite.OwnedBy"
EXPIRED_ENTRY = "KeyCredentialsInvalidEndDate"
_FORBIDDEN = 403
_CONFLICT = 409
_LOCKED = "LockedServicePrincipalProperty"
_MOST_NAMED = 10


def may_write(config: PushConfig, identity: Identity) -> bool:
    """Whether the identity has a role that can write the principal.

    Nobody owns the first-party principal, so OwnedBy does for a dedicated application only.
    """
    if identity.roles & _WRITE_ALL:
        return True
    return config.target is Target.DEDICATED and _WRITE_OWNED in identity.roles


def refused_write(
    config: PushConfig,
    error: GraphFailed,
    identity: Identity,
    entries: Sequence[KeyCredential],
    now: datetime,
) -> PushError:
    """The error of a refused PATCH, by what to do next. ``entries`` are those it was made for."""
    codes = " ".join(error.codes)
    if error.status == _CONFLICT:
        return Throttled("Microsoft Graph is busy with another change of this principal")
    if "KeyNotUpdatable" in codes:
        # Our id is of one certificate for ever, so the key is there: only the reads lag behind.
        return Unreachable("Microsoft Graph has the key already and does not show it yet")
    if error.status == _FORBIDDEN and _LOCKED not in codes:
        return _forbidden(config, identity)
    expired = [entry.key_id for entry in entries if entry.expired(now)]
    if EXPIRED_ENTRY in codes:
        return _end_date(config, expired)
    return _refused_by_its_state(config, error, codes, expired) or error


def _refused_by_its_state(
    config: PushConfig, error: GraphFailed, codes: str, expired: Sequence[str]
) -> Refused | None:
    """What no permission helps against: a lock, a policy of the tenant, too many keys."""
    if _LOCKED in codes:
        return _locked(config, by_its_owner=True)
    if "AppPolicy" in codes:
        return _by_policy(config, error)
    if "Directory_ResourceSizeExceeded" in codes:
        return _no_room(config, expired)
    return None


def _forbidden(config: PushConfig, identity: Identity) -> Refused:
    """403: no permission, no ownership, or a principal that is closed by design."""
    if not may_write(config, identity):
        role = _WRITE_OWNED if config.target is Target.DEDICATED else "Application.ReadWrite.All"
        return Refused(
            Reason.ACCESS_DENIED,
            f"application {config.tenant.credentials_id} has lost the permission to write the "
            f"principal; grant it {role} with admin consent",
        )
    if not identity.roles & _WRITE_ALL:
        return Refused(
            Reason.ACCESS_DENIED,
            f"application {config.tenant.credentials_id} has {_WRITE_OWNED} and is no owner of "
            f"application {config.app_id}; add its service principal to the owners",
        )
    return _locked(config, by_its_owner=False)


def _locked(config: PushConfig, *, by_its_owner: bool) -> Refused:
    """``by_its_owner``: by the app instance property lock, which stops everybody."""
    cure = "unlock its properties first (servicePrincipalLockConfiguration)"
    if config.target is Target.FIRST_PARTY:
        other = f"{cure}: nobody can add a key before" if by_its_owner else "add the key by hand"
        cure = f"use spec.principal.target DedicatedApplication, or {other}"
    return Refused(
        Reason.PRINCIPAL_LOCKED, f"Entra ID does not let principal {config.app_id} change; {cure}"
    )


def _by_policy(config: PushConfig, error: GraphFailed) -> Refused:
    code = next(code for code in error.codes if "AppPolicy" in code)
    what = "keys that live as long as this certificate" if "Lifetime" in code else "this key"
    return Refused(
        Reason.BLOCKED_BY_TENANT_POLICY,
        f"an app management policy of the tenant forbids {what} ({code}); exempt {config.app_id} "
        "from it",
    )


def _end_date(config: PushConfig, expired: Sequence[str]) -> Refused:
    """An expired entry may be the cause; where there is none, it is the end of our own."""
    if not expired:
        return Refused(
            Reason.CHANGE_REFUSED,
            f"Entra ID does not take the end of the certificate for a key of {config.app_id} "
            f"({EXPIRED_ENTRY}); check the clock of the Exchange servers, and add the key by hand",
        )
    return Refused(
        Reason.EXPIRED_FOREIGN_KEYS,
        f"Entra ID refuses every write of principal {config.app_id} because of keys that have "
        "expired; set spec.principal.dropExpiredKeys, or run for each: "
        f"{_az(config, 'delete')} --key-id <id>, with {_some(expired)}",
    )


def _no_room(config: PushConfig, expired: Sequence[str]) -> Refused:
    """Which keys may go is known of expired ones alone."""
    which = f"with {_some(expired)}, which have expired"
    if not expired:
        which = f"with one that nobody needs; none has expired ({_az(config, 'list')} shows them)"
    return Refused(
        Reason.TOO_MANY_KEYS,
        f"principal {config.app_id} has no room for another key; run for each that may go: "
        f"{_az(config, 'delete')} --key-id <id>, {which}",
    )


def _az(config: PushConfig, verb: str) -> str:
    kind = "app" if config.target is Target.DEDICATED else "sp"
    return f"az ad {kind} credential {verb} --id {config.app_id} --cert"


def _some(key_ids: Sequence[str]) -> str:
    return " ".join(key_ids[:_MOST_NAMED])
