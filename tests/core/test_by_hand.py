"""A Graph call as an administrator sends it, whatever somebody has called a key."""

from __future__ import annotations

import json
import shlex

import pytest

from exchange_push_operator.core.by_hand import command, lines
from exchange_push_operator.core.commands import GraphRequest, cmdlet
from exchange_push_operator.core.plan import Step

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


def step(keys: int) -> Step:
    """A write of so many keys, each of about 320 characters."""
    entries = [{"keyId": f"{number:036}", "displayName": "x" * 255} for number in range(keys)]
    request = GraphRequest("PATCH", "servicePrincipals/1", {"keyCredentials": entries})
    return Step("Add a key", "principal", "KeyCredentialAdded", request, summary="add A, keep all")


@pytest.mark.parametrize(
    ("keys", "shown"), [(2, 3), (30, 1), (200, 0)], ids=["a few", "many", "very many"]
)
def test_as_much_is_shown_as_status_has_room_for(keys: int, shown: int) -> None:
    text = command("https://graph.microsoft.com", step(keys))
    assert text.count('"keyCredentials"') == shown
    assert len(text.splitlines()) == max(shown, 1)
    assert text.startswith("PATCH /v1.0/servicePrincipals/1")


def test_a_cmdlet_is_shown_as_it_is_typed() -> None:
    typed = Step("Enable it", "proxy", "ProxyEnabled", cmdlet("Get-AuthConfig"))
    assert command("https://graph.microsoft.com", typed) == "Get-AuthConfig"
