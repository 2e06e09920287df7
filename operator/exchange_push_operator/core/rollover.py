"""Roll-over: what to do next about the Auth certificate under policy Manage, as one table.

Nothing is remembered: the first row that fits decides. docs/rollover.md shows these very rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Life(StrEnum):
    """The state of one certificate: current, next or previous.

    ``NEAR``: less than renewBefore is left. ``ENDING``: of the current one, less than a day.
    ``GIVEN_UP``: made before rotateAfter. A next one that cannot become current (its key too
    small, on no server any more) counts as ``EXPIRED``, and one that we made while nothing is due
    as ``ABSENT``.
    """

    ABSENT = "absent"
    VALID = "valid"
    NEAR = "near expiry"
    ENDING = "ending"
    GIVEN_UP = "given up"
    EXPIRED = "expired"
    PARTIAL = "missing on some servers"


class Date(StrEnum):
    """When Exchange makes the next certificate current. ``SOON``: within half of activateAfter.

    ``MINUTES``: within 20 minutes, a little more than one that is needed at once is staged ahead.
    Its servicelet looks every twelve hours; after that the date is ``OVERDUE``.
    """

    NONE = "none"
    LATER = "later"
    SOON = "soon"
    MINUTES = "in minutes"
    PASSED = "passed"
    OVERDUE = "overdue"


class Key(StrEnum):
    """Whether the principal holds the next certificate's key. Not seen is not missing."""

    HELD = "held"
    MISSING = "missing"
    UNSEEN = "unseen"


class Act(StrEnum):
    """What to do about the next certificate, and about the key of the previous one."""

    ADOPT = "as policy Adopt"
    REST = "nothing"
    REPAIR = "copy to the servers that lack it"
    WAIT_FOR_SERVERS = "wait for the servers"
    CREATE = "make the next one"
    WAIT_FOR_KEY = "add its key to the principal"
    WAIT_FOR_ENTRA = "wait for Entra ID"
    STAGE = "stage it with a date"
    MOVE_DATE = "move the date"
    BRING_FORWARD = "bring the date forward"
    PUBLISH = "publish it"
    WAIT_FOR_DATE = "wait for the date"
    KEEP_KEY = "keep the key"
    REMOVE_KEY = "remove the key"


@dataclass(frozen=True, slots=True)
class Situation:
    """What was seen. ``all_seen``: every server of the organisation answers and is in service."""

    current: Life
    next: Life
    date: Date
    key: Key
    all_seen: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table. An empty set stands for any state."""

    current: frozenset[Life]
    next: frozenset[Life]
    date: frozenset[Date]
    key: frozenset[Key]
    all_seen: bool | None
    act: Act
    why: str

    def fits(self, seen: Situation) -> bool:
        """Whether the row speaks of this situation."""
        return (
            (not self.current or seen.current in self.current)
            and (not self.next or seen.next in self.next)
            and (not self.date or seen.date in self.date)
            and (not self.key or seen.key in self.key)
            and self.all_seen in (None, seen.all_seen)
        )


def _row(  # noqa: PLR0913 - the columns of a table
    act: Act,
    why: str,
    *,
    current: Iterable[Life] = (),
    coming: Iterable[Life] = (),
    date: Iterable[Date] = (),
    key: Key | None = None,
    all_seen: bool | None = None,
) -> Row:
    keys = frozenset({key} if key else ())
    return Row(frozenset(current), frozenset(coming), frozenset(date), keys, all_seen, act, why)


_USABLE = (Life.VALID, Life.NEAR)
_USELESS = (Life.ABSENT, Life.EXPIRED, Life.GIVEN_UP)
_AT_HAND = (Date.SOON, Date.MINUTES, Date.PASSED, Date.OVERDUE)
_SOON_USELESS = (Life.GIVEN_UP, Life.ENDING)
_AT_ONCE = (Life.EXPIRED, *_SOON_USELESS)

TABLE: tuple[Row, ...] = (
    _row(
        Act.ADOPT,
        "AuthConfig names none: one is assigned or made, whatever the policy",
        current=[Life.ABSENT],
    ),
    _row(
        Act.MOVE_DATE,
        "never published before Entra ID has its key",
        coming=[*_USABLE, Life.PARTIAL],
        date=_AT_HAND,
        key=Key.MISSING,
    ),
    _row(
        Act.MOVE_DATE,
        "given up, it is not to be published",
        current=[Life.VALID, Life.NEAR, Life.GIVEN_UP, Life.PARTIAL],
        coming=[Life.GIVEN_UP],
        date=_AT_HAND,
    ),
    _row(
        Act.MOVE_DATE,
        "a server without it could not sign; the certificate there is can wait",
        current=[Life.VALID, Life.NEAR, Life.PARTIAL],
        coming=[Life.PARTIAL],
        date=_AT_HAND,
    ),
    _row(Act.REPAIR, "every server needs its private key first", coming=[Life.PARTIAL]),
    _row(
        Act.REST,
        "nothing is due",
        current=[Life.VALID, Life.PARTIAL],
        coming=[Life.ABSENT, Life.EXPIRED],
    ),
    _row(
        Act.WAIT_FOR_SERVERS,
        "none is made while a server cannot be seen",
        coming=_USELESS,
        all_seen=False,
    ),
    _row(Act.CREATE, "it is time, and there is none that could follow", coming=_USELESS),
    _row(Act.WAIT_FOR_KEY, "Entra ID first", key=Key.MISSING),
    _row(Act.WAIT_FOR_ENTRA, "what cannot be seen is neither there nor missing", key=Key.UNSEEN),
    _row(
        Act.WAIT_FOR_SERVERS,
        "none is staged while a server cannot be seen",
        date=[Date.NONE],
        all_seen=False,
    ),
    _row(Act.STAGE, "its key is everywhere", date=[Date.NONE]),
    _row(
        Act.WAIT_FOR_SERVERS,
        "not published by us while a server cannot be seen",
        date=[Date.OVERDUE],
        all_seen=False,
    ),
    _row(Act.PUBLISH, "the date has passed and Exchange has not published it", date=[Date.OVERDUE]),
    _row(
        Act.WAIT_FOR_SERVERS,
        "not published by us while a server cannot be seen",
        current=_AT_ONCE,
        all_seen=False,
    ),
    _row(
        Act.PUBLISH,
        "nothing works with the current one",
        current=[Life.EXPIRED],
    ),
    _row(
        Act.BRING_FORWARD,
        "nobody waits so long with one that was given up, or ends",
        current=_SOON_USELESS,
        date=[Date.LATER, Date.SOON],
    ),
    _row(
        Act.PUBLISH,
        "the minutes that Entra ID may need are over",
        current=_SOON_USELESS,
        date=[Date.PASSED],
    ),
    _row(Act.WAIT_FOR_DATE, "Exchange publishes it at the date"),
)


def decide(seen: Situation) -> Row:
    """The first row that fits; the last one fits everything."""
    return next(row for row in TABLE if row.fits(seen))
