"""Columns for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

_GAP, _CUT = "  ", "..."


def table(header: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """The header and the rows, each column as wide as it needs; no line longer than ``width``.

    Nothing without rows.
    """
    if not rows:
        return
    cells = [[one_line(cell) for cell in row] for row in (header, *rows)]
    sizes = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = (cell.ljust(size) for cell, size in zip(row, sizes, strict=True))
        yield cut(_GAP.join(padded).rstrip(), width)


def cut(text: str, width: int) -> str:
    """At most ``width`` characters; three dots say that there is more."""
    return text if len(text) <= width else text[: max(0, width - len(_CUT))] + _CUT


def one_line(text: str) -> str:
    """What came from elsewhere must not move the cursor."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
