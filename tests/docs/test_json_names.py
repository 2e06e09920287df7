"""What programs read: every name that a command prints is documented, and every documented one is
printed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exchange_push_operator.assess import report as assess_report
from exchange_push_operator.plan.document import as_json as plan_as_json
from exchange_push_operator.plan.passive import look
from lab.assessment import assessed
from lab.in_process import Lab, lab

pytestmark = pytest.mark.lab

DOCS = Path(__file__).resolve().parents[2] / "docs"
# Below these are names that Microsoft, the status or the report's sections give.
OPAQUE = ("cmdlet.parameters", "graph.body", "conditions[]", "advisories[]")


def documented(page: str, heading: str) -> set[str]:
    """The names in the first column of the table below a heading."""
    text = (DOCS / page).read_text("utf-8").split(f"## {heading}\n", 1)[1]
    table = text.split("\n| ", 1)[1].split("\n\n", 1)[0]
    cells = (line.strip("| ").split(" | ")[0] for line in table.splitlines())
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def names(value: Any, path: str = "") -> Iterator[str]:
    """The paths of all that is no object and no list; null stands for whatever it may be."""
    if path.endswith(OPAQUE):
        yield path
    elif isinstance(value, dict):
        for name, below in value.items():
            key = "*" if path == "facts" else name
            yield from names(below, f"{path}.{key}" if path else name)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for item in value:
            yield from names(item, f"{path}[]")
    else:
        yield path


def plan(outside: Lab) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        plan_as_json(look(outside.resource, outside.operator().world))
    )
    return found


def report(outside: Lab) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        assess_report.as_json(assess_report.judged(assessed(outside), "1.2.3"))
    )
    return found


def test_the_names_of_a_plan_are_those_of_its_page() -> None:
    told = documented("cli.md", "A plan as JSON")
    printed = set(names(plan(lab())))
    either = {"plannedChanges[].cmdlet", "plannedChanges[].graph"}  # null in the place of the other
    texts = {"inTheWay[]", "notLookedAt[]"}  # lists of sentences, empty here
    assert printed - either == told - texts | {name.removesuffix("[]") for name in texts}


def test_the_names_of_a_report_are_those_of_its_page() -> None:
    told = documented("assess.md", "The report as JSON")
    changes = {name for name in names(plan(lab())) if name.startswith("plannedChanges[]")}
    assert set(names(report(lab()))) == told - {"plannedChanges[]"} | changes


def test_every_entry_of_a_list_has_the_same_names() -> None:
    for document in (plan(lab()), report(lab())):
        for entries in (document["plannedChanges"], document.get("findings", [])):
            assert len({tuple(entry) for entry in entries}) <= 1


def test_where_there_is_nothing_to_say_the_names_are_there_all_the_same() -> None:
    settled = lab()
    settled.operator().run()
    assert list(plan(settled)) == list(plan(lab()))
    assert list(report(settled)) == list(report(lab()))
