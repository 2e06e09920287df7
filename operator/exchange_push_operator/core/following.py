"""Which certificate is to follow the current one, and what is known of it: the table's columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from exchange_push_operator.core.config import PushConfig, RollOver
from exchange_push_operator.core.rollover import Date, Key, Life, Situation
from exchange_push_operator.core.rollover_seen import Seen, life
from exchange_push_operator.core.x509 import Certificate

# A certificate that has to be current at once is staged so far ahead: Entra ID may need minutes
# until every reader knows a key that was read back once.
AT_ONCE = timedelta(minutes=15)
# A look comes seconds after the date was set: then it is not to be brought forward once more.
_MINUTES = AT_ONCE + timedelta(minutes=5)
# The AuthAdmin servicelet looks at its start and every 12 hours.
_SERVICELET = timedelta(hours=12)
_USELESS = (Life.ABSENT, Life.EXPIRED, Life.GIVEN_UP)


@dataclass(frozen=True, slots=True)
class Following:
    """The certificate that is to follow; ``after`` is the one that a new one would be named for.

    ``resting``: one that was made to follow while nothing is due, or nothing any more.
    """

    thumbprint: str | None
    staged: bool
    after: str
    situation: Situation
    resting: str | None = None


def following(roll_over: RollOver, seen: Seen, now: datetime) -> Following:
    """What AuthConfig stages, if it can follow; else what we made, if one is due; else none."""
    staged = seen.auth.next
    current = life(roll_over, seen, seen.auth.current, now)
    coming = life(roll_over, seen, staged, now)
    usable = (one for one in seen.made if life(roll_over, seen, one, now) not in _USELESS)
    made = next(usable, None)
    due = staged is not None or current not in (Life.VALID, Life.PARTIAL)
    stays = coming not in _USELESS or _to_be_held_back(roll_over, seen, coming, now)
    chosen = staged if stays else made if due else None
    is_staged = chosen is not None and chosen == staged
    return Following(
        chosen,
        is_staged,
        staged or seen.auth.current or "",
        Situation(
            current=current,
            next=coming if chosen in (staged, None) else life(roll_over, seen, chosen, now),
            date=_date(roll_over, seen, now) if is_staged else Date.NONE,
            key=_key(seen, chosen, now),
            all_seen=not seen.unseen(),
        ),
        resting=None if due else made,
    )


def _to_be_held_back(roll_over: RollOver, seen: Seen, coming: Life, now: datetime) -> bool:
    """Whether a staged one that was given up has to have its date moved before anything else.

    Not where the current one would end before the new date: even that one is better than none.
    """
    current = seen.certificate(seen.auth.current)
    lasts = current is not None and current.not_after > now + roll_over.activate_after
    if coming is not Life.GIVEN_UP or not lasts:
        return False
    date = _date(roll_over, seen, now)
    return date not in (Date.NONE, Date.LATER) and bool(seen.holders(seen.auth.next or ""))


def follower(config: PushConfig, seen: Seen, now: datetime) -> tuple[Certificate, ...]:
    """What follows, once its private key is on every server: then Entra ID may get its key."""
    if config.roll_over is None:
        return ()
    found = following(config.roll_over, seen, now)
    ready = found.situation.next in (Life.VALID, Life.NEAR)
    certificate = seen.certificate(found.thumbprint)
    return (certificate,) if ready and certificate else ()


def _date(roll_over: RollOver, seen: Seen, now: datetime) -> Date:
    """How far away the date is, by the server's clock; one that is missing never comes."""
    effective = seen.auth.next_effective
    if effective is None:
        return Date.NONE
    left = effective - (seen.clock or now)
    limits: Iterable[tuple[timedelta, Date]] = (
        (-_SERVICELET, Date.OVERDUE),
        (timedelta(0), Date.PASSED),
        (_MINUTES, Date.MINUTES),
        (roll_over.activate_after / 2, Date.SOON),
    )
    return next((date for limit, date in limits if left <= limit), Date.LATER)


def _key(seen: Seen, thumbprint: str | None, now: datetime) -> Key:
    found = seen.certificate(thumbprint)
    if seen.entries is None or found is None:
        return Key.UNSEEN
    held = any(entry.verifies(found, now) for entry in seen.entries)
    return Key.HELD if held else Key.MISSING
