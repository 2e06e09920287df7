"""One whole walk over real WinRM with servers of each language: text never decides anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from adapters.over_winrm import OverWinRM
from lab.exchange.texts import CULTURES
from lab.in_process import lab

pytestmark = pytest.mark.lab


@pytest.fixture
def things() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("culture", CULTURES)
def test_a_walk_over_winrm_ends_ready_in_every_language(culture: str, things: ExitStack) -> None:
    site = OverWinRM(things, culture)
    site.operator.run()
    assert site.outside.condition("Ready") == ("True", "Succeeded")
    reference = lab(auth_certificate=False)
    reference.operator().run()
    assert site.outside.outside() == reference.outside()
    site.pool.close()
    assert site.open_shells == 0


@pytest.mark.parametrize(
    ("fault", "value"),
    [("send_fault", 2), ("lose_shells", 1), ("quota", True), ("second_hop_refused", True)],
)
def test_a_fault_is_known_by_its_number_and_told_in_our_own_words(
    fault: str,
    value: Any,
    things: ExitStack,
) -> None:
    told = {culture: conditions_after(culture, fault, value, things) for culture in CULTURES}
    assert told == dict.fromkeys(CULTURES, told["en-US"])


def conditions_after(
    culture: str, fault: str, value: Any, things: ExitStack
) -> list[tuple[str, ...]]:
    """Type, status, reason and message of every condition."""
    site = OverWinRM(things, culture)
    site.fault(fault, value)
    site.operator.run()
    keys = ("type", "status", "reason", "message")
    return [tuple(one[key] for key in keys) for one in site.outside.status["conditions"]]
