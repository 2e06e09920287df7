"""The command line of ``plan``: 2 stands for changes, so what goes wrong is 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exchange_push_operator.__main__ import main
from exchange_push_operator.command_line import parse
from exchange_push_operator.core.errors import Refused, SpecError
from exchange_push_operator.core.parse import parse as parse_resource
from exchange_push_operator.kubectl import command as plugin
from exchange_push_operator.plan import given
from lab.resources import EXAMPLE, resource

PAIR = (
    "-----BEGIN PRIVATE KEY-----\nMIIx\n-----END PRIVATE KEY-----\n"
    "-----BEGIN CERTIFICATE-----\nMIIy\n-----END CERTIFICATE-----\n"
)
ACCOUNT = ("--username", "CORP\\administrator")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("fabrikam", "-f", "pushconfig.yaml"),
        ("fabrikam", "--polcy=x"),
        ("fabrikam", "--output=xml"),
        ("fabrikam", "--policy=/does/not/exist"),
        ("fabrikam", "--password=secret"),
        ("fabrikam", "--entra-proxy=http://user:canary@proxy:3128"),
    ],
)
@pytest.mark.parametrize("run", [main, plugin.main], ids=["command", "plugin"])
def test_what_cannot_be_understood_ends_with_1_and_one_line(
    words: tuple[str, ...], run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        run(["plan", *words])
    told = capsys.readouterr().err
    assert (caught.value.code, len(told.splitlines())) == (1, 1)
    assert "canary" not in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-f", "/does/not/exist", *ACCOUNT), "/does/not/exist: cannot be read"),
        (
            (
                *("-f", str(EXAMPLE), *ACCOUNT, f"--client-secret-file={EXAMPLE}"),
                "--password-file=/does/not/exist",
            ),
            "--password-file /does/not/exist: cannot be read",
        ),
        (("-f", str(EXAMPLE), *ACCOUNT, f"--password-file={EXAMPLE}"), "--client-certificate or"),
        (
            (
                *("-f", str(EXAMPLE), *ACCOUNT, f"--password-file={EXAMPLE}"),
                *(f"--client-secret-file={EXAMPLE}", f"--entra-proxy-credentials={EXAMPLE.parent}"),
                "--entra-proxy=http://proxy:3128",
            ),
            "http shows passwords",
        ),
        (("fabrikam", f"--kubeconfig={EXAMPLE}"), f"--kubeconfig {EXAMPLE} cannot be used"),
    ],
)
def test_an_error_is_1_and_one_line(
    words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", *words]) == 1
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert told in err


def credentials(*words: str, spec: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return "typed"

    options = parse(["plan", "fabrikam", *words])
    return asked, given.secrets(options, resource(spec), ask)


def test_a_password_is_asked_for_with_the_servers_that_get_it(tmp_path: Path) -> None:
    pem = tmp_path / "client.pem"
    pem.write_text(PAIR, "utf-8")
    asked, found = credentials(*ACCOUNT, f"--client-certificate={pem}")
    assert "ex1.corp.fabrikam.com, ex2.corp.fabrikam.com" in asked[0]
    assert found["--username"] == {"username": b"CORP\\administrator", "password": b"typed"}


def test_certificate_and_key_are_found_in_any_order(tmp_path: Path) -> None:
    pem = tmp_path / "client.pem"
    pem.write_text(f"Bag Attributes\n{PAIR}", "utf-8")
    _, found = credentials(*ACCOUNT, f"--client-certificate={pem}")
    pair = found["--client-certificate"]
    assert pair["tls.crt"].startswith(b"-----BEGIN CERTIFICATE")
    assert pair["tls.key"].startswith(b"-----BEGIN PRIVATE KEY")
    pem.write_text("nothing", "utf-8")
    with pytest.raises(SpecError, match="holds no certificate"):
        credentials(*ACCOUNT, f"--client-certificate={pem}")


def test_without_a_principal_nothing_of_entra_is_asked_for() -> None:
    spec = {"principal": {"target": "None"}, "tenant": {"tenantId": "x"}}
    _, found = credentials(*ACCOUNT, spec=spec)
    assert set(found) == {"--username"}


def test_a_flag_without_an_account_is_an_error() -> None:
    with pytest.raises(SpecError, match="--keytab needs --username"):
        credentials("--keytab=x")
    assert credentials() == ([], {})


@pytest.mark.parametrize("kept", ["clientSecret", "workloadIdentity"])
def test_what_is_given_takes_the_place_of_whatever_the_resource_names(kept: str) -> None:
    named: dict[str, Any] = {
        "clientSecret": {"secretRef": {"name": "entra", "key": "secret"}},
        "workloadIdentity": {"serviceAccountRef": {"name": "entra"}},
    }
    spec = {
        "tenant": {"credentials": {"clientCertificate": None, kept: named[kept]}},
        "exchange": {"connection": {"caSecretRef": {"name": "corp-ca", "key": "ca.crt"}}},
    }
    changed = parse_resource(
        given.with_given(resource(spec), {"--username": {}, "--client-certificate": {}})
    )
    assert changed.tenant.credentials is not None
    assert changed.tenant.credentials.certificate_secret == "--client-certificate"
    assert changed.tenant.credentials.client_secret is None
    assert changed.tenant.credentials.service_account is None
    assert changed.connection.credentials_secret == "--username"
    assert changed.connection.ca_secret is None


def test_without_a_cluster_there_is_nothing_but_what_was_given() -> None:
    secrets = given.GivenSecrets({"--username": {"username": b"x"}})
    assert secrets.read("exchange", "--username")[0] == {"username": b"x"}
    with pytest.raises(Refused, match="corp-ca is not given"):
        secrets.read("exchange", "corp-ca")
    with pytest.raises(Refused, match="--client-certificate"):
        secrets.token("exchange", "entra", "api://AzureADTokenExchange")
