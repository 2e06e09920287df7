"""Our keys of certificates that were current before: kept for a while, then removed.

Since when one is superseded is in status (``certificate.previous``). A status that was lost starts
the time anew: a key stays longer, never shorter.
"""

from __future__ import annotations

from datetime import datetime

from exchange_push_operator.core.config import PushConfig, RollOver
from exchange_push_operator.core.key_credentials import KeyCredential, own_key_ids
from exchange_push_operator.core.rollover import Act, Afterwards, Life, decide_key
from exchange_push_operator.core.rollover_seen import Seen, life
from exchange_push_operator.core.x509 import Certificate, parse_utc


def keys(seen: Seen) -> tuple[KeyCredential, ...]:
    """Keys that we added for certificates that are neither current nor to come."""
    if seen.auth.current is None:
        return ()
    kept = (seen.auth.current, seen.auth.next, *seen.made)
    return tuple(e for e in seen.entries or () if e.thumbprint not in kept and _ours(seen, e))


def _ours(seen: Seen, entry: KeyCredential) -> bool:
    found = _certificate(seen, entry)
    return found is not None and entry.key_id in own_key_ids(seen.organization_id, found)


def _certificate(seen: Seen, entry: KeyCredential) -> Certificate | None:
    return entry.certificate or seen.certificate(entry.thumbprint)


def previous(seen: Seen) -> str | None:
    """The certificate that was current before; the newest of a key of ours, should it be forgotten.

    Microsoft's own script clears it. An older one's grace must not be taken for the newest one's.
    """
    found = [one for entry in keys(seen) if (one := _certificate(seen, entry))]
    newest = max(found, key=lambda one: (one.not_before, one.thumbprint), default=None)
    return seen.auth.previous or (newest.thumbprint if newest else None)


def since(config: PushConfig, thumbprint: str) -> datetime | None:
    """Since when status knows it as superseded."""
    told = (config.status.get("certificate") or {}).get("previous") or {}
    moment = told.get("supersededAt") if told.get("thumbprint") == thumbprint else None
    return parse_utc(moment) if moment else None


def removable(config: PushConfig, seen: Seen, now: datetime) -> tuple[KeyCredential, ...]:
    """Those that the table lets go, under policy Manage.

    By the earlier of two clocks, ours and a server's: one that has jumped ahead ends no grace.
    """
    roll_over = config.roll_over
    if roll_over is None:
        return ()
    now = min(now, seen.clock or now)
    last = previous(seen)
    began = since(config, last) if last else None
    over = began is not None and began + roll_over.key_grace <= now
    current = _current(roll_over, seen, now)

    def goes(entry: KeyCredential) -> bool:
        ended = entry.expired(now) or _ended(entry, now)
        state = Life.EXPIRED if ended else Life.VALID
        case = Afterwards(state, True, over, current, not seen.unseen())  # noqa: FBT003 - as above
        return decide_key(case).act is Act.REMOVE_KEY

    return tuple(entry for entry in keys(seen) if goes(entry))


def _current(roll_over: RollOver, seen: Seen, now: datetime) -> Life:
    """Whether it is on every server matters more here than how long it lasts."""
    where = seen.where.get(seen.auth.current or "")
    lacking = where is None or where.missing(frozenset())
    return Life.PARTIAL if lacking else life(roll_over, seen, seen.auth.current, now)


def _ended(entry: KeyCredential, now: datetime) -> bool:
    return entry.certificate is not None and entry.certificate.not_after <= now
