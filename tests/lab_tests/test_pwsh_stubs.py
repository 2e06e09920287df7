"""The script that the lab runs before stage 0: it parses, has every cmdlet, and changes nothing."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from exchange_push_operator.adapters.host_script import bootstrap
from lab.exchange import pwsh
from lab.exchange.pwsh.process import on_computer, with_prelude
from lab.exchange.pwsh.stubs import exchange_stubs, local_stubs, prelude
from lab.exchange.runner import allow_list
from lab.toolchain import SetupError

tree_sitter = pytest.importorskip("tree_sitter")
grammar = pytest.importorskip("tree_sitter_powershell")

ROOT = Path(__file__).resolve().parents[2]
HOST = (files("exchange_push_operator") / "powershell" / "host.ps1").read_text("ascii")
SCRIPTS = {
    "prelude": prelude("127.0.0.1:4711"),
    "Exchange session": exchange_stubs(),
    "local session": local_stubs(),
    "a Windows machine for tests": (ROOT / "hack" / "enable_winrm.ps1").read_text("ascii"),
}
CMDLETS = {
    *("ConvertFrom-Json", "Get-Command", "Import-Module", "New-Object", "Set-Alias"),
    *("Start-Sleep",),
    *("Add-Content", "Add-LocalGroupMember", "ConvertTo-SecureString", "Enable-PSRemoting"),
    *("Get-ChildItem", "Join-Path", "New-Item", "New-LocalUser", "New-SelfSignedCertificate"),
    *("Remove-Item", "Set-Content", "Set-ItemProperty", "Where-Object", "Write-Output"),
}


def nodes(script: str) -> list[Any]:
    parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    found = [parser.parse(script.encode()).root_node]
    for node in found:  # grows on the way
        found += node.children
    return found


def texts(script: str, kind: str) -> set[str]:
    return {node.text.decode() for node in nodes(script) if node.type == kind}


each_script = pytest.mark.parametrize("name", SCRIPTS)


@each_script
def test_a_script_parses(name: str) -> None:
    wrong = [node.text for node in nodes(SCRIPTS[name]) if node.is_error or node.is_missing]
    assert wrong == []


@each_script
def test_a_script_uses_nothing_that_windows_powershell_does_not_have(name: str) -> None:
    text = SCRIPTS[name]
    assert text.isascii()
    functions = texts(text, "function_name") | texts(HOST, "function_name")
    assert texts(text, "command_name") <= CMDLETS | functions
    assert not re.search(r"::new\(|\?\?|&&", text)


def test_every_cmdlet_of_the_allow_list_is_a_function_with_its_parameters() -> None:
    for name, rule in allow_list().items():
        if rule["kind"] == "exchange-function":
            continue  # runs for real
        script = exchange_stubs() if rule["kind"] == "exchange" else local_stubs()
        (stub,) = (
            text
            for text in texts(script, "function_statement")
            if text.startswith(f"function {name} ")
        )
        declared = set(re.findall(r"\[[\w.\[\]]+\]\$(\w+)", stub))
        assert declared == set(rule["parameters"]), name


def test_only_the_functions_that_the_aliases_name_are_replaced() -> None:
    """And the host script calls both by their plain name, which is where an alias counts."""
    aliases = set(re.findall(r"Set-Alias -Name (\S+)", SCRIPTS["prelude"]))
    assert aliases == {"Open-ExchangeSession", "Open-LocalSession"}
    assert aliases <= texts(HOST, "function_name")
    assert aliases <= texts(HOST, "command_name")
    # its own functions are called nothing like the host's
    own = texts(SCRIPTS["prelude"], "function_name")
    assert own.isdisjoint(texts(HOST, "function_name"))


def test_stage_0_and_its_command_line_go_as_they_are_shipped() -> None:
    shipped = bootstrap().command_line
    changed = with_prelude(shipped, Path("/tmp/prelude.ps1"))  # noqa: S108 - a name, never opened
    start, _, stage0 = shipped.rpartition(" ")
    assert changed.startswith(start)
    text = base64.b64decode(changed.rpartition(" ")[2]).decode("utf-16-le")
    assert text == ". '/tmp/prelude.ps1'\n" + base64.b64decode(stage0).decode("utf-16-le")


def test_only_the_ready_line_gets_another_computers_name() -> None:
    assert on_computer(b'{"ready":"1","host":"runner"}\n', "EX1") == b'{"ready":"1","host":"EX1"}\n'
    for line in (b"\n", b"words\n", b'{"id":"1","host":"runner"}\n', b"[1]\n"):
        assert on_computer(line, "EX1") == line


def test_a_powershell_that_is_not_there_is_said_in_one_line_with_the_cure() -> None:
    with pytest.raises(SetupError) as caught:
        pwsh.named("pwsh-that-nobody-has")
    assert "'pwsh-that-nobody-has' on PATH: install PowerShell 7" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.lab
@pytest.mark.parametrize("program", ["lab", "lab.demo"])
def test_a_lab_without_the_powershell_that_was_asked_for_ends_with_one_line(
    program: str, tmp_path: Path
) -> None:
    folder = [f"--folder={tmp_path}"] if program == "lab" else []
    done = subprocess.run(
        [sys.executable, "-m", program, "--powershell=pwsh-that-nobody-has", *folder],
        env={"PYTHONPATH": ":".join(sys.path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    said = [line for line in (done.stdout + done.stderr).splitlines() if "nobody" in line]
    assert len(said) == 1
    assert "Traceback" not in done.stderr
