"""What a roll-over is decided on, read from one round of answers. Nothing of it is remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from exchange_push_operator.core import auth_certificate, friendly_name, organization, principal
from exchange_push_operator.core.certificate_store import (
    Held,
    Store,
    certificates_on,
    held_in,
    held_on,
    made_to_follow,
    stored_certificates,
)
from exchange_push_operator.core.config import PushConfig, RollOver
from exchange_push_operator.core.errors import PushError
from exchange_push_operator.core.key_credentials import KeyCredential
from exchange_push_operator.core.key_distribution import Distribution
from exchange_push_operator.core.looks import Looks, Observations
from exchange_push_operator.core.organization import AuthConfig
from exchange_push_operator.core.rollover import Life
from exchange_push_operator.core.x509 import Certificate

# A date that comes later than the current one's end, or too shortly before for the servicelet, is
# not waited for: no day without a certificate.
_ENDING = timedelta(days=1)
_NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Seen:
    """AuthConfig, the stores, the principal. ``entries`` is None where Entra ID was not seen.

    ``made`` are certificates of ours that were made to follow and are staged nowhere. ``idle`` are
    servers that do not answer or are in maintenance. ``clock`` is that of the first other server by
    name: the one that makes and stages.
    """

    organization_id: str
    auth: AuthConfig
    listed: Mapping[str, Store]
    where: Mapping[str, Distribution]
    made: tuple[str, ...]
    entries: tuple[KeyCredential, ...] | None
    idle: tuple[str, ...]
    clock: datetime | None

    def certificate(self, thumbprint: str | None) -> Certificate | None:
        """The certificate in the store of any listed server."""
        found = (store.get(thumbprint or "") for store in self.listed.values())
        return next((stored.certificate for stored in found if stored), None)

    def holders(self, thumbprint: str) -> tuple[str, ...]:
        """Listed servers in service that have it with its private key."""
        awake = {name: store for name, store in self.listed.items() if name not in self.idle}
        held = {name: held_in(store, thumbprint) for name, store in awake.items()}
        return tuple(sorted(name for name, one in held.items() if one is Held.WITH_KEY))

    def made_after(self, thumbprint: str) -> int:
        """How many we have made to follow a certificate, by the highest number among them."""
        names = (one.friendly_name for store in self.listed.values() for one in store.values())
        number = friendly_name.number_after
        return max((number(name, self.organization_id, thumbprint) for name in names), default=0)

    def unseen(self) -> tuple[str, ...]:
        """Servers that may hold anything, or sign with anything (safety rule 12)."""
        hidden = {
            name
            for of in self.where.values()
            for name, held in of.unlisted.items()
            if held is Held.UNSEEN
        }
        return tuple(sorted({*self.idle, *hidden}))


def looks(config: PushConfig, observed: Observations) -> Looks:
    """What AuthConfig names, and what we made to follow, on servers that are not listed."""
    auth = organization.auth_config(observed)
    made = made_to_follow(observed, auth) if config.roll_over else ()
    wanted = [one for one in (auth.current, auth.next, *made) if one]
    servers = organization.unlisted(observed, config.servers)
    return Looks(
        organization=tuple(certificates_on(s.fqdn, one) for s in servers for one in wanted)
    )


def read(config: PushConfig, observed: Observations) -> Seen:
    """Read them. Raises: Refused, CmdletFailed."""
    auth = organization.auth_config(observed)
    listed = {name: stored_certificates(observed, name) for name in observed.answered}
    unlisted = tuple(s.fqdn for s in organization.unlisted(observed, config.servers))
    made = made_to_follow(observed, auth) if config.roll_over else ()
    idle = {*observed.away, *organization.in_maintenance(observed)}
    awake = [name for name in observed.answered if name not in idle]
    return Seen(
        organization_id=organization.organization_id(observed),
        auth=auth,
        listed=listed,
        where={
            one: Distribution(
                one,
                {name: held_in(store, one) for name, store in listed.items()},
                {name: held_on(observed, name, one) for name in unlisted},
            )
            for one in (auth.current, auth.next, *made)
            if one is not None
        },
        made=made,
        entries=_entries(config, observed),
        idle=tuple(sorted(idle)),
        clock=organization.local_server(observed, min(awake)).time if awake else None,
    )


def read_for(config: PushConfig, observed: Observations) -> Seen:
    """As ``read``; where nothing is rolled over, only what AuthConfig names: no more is needed.

    Raises: Refused, CmdletFailed.
    """
    if config.roll_over:
        return read(config, observed)
    organization_id = organization.organization_id(observed)
    auth = organization.auth_config(observed)
    return Seen(organization_id, auth, {}, {}, (), None, (), None)


def _entries(config: PushConfig, observed: Observations) -> tuple[KeyCredential, ...] | None:
    if not config.needs_entra:
        return None
    try:
        found = principal.read(config, observed)
    except PushError:
        return None
    return found.entries if found.exists else None


def life(roll_over: RollOver, seen: Seen, thumbprint: str | None, now: datetime) -> Life:
    """The state of a certificate that AuthConfig names, or that we made to follow."""
    if thumbprint is None:
        return Life.ABSENT
    found, where = seen.certificate(thumbprint), seen.where.get(thumbprint)
    if found is None:
        return Life.PARTIAL if seen.unseen() or _somewhere(where) else Life.EXPIRED
    if found.not_after <= now or found.rsa_bits < auth_certificate.SMALLEST_KEY:
        return Life.EXPIRED
    if roll_over.gives_up(found.not_before, now):
        return Life.GIVEN_UP
    is_current, left = thumbprint == seen.auth.current, found.not_after - now
    partial = where is not None and bool(where.missing(_NOBODY))
    # What matters more: of the current one its end, of one to come that it is everywhere.
    if left <= roll_over.renew_before and (is_current or not partial):
        return Life.ENDING if is_current and left <= _ENDING else Life.NEAR
    return Life.PARTIAL if partial else Life.VALID


def _somewhere(where: Distribution | None) -> bool:
    return where is not None and any(
        held is not Held.MISSING for held in (*where.listed.values(), *where.unlisted.values())
    )
