"""How a command answers: in columns for people, as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_GAP, _CUT = "  ", "..."


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A line for each row, each column as wide as it needs."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    sizes = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = (cell.ljust(size) for cell, size in zip(row, sizes, strict=True))
        yield _GAP.join(padded).rstrip()


def table(header: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """The header and the rows; no line longer than ``width``. Nothing without rows."""
    if rows:
        yield from (cut(line, width) for line in columns([header, *rows]))


def cut(text: str, width: int) -> str:
    """At most ``width`` characters; three dots say that there is more."""
    return text if len(text) <= width else text[: max(0, width - len(_CUT))] + _CUT


def one_line(text: str) -> str:
    """What came from elsewhere must not move the cursor."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def printable(text: str) -> str:
    """The same for a text of several lines."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def as_json(document: Mapping[str, Any]) -> str:
    """One object. Names are stable."""
    return json.dumps(document, indent=2) + "\n"
