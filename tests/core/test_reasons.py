"""The closed set of reasons: documented, used, and spelt as the API has them."""

from __future__ import annotations

import re

import pytest

from exchange_push_operator.core.reasons import (
    LEAVE_READY_ALONE,
    NOT_LOOKED_AT,
    NOTHING_MOVES,
    STALLED,
    Reason,
)
from lab.resources import ROOT

PACKAGE = ROOT / "operator" / "exchange_push_operator"
DOCUMENTED = (ROOT / "docs" / "reasons.md").read_text("utf-8")
CODE = "".join(
    path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py")) if path.name != "reasons.py"
)
# An entry of docs/reasons.md is a row of a table that begins with the reason, or a heading.
ENTRIES = frozenset(re.findall(r"^(?:\| *|#+ *)`(\w+)`", DOCUMENTED, re.MULTILINE))


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_documented(reason: Reason) -> None:
    assert f"`{reason}`" in DOCUMENTED
    assert reason.value in ENTRIES


def test_no_reason_is_documented_that_does_not_exist() -> None:
    assert ENTRIES - {str(reason) for reason in Reason} == set()


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_used(reason: Reason) -> None:
    assert f"Reason.{reason.name}" in CODE


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_camel_case_and_named_after_itself(reason: Reason) -> None:
    assert re.fullmatch(r"([A-Z][a-z]+)+", reason.value)
    assert reason.name.replace("_", "").lower() == reason.value.lower()


def test_the_sets_of_reasons() -> None:
    assert not STALLED & (LEAVE_READY_ALONE | NOT_LOOKED_AT)
    assert NOTHING_MOVES > STALLED
