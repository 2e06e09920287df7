"""Principal credential: Entra ID knows the public half of the Auth certificate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from exchange_push_operator.core import (
    candidate,
    certificate_store,
    dedicated_application,
    following,
    key_renewal,
    key_write,
    organization,
    principal,
    rollover_seen,
    superseded,
)
from exchange_push_operator.core.auth_certificate import SMALLEST_KEY
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.errors import PushError, Refused
from exchange_push_operator.core.held_keys import HeldKeys
from exchange_push_operator.core.key_advice import advisories
from exchange_push_operator.core.looks import Looks, Observations, merge
from exchange_push_operator.core.plan import Finding, Plan, Step, fails, holds, unknown
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.stage import Retirement, Stage
from exchange_push_operator.core.x509 import Certificate

_DAY = timedelta(days=1)


def looks(config: PushConfig) -> Looks:
    """The principal, and what AuthConfig names."""
    if not config.needs_entra:
        return Looks()
    held = Looks(
        organization=candidate.LOOKS,
        server=lambda _name: (certificate_store.LOCAL_CERTIFICATES,),
        graph=principal.requests(config),
    )
    return merge((held, dedicated_application.looks(config)))


def more(config: PushConfig, observed: Observations) -> Looks:
    """The stores that one is chosen from where AuthConfig names none; the one that follows."""
    if not config.needs_entra:
        return Looks()
    follows = rollover_seen.looks(config, observed) if config.roll_over else Looks()
    return merge((follows, candidate.looks(config, observed)))


def observe(config: PushConfig, observed: Observations) -> HeldKeys | None:
    """Read them; None where no principal is managed. Raises: Refused, CmdletFailed, GraphFailed."""
    if not config.needs_entra:
        return None
    auth = organization.auth_config(observed)
    named = dict.fromkeys(thumbprint for thumbprint in (auth.current, auth.next) if thumbprint)
    found = (certificate_store.find_certificate(observed, thumbprint) for thumbprint in named)
    return HeldKeys(
        seen=rollover_seen.read_for(config, observed),
        stores=candidate.read(config, observed),
        # A weak key is given to nobody: CertificateReady says what to do about it.
        wanted=tuple(s.certificate for s in found if s and s.certificate.rsa_bits >= SMALLEST_KEY),
        principal=principal.read(config, observed),
        shared=principal.read_shared(config, observed),
        switched_over=dedicated_application.switched_over(config, observed),
    )


def plan(config: PushConfig, held: HeldKeys | None, now: datetime) -> Plan:
    """Add what is missing or ends soon, remove what that made needless; carry the rest along."""
    if held is None:
        return Plan(holds(Reason.NOT_MANAGED, "spec.principal.target is None"))
    if not held.principal.exists:
        return Plan(principal.missing(config))
    advice = (*advisories(config, held, now), *superseded.advisories(config, held.seen, now))
    held = _with_candidate(config, held, now)
    current = held.current
    if current is None:
        message = "there is no current Auth certificate whose key could be compared"
        return Plan(unknown(Reason.WAITS_FOR_CERTIFICATE, message), advisories=advice)
    living = [c for c in held.wanted if c.not_after > now]
    missing = [c for c in living if held.lasting(c, now) is None]
    ending = [c for c in living if c not in missing and _ending(config, held, c, now)]
    steps: tuple[Step, ...] = ()
    if missing or ending:
        steps = (key_write.add(config, held, [*missing, *ending], now),)
    elif gone := (*held.superseded(now), *superseded.removable(config, held.seen, now)):
        steps = (key_write.remove(config, held, gone, now),)
    return Plan(_finding(held, current, missing, ending, now), steps, advice)


def _with_candidate(config: PushConfig, held: HeldKeys, now: datetime) -> HeldKeys:
    """What AuthConfig is going to name, as current or as next: its key comes first."""
    if held.auth.current is not None:
        made = following.follower(config, held.seen, now)
        return replace(held, wanted=tuple(dict.fromkeys((*held.wanted, *made))))
    chosen = candidate.choose(config, held.auth, held.stores, now)
    if not isinstance(chosen, Certificate):
        return held
    seen = replace(held.seen, auth=replace(held.auth, current=chosen.thumbprint))
    return replace(held, seen=seen, wanted=tuple(dict.fromkeys((chosen, *held.wanted))))


def _ending(config: PushConfig, held: HeldKeys, certificate: Certificate, now: datetime) -> bool:
    key = held.lasting(certificate, now)
    ours = held.ours_of(certificate)
    return key is not None and key_renewal.due(config, key, ours, certificate, now)


def _finding(
    held: HeldKeys,
    current: Certificate,
    missing: list[Certificate],
    ending: list[Certificate],
    now: datetime,
) -> Finding:
    if current in missing or any(_at_hand(held, certificate, now) for certificate in missing):
        return _not_held(held, current, missing)
    if current.not_after <= now:
        text = f"the current certificate {current.thumbprint} has expired"
        return fails(Reason.EXPIRED, text)
    text = f"the principal holds {_names(c for c in held.wanted if c not in missing)}"
    if missing:
        text += f"; {_names(missing)} is to join before it becomes current"
    if ending:
        names = _names(ending)
        text += f"; the key of {names} ends before the certificate does, and another is to join it"
    return holds(Reason.UP_TO_DATE, text)


def _at_hand(held: HeldKeys, certificate: Certificate, now: datetime) -> bool:
    """Whether it becomes current within a day: then its key is not only due, it is missing."""
    date = held.auth.next_effective
    staged = certificate.thumbprint == held.auth.next
    return staged and date is not None and date - now <= _DAY


def _names(certificates: Iterable[Certificate]) -> str:
    return ", ".join(certificate.thumbprint for certificate in certificates)


def _not_held(held: HeldKeys, current: Certificate, missing: list[Certificate]) -> Finding:
    if current in missing and any(entry.is_of(current) for entry in held.entries):
        text = f"the principal holds {current.thumbprint} with a key that is not valid now"
        return fails(Reason.EXPIRED, text)
    return fails(Reason.KEY_MISSING, f"the principal does not hold {_names(missing)}")


def retire(config: PushConfig, held: HeldKeys | None, now: datetime) -> Retirement:
    """Take our own keys back, but not one whose certificate AuthConfig still names."""
    if held is None:
        return Retirement()
    ours = [entry for entry in held.entries if held.ours(entry) and entry.thumbprint is not None]
    kept = [entry for entry in ours if held.auth.names(str(entry.thumbprint))]
    gone = [entry for entry in ours if entry not in kept]
    stays = tuple(
        f"our key of {entry.thumbprint} on {config.app_id}: AuthConfig names its certificate, and "
        "free/busy may rest on it"
        for entry in kept
    )
    return Retirement((key_write.remove(config, held, gone, now),) if gone else (), stays)


def explain(error: PushError) -> Finding | None:
    """Expired keys of others are a fact of the principal, not only a write that was refused."""
    if isinstance(error, Refused) and error.reason is Reason.EXPIRED_FOREIGN_KEYS:
        return fails(error.reason, str(error))
    return None


STAGE = Stage("PrincipalCredentialReady", looks, observe, plan, more, retire, explain)
