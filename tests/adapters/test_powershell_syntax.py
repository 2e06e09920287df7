"""The PowerShell scripts parse, are spelt out, and can be read by every Windows PowerShell."""

from __future__ import annotations

import re
from typing import Any

import pytest

from adapters.powershell_tree import functions, nodes, of_type, source

SCRIPTS = ("stage0.ps1", "host.ps1", "Install-ExchangePushHost.ps1")
# Cmdlets of Windows PowerShell 3.0 that the scripts may use.
CMDLETS = {
    "Add-Type",
    "ConvertFrom-Json",
    *("Copy-Item", "Get-ChildItem", "Join-Path", "Move-Item", "New-Item", "Remove-Item"),
    *("Get-Acl", "Get-AuthenticodeSignature", "Set-Acl", "Set-AuthenticodeSignature"),
    *("Resolve-Path", "Sort-Object", "Test-Path", "Where-Object"),
    "CimCmdlets\\Get-CimInstance",
    "Get-Command",
    "Get-Process",
    "Microsoft.PowerShell.Management\\Restart-Service",
    "WebAdministration\\Restart-WebAppPool",
    "New-Object",
    "Set-StrictMode",
    "Write-Error",
    "Write-Warning",
}
APPROVED_VERBS = {
    *("Add", "Close", "ConvertTo", "Copy", "Deny", "Find", "Get", "Install", "Invoke", "New"),
    *("Open", "Resolve", "Restart", "Set", "Test", "Write"),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_parses(name: str) -> None:
    assert [node.text for node in nodes(name) if node.is_error or node.is_missing] == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_ascii_without_a_byte_order_mark(name: str) -> None:
    assert source(name).isascii()


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_uses_no_alias_and_no_cmdlet_of_a_later_powershell(name: str) -> None:
    assert of_type(name, "command_name") <= CMDLETS | set(functions(name))


@pytest.mark.parametrize("name", SCRIPTS)
def test_functions_have_approved_verbs(name: str) -> None:
    assert {function.partition("-")[0] for function in functions(name)} <= APPROVED_VERBS


@pytest.mark.parametrize("name", SCRIPTS[1:])
def test_a_script_says_what_it_and_its_parameters_are_for(name: str) -> None:
    help_text = source(name).decode().partition("#>")[0]
    assert help_text.startswith("<#\n.SYNOPSIS\n")
    (block,) = (
        node for node in nodes(name) if node.type == "param_block" and not within_function(node)
    )
    parameters = [
        re.findall(r"^ *(?:\[.*\])?\$(\w+)", node.text.decode(), re.MULTILINE)[0]
        for group in block.children
        for node in group.children
        if node.type == "script_parameter"
    ]
    assert len(parameters) >= 3
    for parameter in parameters:
        assert f".PARAMETER {parameter}\n" in help_text


def within_function(node: Any) -> bool:
    while node is not None and node.type != "function_statement":
        node = node.parent
    return node is not None


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_runs_no_text_and_uses_nothing_that_came_after_windows_powershell_3(
    name: str,
) -> None:
    text = source(name).decode()
    assert not re.search(r"Invoke-Expression|AddScript|\.InvokeScript|::new\(|\?\?|&&", text)
    assert text.count("[ScriptBlock]::Create") == (1 if name == "stage0.ps1" else 0)
    # powershell.exe would read standard input itself
    assert "$input" not in text.lower()


def test_a_look_at_a_server_asks_wmi_twice_and_once_for_its_domain() -> None:
    """Each question walks through every process or service of a server that has other work."""
    asked = {name: text.count("Get-CimInstance") for name, text in functions("host.ps1").items()}
    assert {name: count for name, count in asked.items() if count} == {
        "Get-LocalExchangeServer": 2,
        "Find-DirectoryObject": 1,
    }
    text = source("host.ps1").decode()
    for line in (line for line in text.splitlines() if "Get-CimInstance" in line):
        assert "CimCmdlets\\Get-CimInstance" in line
        assert " -Property " in line


def test_the_directory_is_asked_over_a_connection_that_can_be_signed_and_sealed() -> None:
    text = functions("host.ps1")["Find-DirectoryObject"]
    assert text.index("ProtocolVersion = 3") < text.index("Signing = $true")
    assert text.index("Sealing = $true") < text.index("SendRequest")
    # connecting and two requests, and the look has 60 s
    (seconds,) = re.findall(r"Timeout = \[TimeSpan\]::FromSeconds\((\d+)\)", text)
    assert 3 * int(seconds) < 60


def test_a_row_leaves_out_what_an_object_does_not_have() -> None:
    """A property that is missing is not one without a value; no PowerShell runs here."""
    text = functions("host.ps1")["Get-Row"]
    assert "$object.PSObject.Properties[$name]" in text
    assert "if (-not $has) { continue }" in text
