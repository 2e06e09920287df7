"""Principal credential: Entra ID knows the public half of the Auth certificate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from exchange_push_operator.core import organization
from exchange_push_operator.core.commands import GraphRequest
from exchange_push_operator.core.config import PushConfig, Target
from exchange_push_operator.core.errors import GraphFailed, Refused
from exchange_push_operator.core.key_credentials import (
    KeyCredential,
    new_entry,
    own_key_ids,
    read_credentials,
    retained,
)
from exchange_push_operator.core.looks import Looks, Observations
from exchange_push_operator.core.organization import AuthConfig
from exchange_push_operator.core.plan import (
    Advisory,
    Finding,
    Guard,
    Plan,
    Step,
    fails,
    holds,
    unknown,
)
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.stage import Stage
from exchange_push_operator.core.x509 import Certificate

_NOT_FOUND = 404
_FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class Principal:
    """The object that holds the keys. ``exists`` is False where the tenant has none."""

    path: str
    exists: bool
    entries: tuple[KeyCredential, ...]


@dataclass(frozen=True, slots=True)
class Observed:
    """The principal, and the certificates it should hold: the current one first."""

    organization_id: str
    auth: AuthConfig
    wanted: tuple[Certificate, ...]
    principal: Principal


def collection(config: PushConfig) -> str:
    """Where the key lives: a dedicated application's keys are on the application object."""
    return "applications" if config.target is Target.DEDICATED else "servicePrincipals"


def principal_request(config: PushConfig) -> GraphRequest:
    """Read one object: only then, and only with $select, Graph gives out ``key``."""
    select = "$select=id,appId,displayName,keyCredentials"
    return GraphRequest("GET", f"{collection(config)}(appId='{config.app_id}')?{select}")


def looks(config: PushConfig) -> Looks:
    """The principal, and what AuthConfig names."""
    if not config.needs_entra:
        return Looks()
    return Looks(
        organization=(organization.ORGANIZATION_CONFIG, organization.AUTH_CONFIG),
        server=lambda _name: (organization.LOCAL_CERTIFICATES,),
        graph=(principal_request(config),),
    )


def observe(config: PushConfig, observed: Observations) -> Observed | None:
    """Read them; None where no principal is managed. Raises: Refused, CmdletFailed, GraphFailed."""
    if not config.needs_entra:
        return None
    auth = organization.auth_config(observed)
    named = (thumbprint for thumbprint in (auth.current, auth.next) if thumbprint)
    found = (organization.find_certificate(observed, thumbprint) for thumbprint in named)
    return Observed(
        organization_id=organization.organization_id(observed),
        auth=auth,
        wanted=tuple(stored.certificate for stored in found if stored is not None),
        principal=_principal(config, observed),
    )


def _principal(config: PushConfig, observed: Observations) -> Principal:
    try:
        body = observed.graph(principal_request(config))
    except GraphFailed as error:
        if error.status == _NOT_FOUND:
            return Principal("", exists=False, entries=())
        if error.status == _FORBIDDEN:
            raise Refused(
                Reason.ACCESS_DENIED,
                f"Microsoft Graph does not let {config.tenant.credentials_id} read the principal; "
                "grant it the application permission Application.Read.All, and "
                "Application.ReadWrite.All where the operator is to write, with admin consent",
            ) from error
        raise
    path = f"{collection(config)}/{body['id']}"
    return Principal(path, exists=True, entries=read_credentials(body))


def plan(config: PushConfig, observed: Observed | None, now: datetime) -> Plan:
    """Add what is missing; carry every other entry along."""
    if observed is None:
        return Plan(holds(Reason.NOT_MANAGED, "spec.principal.target is None"))
    if not observed.principal.exists:
        return Plan(_no_principal(config))
    advisories = _advisories(config, observed, now)
    if observed.auth.current not in [c.thumbprint for c in observed.wanted]:
        message = "there is no current Auth certificate whose key could be compared"
        return Plan(unknown(Reason.WAITS_FOR_CERTIFICATE, message), advisories=advisories)
    entries = observed.principal.entries
    missing = [c for c in observed.wanted if c.not_after > now and not _held(entries, c, now)]
    current = observed.wanted[0]
    if current.not_after <= now:
        message = f"the current certificate {current.thumbprint} has expired"
        return Plan(fails(Reason.EXPIRED, message), advisories=advisories)
    if not missing:
        message = f"the principal holds {', '.join(c.thumbprint for c in observed.wanted)}"
        return Plan(holds(Reason.UP_TO_DATE, message), advisories=advisories)
    finding = fails(
        Reason.KEY_MISSING,
        f"the principal does not hold {', '.join(c.thumbprint for c in missing)}",
    )
    return Plan(finding, (_add(config, observed, observed.principal, missing, now),), advisories)


def _held(entries: Sequence[KeyCredential], certificate: Certificate, now: datetime) -> bool:
    return any(entry.is_of(certificate) and not entry.expired(now) for entry in entries)


def _add(
    config: PushConfig,
    observed: Observed,
    principal: Principal,
    missing: Sequence[Certificate],
    now: datetime,
) -> Step:
    entries = principal.entries
    added = [new_entry(c, _free_key_id(observed, c)) for c in missing]
    expired_foreign = [e for e in entries if e.expired(now) and not _ours(observed, e)]
    droppable = expired_foreign if config.drop_expired_keys else []
    kept = [entry for entry in entries if entry not in droppable]
    return Step(
        action="Add a key credential",
        target=config.app_id,
        event="KeyCredentialAdded",
        command=_patch(principal.path, [*retained(entries), *added]),
        summary=f"add {', '.join(c.thumbprint for c in missing)}, keep {len(entries)} entries",
        guard=_guard(config, entries, droppable),
        fallback=_patch(principal.path, [*retained(kept), *added]) if droppable else None,
    )


def _patch(path: str, entries: list[object]) -> GraphRequest:
    return GraphRequest("PATCH", path, {"keyCredentials": entries})


def _guard(
    config: PushConfig, entries: Sequence[KeyCredential], may_go: Sequence[KeyCredential]
) -> Guard:
    return Guard(
        look=principal_request(config),
        entries=frozenset(entry.canonical for entry in entries),
        may_go=frozenset(entry.key_id for entry in may_go),
    )


def _free_key_id(observed: Observed, certificate: Certificate) -> str:
    taken = {entry.key_id for entry in observed.principal.entries}
    candidates = own_key_ids(observed.organization_id, certificate)
    return next((key_id for key_id in candidates if key_id not in taken), candidates[-1])


def _ours(observed: Observed, entry: KeyCredential) -> bool:
    if entry.certificate is None:
        known = (own_key_ids(observed.organization_id, c) for c in observed.wanted)
        return any(entry.key_id in ids for ids in known)
    return entry.key_id in own_key_ids(observed.organization_id, entry.certificate)


def foreign(observed: Observed) -> tuple[KeyCredential, ...]:
    """Keys on the principal that are not ours and not of a wanted certificate."""
    return tuple(
        entry
        for entry in observed.principal.entries
        if not _ours(observed, entry) and not any(entry.is_of(c) for c in observed.wanted)
    )


def held_current(observed: Observed, now: datetime) -> KeyCredential | None:
    """The entry of the current certificate, the one that ends last first."""
    if not observed.wanted:
        return None
    found = [
        e for e in observed.principal.entries if e.is_of(observed.wanted[0]) and not e.expired(now)
    ]
    return max(found, key=lambda e: (e.ends is None, e.ends or now), default=None)


def retire(config: PushConfig, observed: Observed | None) -> tuple[Step, ...]:
    """Take our own keys back, but not one whose certificate AuthConfig still names."""
    if observed is None:
        return ()
    entries = observed.principal.entries
    ours = [
        entry
        for entry in entries
        if _ours(observed, entry)
        and entry.thumbprint is not None
        and not observed.auth.names(entry.thumbprint)
    ]
    if not ours:
        return ()
    kept = [entry for entry in entries if entry not in ours]
    step = Step(
        action="Remove our key credential",
        target=config.app_id,
        event="KeyCredentialRemoved",
        command=_patch(observed.principal.path, list(retained(kept))),
        summary=f"remove {', '.join(str(e.thumbprint) for e in ours)}, keep {len(kept)} entries",
        guard=_guard(config, entries, ours),
    )
    return (step,)


def _no_principal(config: PushConfig) -> Finding:
    if config.target is Target.DEDICATED:
        cure = "correct spec.principal.appId, or create the application in this tenant"
    else:
        cure = "the tenant has no Exchange Online; enroll the organization in Microsoft 365"
    return fails(
        Reason.PRINCIPAL_NOT_FOUND,
        f"tenant {config.tenant.domain} has no principal {config.app_id}: {cure}",
    )


def _advisories(config: PushConfig, observed: Observed, now: datetime) -> tuple[Advisory, ...]:
    found = []
    if config.target is Target.FIRST_PARTY:
        found.append(
            Advisory(
                "SharedPrincipalDeprecated",
                "Microsoft deprecates keys on the shared first-party principal (CVE-2025-53786); "
                "EWS through it is blocked since 31 October 2025",
            )
        )
    others = foreign(observed)
    if others:
        names = sorted(entry.thumbprint or entry.key_id for entry in others)
        found.append(
            Advisory(
                "ForeignKeys",
                f"keys on the principal that belong to no certificate of AuthConfig: "
                f"{', '.join(names[:10])}",
            )
        )
    entry = held_current(observed, now)
    day = timedelta(days=1)
    if entry and entry.ends and entry.ends + day < observed.wanted[0].not_after:
        found.append(
            Advisory(
                "KeyEndsBeforeCertificate",
                "Entra ID stores the key of the current certificate with an earlier end than the "
                "certificate's; status.principalCredential.endDateTime has it",
            )
        )
    return tuple(found)


STAGE = Stage("PrincipalCredentialReady", looks, observe, plan, retire=retire)
