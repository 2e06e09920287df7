"""The operator's own adapter and a real WinRM of Windows, on the machine that runs the tests.

`hack/enable_winrm.ps1` makes a throw-away machine ready. There is no Exchange on it: what needs
none runs as shipped; for the rest the lab's prelude goes before stage 0 (lab.exchange.pwsh).
"""

from __future__ import annotations

import base64
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from exchange_push_operator.adapters.exchange_winrm import WinRMExchanges
from exchange_push_operator.adapters.winrm_transport import Wire, open_wire
from exchange_push_operator.core.commands import cmdlet
from exchange_push_operator.core.errors import Refused, Unreachable
from exchange_push_operator.core.ports import Exchange, ExchangeAccess, Sensitive
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.timestamps import parse_utc
from exchange_push_operator.core.x509 import read_certificate
from lab.exchange.accounts import Accounts
from lab.exchange.build import DOMAIN, add_auth_certificate, add_server
from lab.exchange.counters import Counters
from lab.exchange.directory import AuthConfig
from lab.exchange.host import Host
from lab.exchange.pwsh.broker import Broker
from lab.exchange.pwsh.process import with_prelude
from lab.exchange.pwsh.stubs import prelude
from lab.in_process import Lab, Operator, lab

if TYPE_CHECKING:
    from exchange_push_operator.adapters.kerberos_tickets import Tickets

ACCOUNT, PASSWORD, CA = (
    os.environ.get(f"LAB_WINRM_{name}", "") for name in ("ACCOUNT", "PASSWORD", "CA")
)
pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not ACCOUNT, reason="no real WinRM: LAB_WINRM_ACCOUNT is not set"),
]

COMPUTER = socket.gethostname().upper()
SERVER = f"{COMPUTER}.{DOMAIN}".lower()
LISTENERS = {"HTTPS": 5986, "HTTP": 5985}


@pytest.fixture
def things() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def on_this_machine(
    server: str, access: ExchangeAccess, ca_path: str, tickets: Tickets | None
) -> Wire:
    del server
    return open_wire("localhost", access, ca_path, tickets)


def access(scheme: str, password: str = PASSWORD) -> ExchangeAccess:
    secret = Sensitive.of(password)
    return ExchangeAccess("NTLM", scheme, LISTENERS[scheme], ACCOUNT, secret, None, "1")


@pytest.fixture(params=LISTENERS)
def exchange(request: pytest.FixtureRequest, things: ExitStack) -> Exchange:
    """The computer as it is, over each listener."""
    pool = WinRMExchanges(CA, protocol_factory=on_this_machine)
    things.callback(pool.close)
    return pool.connect(access(request.param))


def test_what_needs_no_exchange_runs_as_shipped(exchange: Exchange) -> None:
    looks = (cmdlet("Get-LocalExchangeServer"), cmdlet("Get-LocalCertificate"))
    local, certificates = exchange.run(SERVER, looks)
    assert local.error is None
    (row,) = local.rows
    assert row["Name"] == COMPUTER
    assert row["Version"] is None  # Exchange is not installed
    assert row["HealthManagerStartedUTC"] is None
    assert parse_utc(row["TimeUTC"]).year > 2025
    assert certificates.error is None
    for held in certificates.rows:
        read = read_certificate(base64.b64decode(held["RawData"]))
        assert read is not None
        assert read.thumbprint == held["Thumbprint"]


def test_without_exchange_its_endpoint_is_unreachable(exchange: Exchange) -> None:
    with pytest.raises(Unreachable, match="Exchange is not installed there"):
        exchange.run(SERVER, (cmdlet("Get-LocalExchangeServer"), cmdlet("Get-AuthConfig")))


def test_a_wrong_password_is_turned_down(things: ExitStack) -> None:
    pool = WinRMExchanges(CA, protocol_factory=on_this_machine)
    things.callback(pool.close)
    with pytest.raises(Refused) as caught:
        pool.connect(access("HTTPS", "wrong")).run(SERVER, (cmdlet("Get-LocalCertificate"),))
    assert caught.value.reason is Reason.ACCESS_DENIED


class _WithPrelude:
    """A wire that has the lab's prelude run before what it is asked to run."""

    def __init__(self, wire: Wire, script: Path) -> None:
        self._wire = wire
        self._script = script

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wire, name)

    def run_command(self, shell_id: str, command: str, *, console_mode_stdin: bool) -> str:
        changed = with_prelude(command, self._script)
        return self._wire.run_command(shell_id, changed, console_mode_stdin=console_mode_stdin)


def test_a_walk_over_real_winrm_and_windows_powershell_ends_ready(
    things: ExitStack, tmp_path: Path
) -> None:
    outside = organization_of_this_computer()
    model = outside.organization
    accounts = Accounts({ACCOUNT: PASSWORD})
    things.callback(accounts.close)
    host = Host(model, model.server(SERVER), accounts, Counters())
    broker = things.enter_context(Broker(host, lambda: None))
    script = tmp_path / "prelude.ps1"
    script.write_text(prelude(broker.address), "ascii")

    def wire(server: str, access: ExchangeAccess, ca_path: str, tickets: Tickets | None) -> Wire:
        real = on_this_machine(server, access, ca_path, tickets)
        return cast("Wire", _WithPrelude(real, script))

    pool = WinRMExchanges(CA, protocol_factory=wire)
    things.callback(pool.close)
    operator = Operator(outside)
    operator.world = replace(operator.world, exchange=pool.connect)
    operator.run()
    assert outside.condition("Ready") == ("True", "Succeeded")


def organization_of_this_computer() -> Lab:
    """One server, which has the computer's name: the operator looks at who answers."""
    outside = lab({"exchange": {"servers": [{"name": SERVER}]}}, servers=0, auth_certificate=False)
    add_server(outside.organization, COMPUTER)
    view = outside.organization.view()
    view.put(AuthConfig(current=add_auth_certificate(outside.organization)))
    secret = {"username": ACCOUNT.encode(), "password": PASSWORD.encode()}
    outside.secrets["fabrikam-exchange"] = secret
    return outside
