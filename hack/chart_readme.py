"""The chart's README: what stands in values.yaml, as tables.

The comment above a key is its description; what is indented in a comment is an example and stays
out. A key without a comment belongs to the one above it. ``ValueError`` names a key that is told
nowhere.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_KEY = re.compile(r"( *)([A-Za-z][\w]*):")
_EXAMPLE = "   "

_HEAD = Path(__file__).with_suffix(".md")


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of values.yaml by its path, with the comment above it."""

    path: tuple[str, ...]
    text: str


def page(values: Path) -> str:
    """The whole text."""
    text = values.read_text("utf-8")
    entries, document = list(_entries(text)), yaml.safe_load(text)
    _all_are_told(entries, document)
    rows = [_row(entry, entries, document) for entry in entries]
    return _HEAD.read_text("utf-8") + "".join(rows)


def _entries(text: str) -> Iterator[Entry]:
    path: list[str] = []
    comment: list[str] = []
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            comment.append(line.strip().removeprefix("#").removeprefix(" "))
            continue
        key = _KEY.match(line)
        if key:
            path = [*path[: len(key[1]) // 2], key[2]]
            if comment:
                yield Entry(tuple(path), _joined(comment))
        comment = []


def _joined(comment: list[str]) -> str:
    prose = [line for line in comment if not line.startswith(_EXAMPLE[:2])]
    return " ".join(" ".join(prose).split()).replace("|", "\\|").replace("<", "&lt;")


def _row(entry: Entry, entries: list[Entry], document: Any) -> str:
    name = ".".join(entry.path)
    has_parts = any(_within(other.path, entry.path) for other in entries)
    default = "" if has_parts else f"`{json.dumps(_value(document, entry.path))}`"
    return f"| `{name}` | {default} | {entry.text} |\n"


def _value(document: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


def _within(path: tuple[str, ...], parent: tuple[str, ...]) -> bool:
    return len(path) > len(parent) and path[: len(parent)] == parent


def _all_are_told(entries: list[Entry], document: Any) -> None:
    told = {entry.path for entry in entries}
    for path in _leaves(document, ()):
        parents = {path[:length] for length in range(1, len(path) + 1)}
        nearest = max(parents & told, key=len, default=())
        if not nearest or (nearest != path and any(_within(other, nearest) for other in told)):
            message = f"values.yaml says nothing of {'.'.join(path)}: write a comment above it"
            raise ValueError(message)


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if not isinstance(value, dict) or not value:
        yield path
        return
    for key, inner in value.items():
        yield from _leaves(inner, (*path, str(key)))
