"""The command that prints what runs on the Exchange servers."""

from __future__ import annotations

import hashlib

import pytest

from exchange_push_operator.__main__ import main


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["host-script", *arguments]) == 0
    return capsys.readouterr().out


def test_it_prints_the_very_script_and_the_hash_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    script = printed(capsys)
    assert "@@" not in script
    assert '"Get-AuthConfig"' in script  # the allow-list is in it
    sha256 = hashlib.sha256(script.encode()).hexdigest().upper()
    assert printed(capsys, "--sha256") == f"{sha256}\n"


def test_it_prints_the_installer(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Set-AuthenticodeSignature" in printed(capsys, "--installer")


def test_it_prints_one_thing_at_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["host-script", "--sha256", "--installer"])
    assert caught.value.code == 2
    assert "not allowed with" in capsys.readouterr().err
