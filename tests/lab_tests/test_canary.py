"""The finder of secrets finds: in every kind of output, in every spelling."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from exchange_push_operator import log
from exchange_push_operator.adapters.winrm_transport import open_wire
from exchange_push_operator.core.config import RECONCILE_REQUESTED_AT
from exchange_push_operator.core.errors import Unreachable
from exchange_push_operator.core.ports import ExchangeAccess, Request, Sensitive
from exchange_push_operator.handlers.metrics import Metrics
from lab.canary import CANARIES, KINDS, Canaries
from lab.exchange.accounts import Accounts
from lab.exchange.build import default_organization
from lab.exchange.certificates import Mint
from lab.exchange.organization import ACCOUNT
from lab.exchange.shells import WinRMService
from lab.exchange.winrm import WinRMServer
from lab.in_process import BY_SECRET, ISSUER, PASSWORD, Lab, lab
from lab.microsoft365.sample import SECRET, client_key_pem
from lab.network.redirect import Redirect
from lab.operator_process import OperatorProcess
from lab.processes import Processes

pytestmark = pytest.mark.lab

LOGGER = logging.getLogger("exchange_push_operator.canary")


@pytest.fixture
def outside() -> Lab:
    return lab(BY_SECRET)


def lose() -> None:
    raise Unreachable(f"no answer to {PASSWORD}")


def finds() -> set[str]:
    return set(CANARIES.take())


def test_a_secret_in_a_status_is_found(outside: Lab) -> None:
    outside.resource["metadata"]["annotations"] = {RECONCILE_REQUESTED_AT: PASSWORD}
    outside.operator().run()
    assert finds() == {"password in status"}


def test_a_secret_in_an_event_is_found(outside: Lab) -> None:
    outside.resource["spec"]["tenant"]["domain"] = f"{PASSWORD}.com"
    outside.operator().run()
    assert "password in event" in finds()


def test_a_secret_in_the_audit_is_found(outside: Lab) -> None:
    outside.resource["metadata"]["uid"] = PASSWORD
    outside.operator().run()
    assert finds() == {"password in audit"}


def test_a_secret_in_an_exception_is_found(outside: Lab) -> None:
    operator = outside.operator()
    operator.before = lose
    operator.step()
    assert "password in exception" in finds()


def test_a_secret_in_the_log_is_found(outside: Lab) -> None:
    del outside
    LOGGER.debug("signing in with %s", PASSWORD)
    assert finds() == {"password in log"}


def test_a_secret_in_a_line_of_the_audit_is_found(outside: Lab) -> None:
    del outside
    log.audit("pod-1")({"cmdlet": "Set-Password", "parameters": {"Password": PASSWORD}})
    assert finds() == {"password in audit"}


def test_a_secret_in_an_exception_that_is_logged_is_found(outside: Lab) -> None:
    del outside
    try:
        lose()
    except Unreachable:
        LOGGER.exception("a bug ended the pass")
    assert finds() == {"password in log", "password in exception"}


def test_a_secret_in_a_metric_is_found(outside: Lab) -> None:
    del outside
    metrics = Metrics()
    metrics.requested(Request("exchange", PASSWORD, "ok", 0.1))
    CANARIES.show("metrics", metrics.render().decode())
    assert finds() == {"password in metrics"}


def test_a_secret_in_a_command_line_and_in_what_a_process_prints_is_found(
    outside: Lab, tmp_path: Path
) -> None:
    del outside
    with Processes() as processes:
        operator = OperatorProcess(processes, Redirect(tmp_path))
        with pytest.raises(AssertionError, match="did not start"):
            operator.start([f"--policy={PASSWORD}"])
    assert finds() == {"password in log", "password in process list"}


@pytest.mark.parametrize("encoded", [False, True], ids=["plain", "encoded"])
def test_a_secret_in_a_command_line_on_an_exchange_server_is_found(
    encoded: bool,  # noqa: FBT001 - a table's column
) -> None:
    accounts = Accounts({ACCOUNT: PASSWORD})
    service = WinRMService(default_organization(), "ex1.corp.fabrikam.com", accounts)
    script = base64.b64encode(f"$p = '{PASSWORD}'".encode("utf-16-le")).decode()
    command = f"-EncodedCommand {script}" if encoded else f"-Password {PASSWORD}"
    with WinRMServer(service, "http") as server, closing(accounts):
        access = ExchangeAccess(
            "NTLM", "HTTP", server.port, ACCOUNT, Sensitive.of(PASSWORD), None, "1"
        )
        wire = open_wire("localhost", access, "", None)
        shell = wire.open_shell(codepage=65001, idle_timeout="PT180S")
        wire.run_command(shell, f"powershell.exe {command}", console_mode_stdin=False)
        wire.close_shell(shell)
        wire.transport.close_session()
    assert finds() == {"password in process list"}


@pytest.mark.parametrize(
    "spelt",
    [
        str,
        lambda secret: quote(secret, safe=""),
        lambda secret: base64.b64encode(secret.encode()).decode(),
        lambda secret: f"-Password '{secret}'",
    ],
    ids=["plain", "in a form", "base64", "in a command"],
)
@pytest.mark.parametrize("secret", ["Grün & Blau", SECRET])
def test_a_secret_is_found_however_it_is_spelt(secret: str, spelt: Callable[[str], str]) -> None:
    canaries = Canaries()
    canaries.plant("password", secret)
    canaries.show("log", spelt(secret))
    assert canaries.take() == ["password in log"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_is_found_whoever_issued_it(kind: str, outside: Lab) -> None:
    canaries = Canaries()
    canaries.show(kind, {"assertion": ISSUER.token("system:x", "api://y", outside.clock())})
    assert canaries.take() == [f"token in {kind}"]


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_private_key_is_found_as_pem(form: PrivateFormat) -> None:
    canaries = Canaries()
    pem = Mint().key().private_bytes(Encoding.PEM, form, NoEncryption()).decode()
    canaries.show("status", pem)
    assert canaries.take() == ["private key in status"]


def test_a_private_key_is_found_without_its_first_line() -> None:
    canaries, key = Canaries(), Mint().key()
    canaries.plant_key("key of ex1", key)
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    for text in (base64.b64encode(der).decode(), "\n".join(body(key))):
        canaries.show("status", text)
        assert canaries.take() == ["key of ex1 in status"]


def body(key: rsa.RSAPrivateKey) -> list[str]:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return pem.splitlines()[1:-1]


def test_the_secrets_of_the_lab_are_planted(outside: Lab) -> None:
    del outside
    for secret in (PASSWORD, SECRET, client_key_pem().decode()):
        CANARIES.show("log", secret)
        assert finds()


def test_what_is_public_is_no_find(outside: Lab) -> None:
    outside.operator().run()
    CANARIES.show("log", outside.exchange())
    CANARIES.show("log", outside.key_credentials())
    assert finds() == set()
