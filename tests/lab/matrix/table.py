"""The table as Markdown, and its place in the documentation."""

from __future__ import annotations

from collections.abc import Mapping

from lab.matrix.cell import Cell
from lab.matrix.faults import FAULTS
from lab.matrix.stages import COLUMNS
from lab.resources import ROOT

DOCUMENT = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- make matrix: begin -->", "<!-- make matrix: end -->"


def rendered(cells: Mapping[tuple[str, str], Cell]) -> str:
    """One line for each fault that was played."""
    names = [column.name for column in COLUMNS]
    lines = [_line("fault", names), "|---" * (len(names) + 1) + "|"]
    rows = [fault.name for fault in FAULTS if (fault.name, names[0]) in cells]
    lines += [_line(row, [cells[row, name].words for name in names]) for row in rows]
    return "\n".join(lines)


def replaced(text: str, table: str) -> str:
    """The document with this table between its marks."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{rest.partition(END)[2]}"


def written(text: str) -> dict[tuple[str, str], str]:
    """The cells of a document, by row and column."""
    table = text.partition(BEGIN)[2].partition(END)[0].strip().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    _, *names = rows[0]
    return {
        (row[0], name): cell for row in rows[2:] for name, cell in zip(names, row[1:], strict=True)
    }


def _line(first: str, rest: list[str]) -> str:
    return f"| {' | '.join([first, *rest])} |"
