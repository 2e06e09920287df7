"""A Graph call as an administrator sends it, whatever somebody has called a key."""

from __future__ import annotations

import json
import shlex

import pytest

from exchange_push_operator.core.by_hand import lines
from exchange_push_operator.core.commands import GraphRequest

tree_sitter = pytest.importorskip("tree_sitter")
grammar = pytest.importorskip("tree_sitter_powershell")

NAMES = [
    "theirs",
    "O'Neill's",
    'a "key"',
    "$(Get-Date) `n",
    "\u2018key\u2019",
    "two\nlines",
    "a; b",
]


def patch(name: str) -> GraphRequest:
    return GraphRequest("PATCH", "servicePrincipals/1", {"keyCredentials": [{"displayName": name}]})


@pytest.mark.parametrize("name", NAMES)
def test_a_posix_shell_gives_the_body_to_az_as_it_is(name: str) -> None:
    az, _ = lines("https://graph.microsoft.us", patch(name))
    words = shlex.split(az)
    assert words[:6] == [
        *("az", "rest", "--method", "PATCH"),
        *("--url", "https://graph.microsoft.us/v1.0/servicePrincipals/1"),
    ]
    assert json.loads(words[-1]) == patch(name).body


@pytest.mark.parametrize("name", NAMES)
def test_powershell_reads_one_command_with_a_literal_body(name: str) -> None:
    _, line = lines("https://graph.microsoft.us", patch(name))
    parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    pending, strings = [parser.parse(line.encode()).root_node], []
    while pending:
        node = pending.pop()
        assert not node.is_error
        assert not node.is_missing
        assert node.type not in {"expandable_string_literal", "sub_expression", "variable"}
        if node.type == "verbatim_string_characters":
            strings.append(node.text.decode()[1:-1].replace("''", "'"))
        pending += node.children
    assert patch(name).body in [json.loads(text) for text in strings if text.startswith("{")]


@pytest.mark.parametrize("name", NAMES)
def test_a_line_is_one_line_of_plain_characters(name: str) -> None:
    for line in lines("https://graph.microsoft.us", patch(name)):
        assert line.isascii()
        assert "\n" not in line
