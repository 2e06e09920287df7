"""Columns for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

_GAP, _CUT = "  ", "..."


def table(header: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """The header and the rows, each column as wide as it needs to be, no line longer than ``width``.

    Nothing without rows.
    """
    if not rows:
        return
    columns = list(zip(header, *rows, strict=True))
    sizes = [max(len(cell) for cell in column) for column in columns]
    for row in (header, *rows):
        cells = (one_line(cell).ljust(size) for cell, size in zip(row, sizes, strict=True))
        yield cut(_GAP.join(cells).rstrip(), width)


def cut(text: str, width: int) -> str:
    """At most ``width`` characters; three dots say that there is more."""
    return text if len(text) <= width else text[: max(0, width - len(_CUT))] + _CUT


def one_line(text: str) -> str:
    """What came from elsewhere must not move the cursor."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
