"""Our keys of certificates that are not used any more: kept for a while, then removed.

Since when each is superseded is in status. A status that was lost starts the time anew: a key
stays longer, never shorter.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from exchange_push_operator.core.config import PushConfig, RollOver
from exchange_push_operator.core.following import following
from exchange_push_operator.core.key_credentials import KeyCredential, own_key_ids
from exchange_push_operator.core.plan import Advisory
from exchange_push_operator.core.rollover import Act, Life
from exchange_push_operator.core.rollover_key import Afterwards, decide_key
from exchange_push_operator.core.rollover_seen import Seen, life
from exchange_push_operator.core.timestamps import parse_utc, utc_text
from exchange_push_operator.core.x509 import Certificate

_MOST = 32  # rows that status has room for; the others count from when they get one


def keys(config: PushConfig, seen: Seen, now: datetime) -> tuple[KeyCredential, ...]:
    """Keys that we added for certificates that are neither current nor to come; policy Manage."""
    if config.roll_over is None or seen.auth.current is None:
        return ()
    coming = following(config.roll_over, seen, now).thumbprint
    kept = (seen.auth.current, seen.auth.next, coming)
    return tuple(e for e in seen.entries or () if e.thumbprint not in kept and _ours(seen, e))


def _ours(seen: Seen, entry: KeyCredential) -> bool:
    found = _certificate(seen, entry)
    return found is not None and entry.key_id in own_key_ids(seen.organization_id, found)


def _certificate(seen: Seen, entry: KeyCredential) -> Certificate | None:
    return entry.certificate or seen.certificate(entry.thumbprint)


def previous(config: PushConfig, seen: Seen, now: datetime) -> str | None:
    """The certificate that was current before; the newest of a key of ours, should it be forgotten.

    Microsoft's own script clears it.
    """
    found = [one for entry in keys(config, seen, now) if (one := _certificate(seen, entry))]
    newest = max(found, key=lambda one: (one.not_before, one.thumbprint), default=None)
    return seen.auth.previous or (newest.thumbprint if newest else None)


def since(config: PushConfig, thumbprint: str, now: datetime) -> datetime:
    """Since when status knows it as superseded; whole seconds of ``now`` where it does not."""
    last = (config.status.get("certificate") or {}).get("previous") or {}
    others = (config.status.get("principalCredential") or {}).get("superseded") or ()
    known = (one for one in (last, *others) if one.get("thumbprint") == thumbprint)
    moments = [parse_utc(one["supersededAt"]) for one in known if "supersededAt" in one]
    return max(moments, default=parse_utc(utc_text(now)))


def told(config: PushConfig, seen: Seen, now: datetime) -> list[dict[str, str]]:
    """Each of them for status, the oldest first: the next pass, and a new life, count from it."""
    counted = sorted(_counted(config, seen, now), key=lambda one: (one[2], one[0].key_id))
    return [
        {
            "keyId": entry.key_id,
            "thumbprint": str(entry.thumbprint),
            "supersededAt": utc_text(began),
            "removeAfter": utc_text(began + roll_over.key_grace),
        }
        for entry, roll_over, began in counted[:_MOST]
    ]


def removable(config: PushConfig, seen: Seen, now: datetime) -> tuple[KeyCredential, ...]:
    """Those that the table lets go.

    By the earlier of two clocks, ours and a server's: one that has jumped ahead ends no grace.
    """
    now = min(now, seen.clock or now)

    def goes(entry: KeyCredential, roll_over: RollOver, began: datetime) -> bool:
        ended = entry.expired(now) or _ended(entry, now)
        case = Afterwards(
            previous=Life.EXPIRED if ended else Life.VALID,
            ours=True,
            grace_over=began + roll_over.key_grace <= now,
            current=_current(roll_over, seen, now),
            all_seen=not seen.unseen(),
        )
        return decide_key(case).act is Act.REMOVE_KEY

    return tuple(counted[0] for counted in _counted(config, seen, now) if goes(*counted))


def advisories(config: PushConfig, seen: Seen, now: datetime) -> Iterator[Advisory]:
    """What AuthConfig has forgotten is still accepted by Entra ID."""
    names = [str(entry.thumbprint) for entry in keys(config, seen, now)]
    forgotten = sorted({name for name in names if not seen.auth.names(name)})
    if forgotten:
        yield Advisory(
            "SupersededKeys",
            "the principal still holds the operator's keys of certificates that AuthConfig does "
            f"not name: {', '.join(forgotten)}; each is removed after its removeAfter in "
            "status.principalCredential.superseded",
        )


def _counted(
    config: PushConfig, seen: Seen, now: datetime
) -> Iterator[tuple[KeyCredential, RollOver, datetime]]:
    if config.roll_over is None:
        return
    for entry in keys(config, seen, now):
        yield entry, config.roll_over, since(config, str(entry.thumbprint), now)


def _current(roll_over: RollOver, seen: Seen, now: datetime) -> Life:
    """Whether it is on every server matters more here than how long it lasts."""
    where = seen.where.get(seen.auth.current or "")
    lacking = where is None or where.missing(frozenset())
    return Life.PARTIAL if lacking else life(roll_over, seen, seen.auth.current, now)


def _ended(entry: KeyCredential, now: datetime) -> bool:
    return entry.certificate is not None and entry.certificate.not_after <= now
