"""status.history: the last changes that were made, or tried, the newest first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeAlias

Entry: TypeAlias = Mapping[str, Any]

MOST = 10


class Made(StrEnum):
    """What came of a change.

    ``FOUND_MADE``: nobody said so, a look has shown it. ``NOT_NEEDED``: it was approved, and is not
    planned any more without having been made.
    """

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    UNKNOWN = "Unknown"
    FOUND_MADE = "FoundMade"
    FOUND_NOT_MADE = "FoundNotMade"
    NOT_NEEDED = "NotNeeded"


_FOUND = (Made.FOUND_MADE, Made.FOUND_NOT_MADE)
_TRIED_AGAIN = (Made.FAILED, Made.UNKNOWN)


def entry(time: str, change: Mapping[str, Any], outcome: Made) -> Entry:
    """One change; ``change`` has its stage, target and action."""
    named = {name: change[name] for name in ("stage", "target", "action")}
    return {"time": time, **named, "outcome": str(outcome)}


def added(history: Sequence[Entry], news: Iterable[Entry]) -> list[Entry]:
    """The history with what has happened since, in the order in which it happened.

    What a look has shown of a change takes the place of its ``Unknown``. A change that fails again
    and again is told once: a status that stands still is not written.
    """
    told = list(history)
    for new in news:
        place = next((n for n, old in enumerate(told) if _same(old, new)), None)
        before = told[place]["outcome"] if place is not None else ""
        if place is not None and new["outcome"] in _FOUND and before == Made.UNKNOWN:
            told[place] = {**told[place], "outcome": new["outcome"]}
        elif new["outcome"] not in _TRIED_AGAIN or before != new["outcome"]:
            told.insert(0, new)
    return told[:MOST]


def last_change(status: Mapping[str, Any]) -> str:
    """When the last change was made, or tried; "" where there was none."""
    history = status.get("history") or ()
    return str(history[0]["time"]) if history else ""


def _same(old: Entry, new: Entry) -> bool:
    return all(old[name] == new[name] for name in ("stage", "target", "action"))
