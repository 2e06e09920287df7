"""What an assessment says: facts in sections, and findings that make up the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Level(StrEnum):
    """How bad it is, worst first. What nobody asked for, and what is news alone, costs nothing."""

    BROKEN = "broken"
    ATTENTION = "attention"
    UNSEEN = "not seen"
    NOTICE = "notice"


_EXIT_CODES = {Level.BROKEN: 2, Level.ATTENTION: 1}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, will go wrong, or was not seen; ``on``: when it goes wrong.

    ``text`` ends with what to do, as the messages of the operator do.
    """

    level: Level
    what: str
    text: str
    on: datetime | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One fact. ``level`` is None where it is as it should be."""

    name: str
    text: str
    level: Level | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """Facts about one thing."""

    title: str
    rows: tuple[Row, ...]


def ordered(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Worst first; of one level the soonest, then in the order they came in."""
    levels = list(Level)
    return tuple(
        sorted(
            dict.fromkeys(findings),
            key=lambda one: (
                levels.index(one.level),
                one.on.timestamp() if one.on else 0.0,
            ),
        )
    )


def exit_code(findings: tuple[Finding, ...]) -> int:
    """0 for fine, 1 for attention, 2 for broken."""
    return max((_EXIT_CODES.get(one.level, 0) for one in findings), default=0)
