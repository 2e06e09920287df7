"""Every fault of the lab, while every stage is being mended, over real WinRM sockets.

The rows are data in ``lab/matrix/faults.py``: what goes wrong, and what is truthfully said of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from lab.matrix.cell import Cell, Refusals, complaints, run
from lab.matrix.faults import FAULTS, READY, Fault
from lab.matrix.stages import COLUMNS, Column
from lab.matrix.table import DOCUMENT, written
from lab.winrm_site import Site

pytestmark = pytest.mark.lab

CELLS = [(fault, column) for fault in FAULTS for column in COLUMNS]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with ExitStack() as things:
        yield Site(tmp_path_factory.mktemp("site"), things)


@pytest.mark.parametrize(
    ("fault", "column"), CELLS, ids=[f"{fault.name}-{column.name}" for fault, column in CELLS]
)
def test_the_resource_is_ready_or_says_why_not_and_heals_by_itself(
    site: Site, fault: Fault, column: Column
) -> None:
    cell = run(site, fault, column)
    assert list(complaints(cell)) == []
    assert written(DOCUMENT.read_text("utf-8"))[fault.name, column.name] == cell.words, (
        "docs/reliability.md tells something else: run make matrix"
    )


def test_the_table_of_the_documentation_has_the_rows_and_columns_of_the_code() -> None:
    names = {(fault.name, column.name) for fault, column in CELLS}
    assert set(written(DOCUMENT.read_text("utf-8"))) == names


def cell(**changes: object) -> Cell:
    known: dict[str, object] = {
        "fault": FAULTS[0],
        "column": COLUMNS[0],
        "said": FAULTS[0].says,
        "outside_then": {},
        "refusals": (),
        "ready_after_cure": ("True", "Succeeded"),
        "outside_after_cure": {},
        "changes_at_rest": (),
        "open_shells": 0,
        "struck": True,
    }
    return Cell(**{**known, **changes})  # type: ignore[arg-type] # a table of its fields


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"said": READY}, "does not say"),
        ({"said": READY}, "says Ready, and is not"),
        ({"ready_after_cure": ("Unknown", "Unreachable")}, "does not heal"),
        ({}, "ends otherwise"),
        ({"changes_at_rest": ("Set-AuthConfig",)}, "goes on changing"),
        ({"open_shells": 1}, "left open"),
        ({"struck": False}, "did not strike"),
        ({"refusals": (Refusals(0.0, {"ex1": 2}),)}, "shown a refused password again"),
        (
            {"refusals": (Refusals(0.0, {"ex1": 1}), Refusals(299.0, {"ex1": 2}))},
            "shown a refused password again",
        ),
    ],
)
def test_the_matrix_complains_of_what_is_wrong(changes: dict[str, object], words: str) -> None:
    found = "\n".join(complaints(cell(outside_then={"proxy": []}, **changes)))
    assert words in found
