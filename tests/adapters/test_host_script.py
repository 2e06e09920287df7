"""The host script as it is sent, and the command line that starts it."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest

from adapters.powershell_tree import functions
from exchange_push_operator.adapters.allow_list import allow_list
from exchange_push_operator.adapters.host_script import (
    INSTALLED_PATH,
    bootstrap,
    installer,
    script,
)
from lab.exchange.host_file import signed, version_of


def test_the_command_line_fits_through_cmd_exe() -> None:
    assert len(bootstrap().command_line) <= 8191


def test_stage_0_carries_the_hash_of_exactly_the_bytes_that_are_sent() -> None:
    boot = bootstrap()
    stage0 = base64.b64decode(boot.command_line.rpartition(" ")[2]).decode("utf-16-le")
    sent = base64.b64decode(boot.first_line)
    assert sent == script()
    assert boot.sha256 == hashlib.sha256(sent).hexdigest().upper()
    assert f"'{boot.sha256}'" in stage0
    assert "@@" not in stage0


def test_the_host_script_carries_the_allow_list_in_a_string_that_expands_nothing() -> None:
    before, _, rest = script().decode("ascii").partition("@'\n")
    text, end, _ = rest.partition("\n'@\n")
    assert before.rstrip().endswith("ConvertFrom-Json -InputObject")
    assert end
    assert set(json.loads(text)) == set(allow_list())
    assert "@@" not in script().decode("ascii")


def test_the_bootstrap_is_sent_in_one_piece() -> None:
    assert len(bootstrap().first_line) < 90 * 1024
    assert bootstrap().first_line.count(b"\n") == 1


def test_the_installed_script_is_called_by_its_path_with_nothing_encoded() -> None:
    boot = bootstrap(installed=True)
    assert boot.command_line == (
        "powershell.exe -NoLogo -NoProfile -NonInteractive -ExecutionPolicy AllSigned "
        "-InputFormat None -OutputFormat Text "
        '-File "%ProgramFiles%\\Exchange Push Operator\\ExchangePushHost.ps1"'
    )
    # cmd.exe leaves a line alone that does not begin with a quotation mark and has two of them.
    assert boot.command_line.count('"') == 2
    assert boot.first_line == b""
    assert boot.is_installed
    assert boot.sha256 == bootstrap().sha256


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(script(), id="as printed"),
        pytest.param(script().replace(b"\n", b"\r\n"), id="with line ends of Windows"),
        pytest.param(script().rstrip(b"\n"), id="without a line end"),
        pytest.param(signed(script()), id="signed"),
    ],
)
def test_a_file_is_the_same_version_whatever_its_line_ends_and_signature(file: bytes) -> None:
    assert version_of(file) == bootstrap().sha256


def test_another_script_is_another_version() -> None:
    assert version_of(signed(script().replace(b"60", b"61"))) != bootstrap().sha256


def test_the_script_does_not_hold_the_mark_of_a_signature_itself() -> None:
    assert b"# SIG # Begin" not in script()
    assert b"# SIG # Begin" not in installer()


def test_the_installer_finds_the_version_as_the_script_does() -> None:
    name = "Get-FileVersion"
    found = functions("Install-ExchangePushHost.ps1")[name]
    assert found == functions("host.ps1")[name]


def test_the_installer_puts_the_script_where_the_operator_calls_it() -> None:
    folder, _, file = INSTALLED_PATH.removeprefix("%ProgramFiles%\\").rpartition("\\")
    text = installer().decode()
    assert f"(Join-Path -Path $env:ProgramFiles -ChildPath '{folder}')" in text
    assert f"$Target = Join-Path -Path $Destination -ChildPath '{file}'" in text
