"""The host script as a signed file on the server: run, and refused, through the whole adapter."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from exchange_push_operator.adapters.exchange_winrm import WinRMExchanges
from exchange_push_operator.adapters.winrm_transport import Wire, open_wire
from exchange_push_operator.core.commands import cmdlet
from exchange_push_operator.core.errors import Refused
from exchange_push_operator.core.ports import Answer, ExchangeAccess, Sensitive
from exchange_push_operator.core.reasons import Reason
from lab.exchange.accounts import Accounts
from lab.exchange.build import default_organization
from lab.exchange.faults import set_fault
from lab.exchange.shells import WinRMService
from lab.exchange.texts import CULTURES
from lab.exchange.winrm import WinRMServer

if TYPE_CHECKING:
    from exchange_push_operator.adapters.kerberos_tickets import Tickets

pytestmark = pytest.mark.lab

EX1 = "ex1.corp.fabrikam.com"
ACCOUNT, PASSWORD = "CORP\\svc-epo", "Passw0rd!"
LOOKS = (cmdlet("Get-AuthConfig"), cmdlet("Get-LocalExchangeServer"))
CHANGE = (cmdlet("Set-PartnerApplication", Identity="Exchange Online", Enabled=True),)


class Site:
    """One Exchange server with a file, or none, where the host script is installed."""

    def __init__(self, things: ExitStack) -> None:
        self.organization = default_organization(servers=1)
        accounts = Accounts({ACCOUNT: PASSWORD})
        things.callback(accounts.close)
        self.service = WinRMService(self.organization, EX1, accounts)
        self.port = things.enter_context(WinRMServer(self.service, "http")).port
        self.pool = WinRMExchanges(protocol_factory=on_this_machine)
        things.callback(self.pool.close)

    def access(self, *, installed: bool = True) -> ExchangeAccess:
        secret = Sensitive.of(PASSWORD)
        return ExchangeAccess(
            "NTLM", "HTTP", self.port, ACCOUNT, secret, None, "1", host_installed=installed
        )

    def look(self, *, installed: bool = True) -> tuple[Answer, ...]:
        return self.pool.connect(self.access(installed=installed)).run(EX1, LOOKS)

    def file(self, state: str) -> None:
        set_fault(self.organization, "host_script", state)

    def refusal(self) -> str:
        with pytest.raises(Refused) as caught:
            self.look()
        assert caught.value.reason is Reason.HOST_SCRIPT_REFUSED
        assert EX1 in str(caught.value)
        return str(caught.value)


def on_this_machine(
    server: str, access: ExchangeAccess, ca_path: str, tickets: Tickets | None
) -> Wire:
    del server
    return open_wire("localhost", access, ca_path, tickets)


@pytest.fixture
def site() -> Iterator[Site]:
    with ExitStack() as things:
        yield Site(things)


def test_the_installed_script_does_what_the_streamed_one_does(site: Site) -> None:
    site.file("installed")
    assert [answer.error for answer in site.look()] == [None, None]
    (answer,) = site.pool.connect(site.access()).run(EX1, CHANGE, changes=True)
    assert answer.error is None
    assert site.service.counters["processes"] == 1
    site.pool.close()
    assert site.service.open_shells == 0


def test_a_server_without_the_file_is_refused_with_the_cure(site: Site) -> None:
    text = site.refusal()
    assert "no host script at %ProgramFiles%\\Exchange Push Operator" in text
    assert "Install-ExchangePushHost.ps1" in text
    assert "hostScript: Streamed" in text


@pytest.mark.parametrize("culture", CULTURES)
def test_a_file_that_powershell_does_not_run_is_refused_in_any_language(
    site: Site, culture: str
) -> None:
    site.file("unsigned")
    set_fault(site.organization, "culture", culture)
    text = site.refusal()
    assert "not signed, altered since, or its publisher is not trusted" in text
    assert "Install-ExchangePushHost.ps1 -Check" in text


def test_another_version_hears_no_password(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    site.file("other")
    text = site.refusal()
    assert "is another version" in text
    assert "install the one of this operator" in text
    assert site.service.counters["host.login"] == 0
    assert site.service.counters["Send"] == 0
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize("state", ["missing", "unsigned", "other"])
def test_nothing_is_left_of_a_refusal_and_the_cure_is_seen(site: Site, state: str) -> None:
    site.file(state)
    site.refusal()
    assert site.service.open_shells == 0
    site.file("installed")
    site.look()


def test_a_resource_that_streams_does_not_get_the_process_of_one_that_calls_the_file(
    site: Site,
) -> None:
    site.file("installed")
    site.look()
    site.look(installed=False)
    assert site.service.counters["processes"] == 2
