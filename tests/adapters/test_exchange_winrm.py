"""The adapter over pywinrm, against the lab's WinRM servers: real HTTP, NTLM, TLS, encryption."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from adapters.meddler import Meddler, Reply
from exchange_push_operator.adapters.exchange_winrm import WinRMExchanges
from exchange_push_operator.adapters.kerberos import NO_KERBEROS
from exchange_push_operator.adapters.winrm_transport import Wire, open_wire
from exchange_push_operator.core.commands import Cmdlet, cmdlet
from exchange_push_operator.core.errors import (
    OutcomeUnknown,
    PushError,
    Refused,
    SpecError,
    Throttled,
    Unreachable,
)
from exchange_push_operator.core.ports import Answer, Exchange, ExchangeAccess, Sensitive
from exchange_push_operator.core.reasons import Reason
from lab.exchange.accounts import Accounts
from lab.exchange.build import default_organization
from lab.exchange.faults import set_fault
from lab.exchange.shells import WinRMService
from lab.exchange.winrm import WinRMServer
from lab.network.ca import PrivateCA
from lab.wait import until

if TYPE_CHECKING:
    from exchange_push_operator.adapters.kerberos_tickets import Tickets

pytestmark = pytest.mark.lab

EX1 = "ex1.corp.fabrikam.com"
ACCOUNT, PASSWORD = "CORP\\svc-epo", "Grün & Blau"
LOOKS = (
    cmdlet("Get-OrganizationConfig"),
    cmdlet("Get-AuthConfig"),
    cmdlet("Get-AuthServer"),
    cmdlet("Enable-PushNotificationProxy", WhatIf=True),
    cmdlet("Get-LocalExchangeServer"),
    cmdlet("Get-LocalCertificate"),
)
CHANGE = (cmdlet("Set-PartnerApplication", Identity="Exchange Online", Enabled=True),)


# What pywinrm would take for the answer to Create.
FORGED = b'<Body><ShellId Name="ShellId">1</ShellId></Body>'


class Site:
    """One Exchange server behind real listeners, and a pool that finds it on this machine."""

    def __init__(self, folder: Path, things: ExitStack) -> None:
        self.organization = default_organization()
        self.accounts = Accounts({ACCOUNT: PASSWORD})
        things.callback(self.accounts.close)
        self.service = WinRMService(self.organization, EX1, self.accounts)
        self.ca = PrivateCA()
        self.ca_file = str(self.ca.write(folder / "ca.pem"))
        self.folder = folder
        self.things = things
        self.http = things.enter_context(WinRMServer(self.service, "http"))
        self.https = self.listen("localhost")
        self.pool = self.make_pool()

    def listen(self, name: str) -> WinRMServer:
        """An HTTPS listener with a certificate for this name."""
        tls = self.ca.issue([name]).server_context(self.folder)
        return self.things.enter_context(WinRMServer(self.service, "https", tls))

    def make_pool(self, ca_file: str | None = None) -> WinRMExchanges:
        pool = WinRMExchanges(ca_file, protocol_factory=on_this_machine)
        self.things.callback(pool.close)
        return pool

    def access(
        self,
        port: int = 0,
        *,
        scheme: str = "HTTP",
        password: str = PASSWORD,
        transport: str = "NTLM",
        ca_pem: str | None = None,
    ) -> ExchangeAccess:
        port = port or (self.https if scheme == "HTTPS" else self.http).port
        secret = Sensitive.of(password)
        return ExchangeAccess(transport, scheme, port, ACCOUNT, secret, ca_pem, "1")

    def exchange(self) -> Exchange:
        return self.pool.connect(self.access())

    def look(self) -> tuple[Answer, ...]:
        return self.exchange().run(EX1, LOOKS)

    def change(self) -> tuple[Answer, ...]:
        return self.exchange().run(EX1, CHANGE, changes=True)

    def fault(self, name: str, value: object = 1) -> None:
        set_fault(self.organization, name, value)

    def refusal(self, access: ExchangeAccess, pool: WinRMExchanges | None = None) -> PushError:
        with pytest.raises(PushError) as caught:
            (pool or self.pool).connect(access).run(EX1, LOOKS)
        return caught.value


def on_this_machine(
    server: str, access: ExchangeAccess, ca_path: str, tickets: Tickets | None
) -> Wire:
    del server
    return open_wire("localhost", access, ca_path, tickets)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as things:
        yield Site(tmp_path, things)


def test_a_pass_over_encrypted_messages_costs_one_shell_one_process_one_session(
    site: Site,
) -> None:
    answers = site.look()
    assert [answer.error for answer in answers] == [None] * len(LOOKS)
    assert answers[0].rows[0]["Guid"]
    site.look()
    site.change()
    seen = site.service.counters
    assert (seen["Create"], seen["processes"], seen["sessions"]) == (1, 1, 1)
    assert (seen["Command"], seen["Send"]) == (1, 3)
    # the ready line may come alone or with the first answer
    assert seen["Receive"] in (3, 4)
    assert site.pool.counters["requests"] == 5 + seen["Receive"]
    site.pool.close()
    assert site.service.open_shells == 0
    assert site.service.open_processes == 0


@pytest.mark.parametrize("authority", ["of the resource", "of the operator"])
def test_a_pass_over_tls(site: Site, authority: str) -> None:
    of_resource = authority == "of the resource"
    pool = site.make_pool(None if of_resource else site.ca_file)
    ca_pem = site.ca.pem().decode() if of_resource else None
    access = site.access(scheme="HTTPS", ca_pem=ca_pem)
    assert len(pool.connect(access).run(EX1, LOOKS)) == len(LOOKS)


def test_the_environment_has_no_say(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, "/nonexistent")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    site.look()
    pool = site.make_pool(site.ca_file)
    pool.connect(site.access(scheme="HTTPS")).run(EX1, LOOKS)


def test_a_certificate_of_an_unknown_ca_is_refused_with_the_cure(site: Site) -> None:
    error = site.refusal(site.access(scheme="HTTPS"))
    assert isinstance(error, Refused)
    assert error.reason is Reason.ACCESS_DENIED
    assert EX1 in str(error)
    assert "caSecretRef" in str(error)
    assert "--ca-file" in str(error)
    assert site.accounts.attempts.snapshot() == {}


def test_a_certificate_for_another_name_is_refused(site: Site) -> None:
    other = site.listen("ex7.corp.fabrikam.com")
    error = site.refusal(site.access(other.port, scheme="HTTPS"), site.make_pool(site.ca_file))
    assert isinstance(error, Refused)
    assert "listener" in str(error)
    assert site.accounts.attempts.snapshot() == {}


@pytest.mark.parametrize(
    "pem", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----"]
)
def test_a_ca_secret_without_certificates_is_said_to_be(site: Site, pem: str) -> None:
    error = site.refusal(site.access(scheme="HTTPS", ca_pem=pem))
    assert isinstance(error, Refused)
    assert error.reason is Reason.SECRET_INVALID


def test_a_port_without_tls_is_told_apart(site: Site) -> None:
    error = site.refusal(site.access(site.http.port, scheme="HTTPS"))
    assert isinstance(error, Unreachable)
    assert "no TLS" in str(error)


def test_a_port_where_nobody_listens_is_told_apart(site: Site) -> None:
    site.http.stop()
    error = site.refusal(site.access(site.http.port))
    assert isinstance(error, Unreachable)
    assert "nothing listens" in str(error)


def test_a_name_that_does_not_resolve_is_told_apart(site: Site) -> None:
    pool = WinRMExchanges()
    access = site.access()
    with pytest.raises(Unreachable, match=r"does not resolve; check spec\.exchange\.servers"):
        pool.connect(access).run("ex1.invalid", LOOKS)


def test_a_wrong_password_reaches_the_server_once(site: Site) -> None:
    access = site.access(password="wrong")
    first = site.refusal(access)
    assert isinstance(first, Refused)
    assert first.reason is Reason.ACCESS_DENIED
    assert ACCOUNT in str(first)
    assert str(site.refusal(access)) == str(first)
    assert site.accounts.failures.snapshot() == {ACCOUNT: 1}


def test_kerberos_needs_its_extra(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "exchange_push_operator.adapters.kerberos_tickets", None)
    error = site.refusal(site.access(transport="Kerberos"))
    assert isinstance(error, SpecError)
    assert str(error) == NO_KERBEROS


@pytest.mark.parametrize(
    "fault", ["lost_answers", "http_400", "http_500", "receive_timeout", "send_fault_delivered"]
)
def test_a_fault_on_the_way_changes_nothing(site: Site, fault: str) -> None:
    site.look()
    site.fault(fault)
    site.look()
    site.fault(fault)
    assert site.change()[0].error is None
    assert site.service.counters["processes"] == 1


def test_connections_that_the_server_dropped_are_made_anew(site: Site) -> None:
    site.look()
    site.http.hang_up()
    assert site.change()[0].error is None
    assert site.service.counters["processes"] == 1


def test_a_lost_shell_is_replaced_for_a_look(site: Site) -> None:
    site.look()
    site.fault("lose_shells")
    site.look()
    assert site.service.counters["processes"] == 2


@pytest.mark.parametrize("fault", ["die_before_change", "die_after_change", "lose_shells"])
def test_a_change_without_an_answer_is_unknown(site: Site, fault: str) -> None:
    site.look()
    site.fault(fault)
    with pytest.raises(OutcomeUnknown):
        site.change()
    assert site.change()[0].error is None


def test_a_stuck_cmdlet_is_named_and_its_process_dropped(site: Site) -> None:
    site.fault("stuck_cmdlet", "Get-AuthServer")
    with pytest.raises(Unreachable, match="Get-AuthServer does not end"):
        site.look()
    site.fault("stuck_cmdlet", "")
    site.look()
    assert site.service.counters["processes"] == 2


def test_a_quota_is_a_pause(site: Site) -> None:
    site.fault("quota", value=True)
    with pytest.raises(Throttled):
        site.look()


def test_the_second_hop_has_a_reason_of_its_own(site: Site) -> None:
    site.fault("second_hop_refused", value=True)
    with pytest.raises(Refused) as caught:
        site.look()
    assert caught.value.reason is Reason.SECOND_HOP_FAILED
    assert ACCOUNT in str(caught.value)


def test_a_server_without_iis_is_away_and_setup_is_named_as_the_cause(site: Site) -> None:
    site.fault("iis_down", value=True)
    with pytest.raises(Unreachable, match="IIS"):
        site.look()
    site.fault("setup_running", value=True)
    with pytest.raises(Unreachable, match="Setup is running"):
        site.look()


def test_a_cmdlet_that_is_not_granted_is_an_answer(site: Site) -> None:
    site.fault("denied_cmdlets", ["Get-AuthServer"])
    answers = dict(zip(LOOKS, site.look(), strict=True))
    error = answers[cmdlet("Get-AuthServer")].error
    assert error is not None
    assert error.kind == "CommandNotFoundException"
    assert answers[cmdlet("Get-AuthConfig")].error is None


def test_dates_and_certificates_arrive_as_text(site: Site) -> None:
    answers: dict[Cmdlet, Answer] = dict(zip(LOOKS, site.look(), strict=True))
    (server,) = answers[cmdlet("Get-LocalExchangeServer")].rows
    assert str(server["HealthManagerStartedUTC"]).endswith("Z")
    assert server["SetupRunning"] is False
    assert all(row["RawData"] for row in answers[cmdlet("Get-LocalCertificate")].rows)


def test_an_idle_process_is_closed(site: Site) -> None:
    site.pool.start()
    site.look()
    site.pool.close_idle(now=float("inf"))
    until(lambda: site.service.open_shells == 0, 5, "the shell to be deleted")


def test_a_bug_in_the_housekeeping_does_not_end_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked: list[float] = []

    def stumbles() -> float:
        asked.append(1.0)
        raise ZeroDivisionError

    pool = WinRMExchanges(clock=stumbles)
    pool.start(every=0.01)
    until(lambda: len(asked) > 1, 5, "it to go on")
    pool.close()
    assert "a bug kept idle PowerShell processes open" in caplog.text


def test_no_password_and_no_ntlm_message_is_ever_logged(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    site.look()
    site.fault("lost_answers")
    site.look()
    site.fault("second_hop_refused", value=True)
    site.refusal(site.access())
    site.refusal(site.access(password="wrong-password"))
    assert "host started" in caplog.text
    for secret in (PASSWORD, "wrong-password", "TlRMTVNTUA"):
        assert secret not in caplog.text


def test_an_answer_in_clear_is_not_believed(site: Site) -> None:
    def forge(reply: Reply) -> Reply:
        if "multipart/encrypted" in reply[1].get("Content-Type", ""):
            return 200, {"Content-Type": "application/soap+xml;charset=UTF-8"}, FORGED
        return reply

    with Meddler(site.http.port, forge) as meddler:
        error = site.refusal(site.access(meddler.port))
    assert isinstance(error, Unreachable)
    assert "unencrypted" in str(error)
    assert site.service.counters["Command"] == 0
    site.service.close()  # who stood between kept the shell's id; IdleTimeout would remove it


def test_a_redirect_does_not_lead_the_credential_elsewhere(site: Site) -> None:
    other = Accounts({ACCOUNT: PASSWORD})
    elsewhere = WinRMService(site.organization, EX1, other)
    with WinRMServer(elsewhere, "http") as trap:

        def lead_away(reply: Reply) -> Reply:
            where = {"Location": f"http://localhost:{trap.port}/wsman"}
            return (307, where, b"") if reply[0] == 200 else reply

        with Meddler(site.http.port, lead_away) as meddler:
            error = site.refusal(site.access(meddler.port))
    other.close()
    assert isinstance(error, Unreachable)
    assert other.attempts.snapshot() == {}
    assert elsewhere.counters.snapshot() == {}
