"""Another administrator at the same keys, at any moment: no foreign key is ever lost by us.

Microsoft Graph has no condition for a write. What it leaves open is one round trip: from the
answer of the last read to the arrival of the PATCH. The last test shows that it is no more.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_push_operator.reconcile.locks import Lock, Locks
from lab.in_process import BY_SECRET, Lab, Operator, lab
from lab.microsoft365.directory import KeyCredential
from lab.microsoft365.sample import principal
from lab.network.ca import self_signed

pytestmark = pytest.mark.lab

MOVES = ("adds", "removes its own", "removes ours", "renames", "rests")
FAULTS: tuple[tuple[str, Any], ...] = (
    ("read_lag", 0),
    ("reset_after_patch", 1),
    ("concurrency_violation", 2),
    ("graph_failure", {"status": 503, "times": 1, "method": "PATCH"}),
    ("graph_failure", {"status": 429, "times": 1, "retryAfter": 1, "method": "PATCH"}),
    ("graph_failure", {"status": 0, "times": 1, "method": "PATCH"}),
)


class Administrator:
    """Somebody who changes single keys, and knows which have to be there and by which name."""

    def __init__(self, outside: Lab) -> None:
        self.outside = outside
        self.holder = principal(outside.microsoft365)
        self.key = KeyCredential.of(self_signed("theirs", start=outside.clock(), days=900))
        self.theirs = {key.key_id: key.display_name for key in self.holder.keys}
        self.made = 0

    def does(self, move: str) -> None:
        match move:
            case "adds":
                self.made += 1
                key_id = f"eeeeeeee-0000-4000-8000-{self.made:012}"
                self.holder.keys += (replace(self.key, key_id=key_id),)
                self.theirs[key_id] = self.key.display_name
            case "removes its own" if self.theirs:
                del self.theirs[gone := min(self.theirs)]
                self.keep(lambda key: key.key_id != gone)
            case "removes ours":
                self.keep(lambda key: key.key_id in self.theirs)
            case "renames" if self.theirs:
                self.made += 1
                renamed = min(self.theirs)
                self.theirs[renamed] = f"number {self.made}"
                self.holder.keys = tuple(
                    replace(key, display_name=self.theirs.get(key.key_id, key.display_name))
                    for key in self.holder.keys
                )
            case _:
                pass

    def keep(self, stays: Callable[[KeyCredential], bool]) -> None:
        self.holder.keys = tuple(key for key in self.holder.keys if stays(key))

    def lost(self) -> set[str]:
        held = {(key.key_id, key.display_name) for key in self.holder.keys}
        return {key_id for key_id, name in self.theirs.items() if (key_id, name) not in held}


class Watched(Operator):
    """An operator between whose calls others act, but for the moment that Graph leaves open."""

    def __init__(self, outside: Lab, moves: Iterable[str]) -> None:
        super().__init__(outside)
        self.moves = iter(moves)
        self.rival = Administrator(outside)

    def _before_call(self, call: str, changes: bool) -> None:  # noqa: FBT001 - a hook of the lab
        if not call.startswith("PATCH"):
            self.rival.does(next(self.moves, "rests"))
        super()._before_call(call, changes)

    def _after_call(self, call: str, changes: bool) -> None:  # noqa: FBT001 - a hook of the lab
        super()._after_call(call, changes)
        assert self.rival.lost() == set()


def ours(outside: Lab) -> int:
    current = outside.exchange()["authConfig"]["current"]
    return sum(key["thumbprint"] == current for key in outside.key_credentials())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(MOVES), max_size=40),
    st.sampled_from(FAULTS),
    st.integers(1, 400),
)
def test_whatever_somebody_does_between_our_calls_no_key_of_theirs_is_lost(
    moves: list[str], fault: tuple[str, Any], left: int
) -> None:
    outside = lab(BY_SECRET)
    holder = principal(outside.microsoft365)
    operator = Watched(outside, moves)
    outside.microsoft365.set_fault(*fault)
    operator.run(most=6)
    # A key of ours that ends early has another write or two to be made.
    end = outside.clock() + timedelta(days=left)
    holder.keys = tuple(
        key if key.key_id in operator.rival.theirs else replace(key, end=end) for key in holder.keys
    )
    for _ in range(4):
        outside.clock.forward(minutes=6)
        operator.run(most=4)
    assert operator.rival.lost() == set()
    outside.clock.forward(hours=2)  # whoever kept removing our key has gone
    operator.moves = iter(())
    operator.run()
    assert ours(outside) == 1
    assert outside.condition("PrincipalCredentialReady") == ("True", "UpToDate")


def test_a_list_that_somebody_changes_before_the_last_read_is_never_written() -> None:
    """Every call of the first passes, one after another: the plan is made anew each time."""
    for position, move in itertools.product(range(12), ("adds", "renames")):
        outside = lab(BY_SECRET)
        operator = Watched(outside, ["rests"] * position + [move])
        for _ in range(3):
            operator.step()
            assert outside.condition("InSync")[1] != "ChangeRefused"
        assert operator.rival.lost() == set()
        assert ours(outside) == 1


class Unlucky(Operator):
    """Somebody adds a key in the very moment that Graph leaves open."""

    def __init__(self, outside: Lab) -> None:
        super().__init__(outside)
        self.rival = Administrator(outside)
        self.acted = False

    def _before_call(self, call: str, changes: bool) -> None:  # noqa: FBT001 - a hook of the lab
        super()._before_call(call, changes)
        if call.startswith("PATCH") and not self.acted:
            self.acted = True
            self.rival.does("adds")


def test_what_graph_leaves_open_is_the_way_of_one_request() -> None:
    """Should Graph ever take a condition, this is the test to turn round (docs/entra.md)."""
    outside = lab()
    operator = Unlucky(outside)
    operator.run()
    assert len(operator.rival.lost()) == 1
    asked = [line for line in outside.microsoft365.requests() if "/servicePrincipals" in line]
    (at,) = (n for n, line in enumerate(asked) if line.startswith("PATCH"))
    assert asked[at - 1].startswith("GET")


class EditedAtItsTurn(Locks):
    """Somebody edits the resource while it waits for its turn at the principal."""

    def __init__(self) -> None:
        super().__init__()
        self.edited = False

    def of(self, name: str) -> Lock:
        self.edited |= name.startswith("principal/")
        return super().of(name)


def test_what_was_edited_while_it_waited_for_its_turn_is_not_written() -> None:
    outside = lab(BY_SECRET)
    operator, locks = outside.operator(), EditedAtItsTurn()
    operator.world = replace(operator.world, locks=locks)
    operator.step()
    operator.memory.superseded = lambda: locks.edited
    operator.step()
    assert locks.edited
    assert not any("PATCH" in line for line in outside.microsoft365.requests())
