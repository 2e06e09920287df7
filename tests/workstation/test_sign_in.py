"""How people sign in from a workstation: with the same flags everywhere, no secret among them."""

from __future__ import annotations

from pathlib import Path

import pytest

from exchange_push_operator.command_line import parse
from exchange_push_operator.core.errors import SpecError
from exchange_push_operator.workstation import application, exchange

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIy\n-----END CERTIFICATE-----\n"
CHAIN = "-----BEGIN CERTIFICATE-----\nMIIz\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIx\n-----END RSA PRIVATE KEY-----\n"
ASSESS = ("assess", "--server", "ex1.corp.fabrikam.com")
PLAN = ("plan", "-f", "pushconfig.yaml")
SELFTEST = ("selftest", "--server", "ex1.corp.fabrikam.com")
ACCOUNT = ("--username", "CORP\\svc-push")


def nobody(prompt: str) -> str:
    raise AssertionError(prompt)


def written(folder: Path, name: str, text: str) -> str:
    file = folder / name
    file.write_text(text, "utf-8")
    return str(file)


@pytest.mark.parametrize("command", [ASSESS, PLAN, SELFTEST])
def test_every_command_takes_the_same_account(command: tuple[str, ...], tmp_path: Path) -> None:
    file = written(tmp_path, "password", "Grün \r\n")
    options = parse([*command, *ACCOUNT, f"--password-file={file}"])
    assert exchange.password(options, nobody) == "Grün "
    assert parse([*command, *ACCOUNT, "--keytab=svc.keytab"]).keytab == Path("svc.keytab")


@pytest.mark.parametrize("command", [ASSESS, PLAN])
def test_assess_and_plan_take_the_same_application(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    both = written(tmp_path, "client.pem", f"Bag Attributes\n{KEY}{CERTIFICATE}{CHAIN}")
    options = parse([*command, *ACCOUNT, f"--client-certificate={both}"])
    assert application.pair(options) == (CERTIFICATE + CHAIN, KEY)
    secret = written(tmp_path, "secret", "s3cret\n")
    options = parse([*command, *ACCOUNT, f"--client-secret-file={secret}"])
    assert (application.pair(options), application.secret(options)) == (None, "s3cret")


def test_the_key_may_be_in_a_file_of_its_own(tmp_path: Path) -> None:
    flags = (
        f"--client-certificate={written(tmp_path, 'client.crt', CERTIFICATE)}",
        f"--client-key={written(tmp_path, 'client.key', KEY)}",
    )
    assert application.pair(parse([*PLAN, *ACCOUNT, *flags])) == (CERTIFICATE, KEY)
    with pytest.raises(SpecError, match=r"--client-certificate .*: holds no private key"):
        application.pair(parse([*PLAN, *ACCOUNT, flags[0]]))


def test_one_proof_is_enough(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse([*ASSESS, *ACCOUNT, "--client-certificate=x", "--client-secret-file=y"])
    assert "not allowed with" in capsys.readouterr().err


def test_a_key_without_a_certificate_is_no_proof() -> None:
    with pytest.raises(SpecError, match="--client-key: needs --client-certificate"):
        application.is_given(parse([*PLAN, *ACCOUNT, "--client-key=x"]))


@pytest.mark.parametrize("command", [ASSESS, PLAN])
def test_a_proxy_towards_microsoft_is_named_alike(command: tuple[str, ...]) -> None:
    options = parse([*command, *ACCOUNT, "--entra-proxy=http://proxy.corp.fabrikam.com:3128"])
    assert options.entra_proxy == "http://proxy.corp.fabrikam.com:3128"


@pytest.mark.parametrize("command", [ASSESS, SELFTEST])
def test_an_account_may_only_look(command: tuple[str, ...], tmp_path: Path) -> None:
    file = written(tmp_path, "password", "x")
    options = parse([*command, *ACCOUNT, f"--password-file={file}"])
    assert exchange.access(options, nobody).read_only
