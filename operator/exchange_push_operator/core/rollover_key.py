"""Roll-over: what becomes of our key of a certificate that was current before, as one table.

The first row that fits decides. docs/rollover.md shows these very rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from exchange_push_operator.core.rollover import Act, Life


@dataclass(frozen=True, slots=True)
class Afterwards:
    """The key of a certificate that was current before. ``ours``: we added it, and it is there."""

    previous: Life
    ours: bool
    grace_over: bool
    current: Life
    all_seen: bool


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One row of the second half. None and an empty set stand for anything."""

    previous: frozenset[Life]
    ours: bool | None
    grace_over: bool | None
    current: frozenset[Life]
    all_seen: bool | None
    act: Act
    why: str

    def fits(self, seen: Afterwards) -> bool:
        """Whether the row speaks of this situation."""
        return (
            (not self.previous or seen.previous in self.previous)
            and (not self.current or seen.current in self.current)
            and self.ours in (None, seen.ours)
            and self.grace_over in (None, seen.grace_over)
            and self.all_seen in (None, seen.all_seen)
        )


_NO_LIFE: frozenset[Life] = frozenset()
KEY_TABLE: tuple[KeyRow, ...] = (
    KeyRow(
        _NO_LIFE, ours=False, grace_over=None, current=_NO_LIFE, all_seen=None,
        act=Act.REST, why="a key that we did not add is not ours to remove",
    ),
    KeyRow(
        frozenset({Life.EXPIRED}), ours=None, grace_over=None, current=_NO_LIFE, all_seen=None,
        act=Act.REMOVE_KEY, why="it verifies nothing any more",
    ),
    KeyRow(
        _NO_LIFE, ours=None, grace_over=False, current=_NO_LIFE, all_seen=None,
        act=Act.KEEP_KEY, why="servers may sign with it for a while",
    ),
    KeyRow(
        _NO_LIFE, ours=None, grace_over=None, current=_NO_LIFE, all_seen=False,
        act=Act.KEEP_KEY, why="a server that cannot be seen may sign with it",
    ),
    KeyRow(
        _NO_LIFE, ours=None, grace_over=None,
        current=frozenset({Life.ABSENT, Life.EXPIRED, Life.PARTIAL}), all_seen=None,
        act=Act.KEEP_KEY, why="a server without the current one signs with the previous one",
    ),
    KeyRow(
        _NO_LIFE, ours=None, grace_over=None, current=_NO_LIFE, all_seen=None,
        act=Act.REMOVE_KEY, why="superseded, and nobody signs with it any more",
    ),
)  # fmt: skip


def decide_key(seen: Afterwards) -> KeyRow:
    """The first row that fits; the last one fits everything."""
    return next(row for row in KEY_TABLE if row.fits(seen))
