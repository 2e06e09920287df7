"""docs/reference.md tells of everything that a status may hold."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from lab.resources import ROOT, schema

PAGE = (ROOT / "docs" / "reference.md").read_text("utf-8")
SOURCES = [path.read_text("utf-8") for path in Path(ROOT / "operator").rglob("*.py")]


def table(heading: str) -> set[str]:
    """The names in the first column below a heading."""
    part = PAGE.partition(f"\n{heading}\n")[2].partition("\n##")[0]
    return {name for row in re.findall(r"^\|([^|]+)\|", part, re.M) for name in named(row)}


def named(cell: str) -> list[str]:
    return re.findall(r"`(\w+)(?:\[\])?`", cell)


def made() -> Iterator[str]:
    """The types of advisories that are written out where one is made."""
    for source in SOURCES:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Advisory":
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value


def test_every_advisory_is_explained_and_every_explained_one_exists() -> None:
    explained = table("### Advisories")
    assert set(made()) - explained == set()
    assert {name for name in explained if not any(f'"{name}"' in text for text in SOURCES)} == set()
    assert len(explained) > len(set(made())) > 10


def test_every_field_of_the_status_is_explained() -> None:
    fields = schema()["properties"]["status"]["properties"]
    assert set(fields) - table("## Status") == set()
