"""The syntax tree of the shipped scripts. There is no PowerShell on most machines; a parser is."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest

tree_sitter = pytest.importorskip("tree_sitter")
grammar = pytest.importorskip("tree_sitter_powershell")


def source(name: str) -> bytes:
    return (files("exchange_push_operator") / "powershell" / name).read_bytes()


def nodes(name: str) -> Iterator[Any]:
    """Every node of the syntax tree."""
    parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    pending = [parser.parse(source(name)).root_node]
    while pending:
        node = pending.pop()
        yield node
        pending += node.children


def of_type(name: str, wanted: str) -> set[str]:
    return {node.text.decode() for node in nodes(name) if node.type == wanted}


def functions(name: str) -> dict[str, str]:
    """The text of every function, by its name."""
    found = (node.text.decode() for node in nodes(name) if node.type == "function_statement")
    return {text.split()[1]: text for text in found}
