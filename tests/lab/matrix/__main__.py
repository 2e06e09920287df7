"""`make matrix`: plays every cell, prints the table, and writes it into docs/reliability.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from lab.matrix.cell import Cell, complaints, run
from lab.matrix.faults import FAULTS
from lab.matrix.stages import COLUMNS
from lab.matrix.table import DOCUMENT, rendered, replaced
from lab.winrm_site import Site


def main() -> int:
    """0 where every cell is as the data of the rows has it."""
    parser = argparse.ArgumentParser(prog="make matrix ARGS=...", description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="rows with TEXT in their names")
    given = parser.parse_args()
    began, wrong = time.monotonic(), []
    cells: dict[tuple[str, str], Cell] = {}
    with ExitStack() as things:
        folder = Path(things.enter_context(tempfile.TemporaryDirectory()))
        site = Site(folder, things)
        for fault in (one for one in FAULTS if given.only in one.name):
            for column in COLUMNS:
                cell = cells[fault.name, column.name] = run(site, fault, column)
                wrong += [f"{fault.name}, {column.name}: {c}" for c in complaints(cell)]
    table = rendered(cells)
    print(table)
    print(f"\n{len(cells)} cells in {time.monotonic() - began:.0f} s", file=sys.stderr)
    print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
    if not given.only and not wrong:
        DOCUMENT.write_text(replaced(DOCUMENT.read_text("utf-8"), table), "utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
