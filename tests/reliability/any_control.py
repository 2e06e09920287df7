"""Stories of change control: who approves what, which windows are open, and what goes on beside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from hypothesis import strategies as st

from exchange_push_operator.core.errors import PushError
from lab.in_process import Lab
from lab.microsoft365.directory import KeyCredential
from lab.microsoft365.sample import principal
from lab.network.ca import self_signed
from properties import test_drift
from reliability.any_story import SPECS, Fault, Start, faults, starts

EDITS = ("the example", "the example", "proxy disabled", "no restarts")
"""What leads to one end, whatever was before: an unmanaged proxy stays as it happens to be."""


def _add_foreign_key(outside: Lab) -> None:
    held, clock = principal(outside.microsoft365), outside.clock
    certificate = self_signed("somebody else's", start=clock() - timedelta(days=1), days=365)
    held.keys = (*held.keys, KeyCredential.of(certificate, f"theirs, {len(held.keys)}"))


SOMEBODY: Mapping[str, Callable[[Lab], None]] = MappingProxyType(
    {
        **{drift.__name__: drift for drift in test_drift.DRIFTS if "key" not in drift.__name__},
        "add_foreign_key": _add_foreign_key,
    }
)


def somebody(outside: Lab, change: str) -> None:
    """Somebody else changes something, if it is there to be changed."""
    with suppress(PushError):
        SOMEBODY[change](outside)


@dataclass(frozen=True)
class Window:
    """Six hours of every day, in UTC."""

    start: int

    def spec(self) -> dict[str, Any]:
        days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
        start = f"{self.start:02}:00"
        return {"days": days, "start": start, "duration": "6h", "timeZone": "UTC"}

    def is_open(self, outside: Lab) -> bool:
        return (outside.clock().hour - self.start) % 24 < 6


@dataclass(frozen=True)
class Round:
    """A pass, and what comes before it. ``person``: what is written into approvedPlan then.

    ``again``: the changes of the round before come once more. ``lasts``: minutes that each write
    takes.
    """

    edit: str
    window: Window | None
    changes: tuple[str, ...]
    again: bool
    person: str
    hours: int
    killed: bool
    lasts: int


@dataclass(frozen=True)
class Story:
    """``meanwhile``: before which call of the whole story somebody else changes what."""

    start: Start
    faults: tuple[Fault, ...]
    meanwhile: tuple[tuple[int, str], ...]
    rounds: tuple[Round, ...]
    safety_acts: bool


PERSONS = ("approves", "approves", "approves", "names an old plan", "mistypes", "is away")
_change = st.sampled_from(sorted(SOMEBODY))
# A key that comes between our last read and our write is lost: Entra ID has no ETag.
_meanwhile = _change.filter(lambda change: change != "add_foreign_key")
_rounds = st.builds(
    Round,
    edit=st.sampled_from(EDITS),
    window=st.one_of(st.none(), st.none(), st.builds(Window, st.integers(0, 23))),
    changes=st.lists(_change, max_size=2, unique=True).map(tuple),
    again=st.booleans(),
    person=st.sampled_from(PERSONS),
    hours=st.sampled_from((2, 5, 13, 30)),
    killed=st.booleans(),
    lasts=st.sampled_from((0, 0, 150)),
)
stories = st.builds(
    Story,
    starts.filter(lambda start: start.spec == "the example"),
    st.lists(faults, max_size=2).map(tuple),
    st.lists(st.tuples(st.integers(5, 60), _meanwhile), max_size=2).map(tuple),
    st.lists(_rounds, min_size=2, max_size=5).map(tuple),
    st.booleans(),
)


def spec_of(name: str) -> dict[str, Any]:
    """The part of a spec that an edit changes."""
    return SPECS[name]
