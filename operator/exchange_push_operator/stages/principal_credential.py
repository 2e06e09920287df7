"""Principal credential: Entra ID knows the public half of the Auth certificate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from exchange_push_operator.core import (
    candidate,
    certificate_store,
    organization,
    principal,
    rollover_seen,
    superseded,
)
from exchange_push_operator.core.auth_certificate import SMALLEST_KEY
from exchange_push_operator.core.candidate import Stores
from exchange_push_operator.core.config import PushConfig, Target
from exchange_push_operator.core.key_credentials import (
    KeyCredential,
    new_entry,
    own_key_ids,
    retained,
)
from exchange_push_operator.core.looks import Looks, Observations, merge
from exchange_push_operator.core.organization import AuthConfig
from exchange_push_operator.core.plan import Advisory, Plan, Step, fails, holds, unknown
from exchange_push_operator.core.principal import Principal
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.rollover_seen import Seen
from exchange_push_operator.core.stage import Stage
from exchange_push_operator.core.x509 import Certificate


@dataclass(frozen=True, slots=True)
class Observed:
    """The principal, and the certificates it should hold: the current one first."""

    seen: Seen
    stores: Stores
    wanted: tuple[Certificate, ...]
    principal: Principal

    @property
    def auth(self) -> AuthConfig:
        """What AuthConfig names."""
        return self.seen.auth


def looks(config: PushConfig) -> Looks:
    """The principal, and what AuthConfig names."""
    if not config.needs_entra:
        return Looks()
    return Looks(
        organization=candidate.LOOKS,
        server=lambda _name: (certificate_store.LOCAL_CERTIFICATES,),
        graph=(principal.request(config),),
    )


def more(config: PushConfig, observed: Observations) -> Looks:
    """The stores that one is chosen from where AuthConfig names none; the one that follows."""
    if not config.needs_entra:
        return Looks()
    follows = rollover_seen.looks(config, observed) if config.roll_over else Looks()
    return merge((follows, candidate.looks(config, observed)))


def observe(config: PushConfig, observed: Observations) -> Observed | None:
    """Read them; None where no principal is managed. Raises: Refused, CmdletFailed, GraphFailed."""
    if not config.needs_entra:
        return None
    auth = organization.auth_config(observed)
    named = dict.fromkeys(thumbprint for thumbprint in (auth.current, auth.next) if thumbprint)
    found = (certificate_store.find_certificate(observed, thumbprint) for thumbprint in named)
    return Observed(
        seen=rollover_seen.read_for(config, observed),
        stores=candidate.read(config, observed),
        # A weak key is given to nobody: CertificateReady says what to do about it.
        wanted=tuple(s.certificate for s in found if s and s.certificate.rsa_bits >= SMALLEST_KEY),
        principal=principal.read(config, observed),
    )


def plan(config: PushConfig, observed: Observed | None, now: datetime) -> Plan:
    """Add what is missing; carry every other entry along."""
    if observed is None:
        return Plan(holds(Reason.NOT_MANAGED, "spec.principal.target is None"))
    if not observed.principal.exists:
        return Plan(principal.missing(config))
    advisories = _advisories(config, observed, now)
    observed = _with_candidate(config, observed, now)
    if observed.auth.current not in [c.thumbprint for c in observed.wanted]:
        message = "there is no current Auth certificate whose key could be compared"
        return Plan(unknown(Reason.WAITS_FOR_CERTIFICATE, message), advisories=advisories)
    entries = observed.principal.entries
    missing = [c for c in observed.wanted if c.not_after > now and not _held(entries, c, now)]
    if missing:
        finding = fails(
            Reason.KEY_MISSING,
            f"the principal does not hold {', '.join(c.thumbprint for c in missing)}",
        )
        return Plan(finding, (_add(config, observed, missing, now),), advisories)
    current = observed.wanted[0]
    if current.not_after <= now:
        message = f"the current certificate {current.thumbprint} has expired"
        return Plan(fails(Reason.EXPIRED, message), advisories=advisories)
    steps = superseded.steps(config, observed.principal, observed.seen, now)
    message = f"the principal holds {', '.join(c.thumbprint for c in observed.wanted)}"
    return Plan(holds(Reason.UP_TO_DATE, message), steps, advisories)


def _with_candidate(config: PushConfig, observed: Observed, now: datetime) -> Observed:
    """What AuthConfig is going to name, as current or as next: its key comes first."""
    if observed.auth.current is not None:
        made = rollover_seen.follower(config, observed.seen, now)
        return replace(observed, wanted=tuple(dict.fromkeys((*observed.wanted, *made))))
    chosen = candidate.choose(config, observed.auth, observed.stores, now)
    if not isinstance(chosen, Certificate):
        return observed
    seen = replace(observed.seen, auth=replace(observed.auth, current=chosen.thumbprint))
    wanted = tuple(dict.fromkeys((chosen, *observed.wanted)))
    return replace(observed, seen=seen, wanted=wanted)


def _held(entries: Sequence[KeyCredential], certificate: Certificate, now: datetime) -> bool:
    return any(entry.is_of(certificate) and not entry.expired(now) for entry in entries)


def _add(
    config: PushConfig,
    observed: Observed,
    missing: Sequence[Certificate],
    now: datetime,
) -> Step:
    entries = observed.principal.entries
    added = [new_entry(c, _free_key_id(observed, c)) for c in missing]
    expired_foreign = [e for e in entries if e.expired(now) and not _ours(observed, e)]
    droppable = expired_foreign if config.drop_expired_keys else []
    kept = [entry for entry in entries if entry not in droppable]
    return Step(
        action="Add a key credential",
        target=config.app_id,
        event="KeyCredentialAdded",
        command=principal.patch(observed.principal, [*retained(entries), *added]),
        summary=f"add {', '.join(c.thumbprint for c in missing)}, keep {_entries(entries)}",
        parts=tuple(certificate.thumbprint for certificate in missing),
        guard=principal.guard(config, observed.principal, droppable),
        fallback=principal.patch(observed.principal, [*retained(kept), *added])
        if droppable
        else None,
    )


def _entries(entries: Sequence[KeyCredential]) -> str:
    return "1 entry" if len(entries) == 1 else f"{len(entries)} entries"


def _free_key_id(observed: Observed, certificate: Certificate) -> str:
    taken = {entry.key_id for entry in observed.principal.entries}
    candidates = own_key_ids(observed.seen.organization_id, certificate)
    return next((key_id for key_id in candidates if key_id not in taken), candidates[-1])


def _ours(observed: Observed, entry: KeyCredential) -> bool:
    if entry.certificate is None:
        known = (own_key_ids(observed.seen.organization_id, c) for c in observed.wanted)
        return any(entry.key_id in ids for ids in known)
    return entry.key_id in own_key_ids(observed.seen.organization_id, entry.certificate)


def foreign(observed: Observed) -> tuple[KeyCredential, ...]:
    """Keys on the principal that are not ours and not of a wanted certificate."""
    return tuple(
        entry
        for entry in observed.principal.entries
        if not _ours(observed, entry) and not any(entry.is_of(c) for c in observed.wanted)
    )


def held_current(observed: Observed, now: datetime) -> KeyCredential | None:
    """The entry of the current certificate, the one that ends last first."""
    current = next((c for c in observed.wanted if c.thumbprint == observed.auth.current), None)
    if current is None:
        return None
    found = [e for e in observed.principal.entries if e.is_of(current) and not e.expired(now)]
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
    return (superseded.removal(config, observed.principal, ours),)


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
    coming = observed.auth.next
    if coming and coming not in [certificate.thumbprint for certificate in observed.wanted]:
        found.append(
            Advisory(
                "NextCertificateMissing",
                f"AuthConfig names {coming} as next, which no listed server has in its store; its "
                "key cannot be added before it becomes current",
            )
        )
    entry = held_current(observed, now)
    day = timedelta(days=1)
    if entry and entry.ends and observed.wanted[0].not_after - entry.ends > day:
        found.append(
            Advisory(
                "KeyEndsBeforeCertificate",
                "Entra ID stores the key of the current certificate with an earlier end than the "
                "certificate's; status.principalCredential.endDateTime has it",
            )
        )
    return tuple(found)


STAGE = Stage("PrincipalCredentialReady", looks, observe, plan, more, retire)
