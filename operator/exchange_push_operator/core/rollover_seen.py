"""What a roll-over is decided on, read from one round of answers. Nothing of it is remembered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
from exchange_push_operator.core.rollover import Date, Key, Life, Situation
from exchange_push_operator.core.x509 import Certificate

# A certificate that has to be current at once is staged so far ahead: Entra ID may need minutes
# until every reader knows a key that was read back once.
AT_ONCE = timedelta(minutes=15)
# The AuthAdmin servicelet looks at its start and every 12 hours.
_SERVICELET = timedelta(hours=12)
# A date that comes later than the current one's end, or too shortly before for the servicelet, is
# not waited for: no day without a certificate.
_ENDING = timedelta(days=1)
_NOBODY: frozenset[str] = frozenset()
_USELESS = (Life.ABSENT, Life.EXPIRED, Life.GIVEN_UP)


@dataclass(frozen=True, slots=True)
class Seen:
    """AuthConfig, the stores, the principal. ``entries`` is None where Entra ID was not seen.

    ``made`` are certificates of ours that were made to follow and are staged nowhere. ``idle`` are
    servers that do not answer or are in maintenance. ``clock`` is that of a server.
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
        clock=organization.local_server(observed, awake[0]).time if awake else None,
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


@dataclass(frozen=True, slots=True)
class Following:
    """The certificate that is to follow; ``after`` is the one that a new one would be named for."""

    thumbprint: str | None
    staged: bool
    after: str
    situation: Situation


def following(roll_over: RollOver, seen: Seen, now: datetime) -> Following:
    """What AuthConfig stages, if it can follow; else what we made; else none."""
    staged = seen.auth.next
    chosen, after = staged, staged or seen.auth.current or ""
    coming = life(roll_over, seen, chosen, now)
    for _ in range(len(seen.made) + 1):
        if coming not in _USELESS:
            break
        # One that we made and that was given up since is followed in its turn: its name is taken.
        after = chosen or after
        chosen = _made_after(seen, after)
        coming = life(roll_over, seen, chosen, now) if chosen else coming
    is_staged = chosen is not None and chosen == staged
    return Following(
        chosen,
        is_staged,
        after,
        Situation(
            current=life(roll_over, seen, seen.auth.current, now),
            next=coming,
            date=_date(roll_over, seen, now) if is_staged else Date.NONE,
            key=_key(seen, chosen, now),
            all_seen=not seen.unseen(),
        ),
    )


def follower(config: PushConfig, seen: Seen, now: datetime) -> tuple[Certificate, ...]:
    """What follows, once its private key is on every server: then Entra ID may get its key."""
    if config.roll_over is None:
        return ()
    found = following(config.roll_over, seen, now)
    ready = found.situation.next in (Life.VALID, Life.NEAR)
    certificate = seen.certificate(found.thumbprint)
    return (certificate,) if ready and certificate else ()


def _made_after(seen: Seen, after: str) -> str | None:
    def is_after(thumbprint: str) -> bool:
        return any(
            friendly_name.follows(store[thumbprint].friendly_name, seen.organization_id, after)
            for store in seen.listed.values()
            if thumbprint in store
        )

    return next((one for one in seen.made if is_after(one)), None)


def _date(roll_over: RollOver, seen: Seen, now: datetime) -> Date:
    """How far away the date is, by the server's clock; one that is missing never comes."""
    effective = seen.auth.next_effective
    if effective is None:
        return Date.NONE
    left = effective - (seen.clock or now)
    limits: Iterable[tuple[timedelta, Date]] = (
        (-_SERVICELET, Date.OVERDUE),
        (timedelta(0), Date.PASSED),
        (AT_ONCE, Date.MINUTES),
        (roll_over.activate_after / 2, Date.SOON),
    )
    return next((date for limit, date in limits if left <= limit), Date.LATER)


def _key(seen: Seen, thumbprint: str | None, now: datetime) -> Key:
    found = seen.certificate(thumbprint)
    if seen.entries is None or found is None:
        return Key.UNSEEN
    held = any(entry.verifies(found, now) for entry in seen.entries)
    return Key.HELD if held else Key.MISSING
