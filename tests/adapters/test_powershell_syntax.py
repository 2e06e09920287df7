"""The PowerShell scripts parse, are spelt out, and can be read by every Windows PowerShell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files

import pytest

tree_sitter = pytest.importorskip("tree_sitter")
grammar = pytest.importorskip("tree_sitter_powershell")

SCRIPTS = ("stage0.ps1", "host.ps1")
# Cmdlets of Windows PowerShell 3.0 that the scripts may use.
CMDLETS = {
    "Add-Type",
    "ConvertFrom-Json",
    "Get-CimInstance",
    "Get-Command",
    "Get-Process",
    "Microsoft.PowerShell.Management\\Restart-Service",
    "WebAdministration\\Restart-WebAppPool",
    "New-Object",
    "Set-StrictMode",
    "Write-Warning",
}
APPROVED_VERBS = {
    *("Close", "ConvertTo", "Copy", "Deny", "Find", "Get", "Invoke", "New", "Open"),
    *("Resolve", "Restart", "Set", "Write"),
}


def source(name: str) -> bytes:
    return (files("exchange_push_operator") / "powershell" / name).read_bytes()


def nodes(name: str) -> Iterator[tuple[str, str, bool]]:
    """Type, text, and whether it is an error, of every node of the syntax tree."""
    parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    pending = [parser.parse(source(name)).root_node]
    while pending:
        node = pending.pop()
        yield node.type, node.text.decode(), node.is_error or node.is_missing
        pending += node.children


def of_type(name: str, wanted: str) -> set[str]:
    return {text for kind, text, _ in nodes(name) if kind == wanted}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_parses(name: str) -> None:
    assert [text for _, text, is_error in nodes(name) if is_error] == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_ascii_without_a_byte_order_mark(name: str) -> None:
    assert source(name).isascii()


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_uses_no_alias_and_no_cmdlet_of_a_later_powershell(name: str) -> None:
    functions = of_type(name, "function_name")
    assert of_type(name, "command_name") <= CMDLETS | functions


def test_functions_have_approved_verbs() -> None:
    verbs = {name.partition("-")[0] for name in of_type("host.ps1", "function_name")}
    assert verbs <= APPROVED_VERBS


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_runs_no_text_and_uses_nothing_that_came_after_windows_powershell_3(
    name: str,
) -> None:
    text = source(name).decode()
    assert not re.search(r"Invoke-Expression|AddScript|\.InvokeScript|::new\(|\?\?|&&", text)
    assert text.count("[ScriptBlock]::Create") == (1 if name == "stage0.ps1" else 0)
    # powershell.exe would read standard input itself
    assert "$input" not in text.lower()


def test_a_row_leaves_out_what_an_object_does_not_have() -> None:
    """A property that is missing is not one without a value; no PowerShell runs here."""
    (function,) = (
        text for text in of_type("host.ps1", "function_statement") if "Get-Row" in text[:20]
    )
    assert "$object.PSObject.Properties[$name]" in function
    assert "if ($has) { $row[$name] = $object.$name }" in function
