"""The index of docs/decisions: a row for each page, by its number and its title."""

import re
from pathlib import Path

_HEAD = """\
# Decisions

Why it is built this way, and what was not taken: a short page for each decision that somebody could
want to turn round. A new one gets the next number, and `make render` puts it into this table.

| | decision |
|---|---|
"""
_TITLE = re.compile(r"# (?:\d+[.:] )?(.+)")


def page(folder: Path) -> str:
    """The whole text. Raises: ValueError where a page does not begin with its title."""
    return _HEAD + "".join(_row(path) for path in sorted(folder.glob("0*.md")))


def _row(path: Path) -> str:
    title = _TITLE.match(path.read_text("utf-8"))
    if title is None:
        raise ValueError(
            f"{path}: the first line has to be its title, like `# 17. What is decided`"
        )
    return f"| {path.name[:4]} | [{title[1]}]({path.name}) |\n"
