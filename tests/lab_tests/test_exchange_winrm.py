"""The lab's WinRM endpoint, driven by the real pywinrm."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests
from winrm.exceptions import (
    InvalidCredentialsError,
    WinRMOperationTimeoutError,
    WinRMTransportError,
    WSManFaultError,
)
from winrm.protocol import Protocol

from exchange_push_operator.adapters.host_script import bootstrap
from exchange_push_operator.adapters.powershell_host import (
    Message,
    decode,
    encode_login,
    encode_run,
)
from exchange_push_operator.core.commands import Cmdlet, cmdlet
from exchange_push_operator.core.ports import Sensitive
from lab.exchange.accounts import Accounts
from lab.exchange.build import default_organization
from lab.exchange.faults import set_fault
from lab.exchange.shells import WinRMService
from lab.exchange.winrm import WinRMServer
from lab.network.ca import PrivateCA

pytestmark = pytest.mark.lab

ACCOUNT, PASSWORD = "CORP\\svc-epo", "Passw0rd!"
FQDN = "ex1.corp.fabrikam.com"
ENABLE = cmdlet("Enable-PushNotificationProxy", Organization="fabrikam.com", Confirm=False)


class Client:
    """One shell with one command, as the operator uses them."""

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self.rest = b""

    def start(self, command: str = "", first: bytes = b"") -> Message | None:
        self.shell = self.protocol.open_shell(codepage=65001, idle_timeout="PT1800S")
        self.command = self.protocol.run_command(
            self.shell, command or bootstrap().command_line, console_mode_stdin=False
        )
        if command:
            return None
        self.send(first or bootstrap().first_line)
        return self.read()

    def send(self, data: bytes, *, end: bool = False) -> None:
        self.protocol.send_command_input(self.shell, self.command, data, end=end)

    def receive(self) -> tuple[bytes, bytes, int, bool]:
        found: tuple[bytes, bytes, int, bool] = self.protocol.get_command_output_raw(
            self.shell, self.command
        )
        return found

    def read(self) -> Message:
        """The next line that is an answer."""
        while True:
            line, end, rest = self.rest.partition(b"\n")
            message = decode(line) if end else None
            self.rest = rest
            if not end:
                self.rest = line + self._more()
            elif message is not None:
                return message

    def _more(self) -> bytes:
        output, _, code, done = self.receive()
        if done:
            raise EOFError(output, code)
        return output

    def login(self) -> Message:
        self.send(encode_login("l", FQDN, ACCOUNT, Sensitive.of(PASSWORD)))
        return self.read()

    def run(self, *batch: Cmdlet, identifier: str = "r") -> Message:
        self.send(encode_run(identifier, batch, stop_on_error=False))
        return self.read()

    def close(self) -> None:
        self.protocol.close_shell(self.shell)


@pytest.fixture
def service() -> Iterator[WinRMService]:
    accounts = Accounts({ACCOUNT: PASSWORD, "CORP\\other": PASSWORD})
    yield WinRMService(default_organization(servers=1), FQDN, accounts)
    accounts.close()


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    folder, ca = tmp_path_factory.mktemp("tls"), PrivateCA()
    context = ca.issue(["localhost", "127.0.0.1"]).server_context(folder)
    return context, str(ca.write(folder / "ca.pem"))


@pytest.fixture(params=["https", "http"])
def listener(
    request: pytest.FixtureRequest, service: WinRMService, tls: tuple[ssl.SSLContext, str]
) -> Iterator[WinRMServer]:
    context = tls[0] if request.param == "https" else None
    with WinRMServer(service, request.param, context) as running:
        yield running
        service.close()  # what a test of WS-Management itself has left open


@pytest.fixture
def connect(
    listener: WinRMServer, tls: tuple[ssl.SSLContext, str]
) -> Iterator[Callable[..., Client]]:
    with ExitStack() as stack:

        def make(username: str = ACCOUNT, password: str = PASSWORD, **options: Any) -> Client:
            protocol = Protocol(
                f"{listener.scheme}://localhost:{listener.port}/wsman",
                transport="ntlm",
                username=username,
                password=password,
                ca_trust_path=tls[1],
                proxy=None,
                **options,
            )
            stack.callback(protocol.transport.close_session)
            return Client(protocol)

        yield make


def test_a_whole_life_leaves_nothing_open(
    service: WinRMService, connect: Callable[..., Client]
) -> None:
    client = connect()
    ready = client.start()
    assert ready is not None
    assert (ready["host"], ready["version"]) == ("EX1", bootstrap().sha256)
    assert client.login()["ok"] is True
    assert client.run(cmdlet("Get-AuthConfig"))["results"][0]["ok"] is True
    assert (service.open_shells, service.open_processes) == (1, 1)
    client.close()
    assert (service.open_shells, service.open_processes) == (0, 0)
    counted = service.counters.snapshot()
    wanted = {"Create": 1, "Command": 1, "Send": 3, "Receive": 3, "Delete": 1, "auth": 2}
    wanted |= {"processes": 1, "sessions": 1, "host.login": 1, "host.run": 1}
    assert counted == wanted


@pytest.mark.parametrize("username", [ACCOUNT, "corp\\SVC-EPO", "svc-epo@corp.fabrikam.com"])
def test_an_account_may_be_written_in_each_form(
    connect: Callable[..., Client], username: str
) -> None:
    assert connect(username).start() is not None


def test_a_wrong_password_is_turned_down_and_counted(
    service: WinRMService, connect: Callable[..., Client]
) -> None:
    with pytest.raises(InvalidCredentialsError):
        connect(password="wrong").start()
    assert service.accounts.failures.snapshot() == {ACCOUNT: 1}
    assert service.accounts.attempts[ACCOUNT] == 1
    assert service.open_shells == 0


def test_an_unknown_account_is_turned_down(connect: Callable[..., Client]) -> None:
    with pytest.raises(InvalidCredentialsError):
        connect("CORP\\nobody").start()


def test_a_changed_password_counts_at_the_next_sign_in(
    service: WinRMService, connect: Callable[..., Client]
) -> None:
    service.accounts.set_password(ACCOUNT, "another")
    with pytest.raises(InvalidCredentialsError):
        connect().start()
    assert connect(password="another").start() is not None


@pytest.mark.parametrize("command", ["ipconfig", "powershell.exe -Command Get-Date"])
def test_a_command_that_is_not_the_bootstrap_exits_1(
    service: WinRMService, connect: Callable[..., Client], command: str
) -> None:
    client = connect()
    client.start(command)
    stdout, stderr, code, done = client.receive()
    assert stdout == b""
    assert stderr.strip() == b"this lab serves only the bootstrap of the operator"
    assert (code, done) == (1, True)
    client.close()
    assert service.open_shells == 0


@pytest.mark.parametrize("first", [b"aGVsbG8=\n", b"\n", b"no base64\n"])
def test_a_script_with_another_hash_is_not_run(
    connect: Callable[..., Client], first: bytes
) -> None:
    client = connect()
    with pytest.raises(EOFError) as caught:
        client.start(first=first)
    assert caught.value.args == (b"!hash\n", 97)


def test_the_end_of_standard_input_ends_the_process(connect: Callable[..., Client]) -> None:
    client = connect()
    client.start()
    client.send(b"", end=True)
    assert client.receive()[2:] == (0, True)


def test_a_receive_without_output_times_out(connect: Callable[..., Client]) -> None:
    client = connect(operation_timeout_sec=1, read_timeout_sec=20)
    client.start()
    with pytest.raises(WinRMOperationTimeoutError):
        client.receive()
    assert client.login()["ok"] is True


def test_a_shell_belongs_to_who_opened_it(connect: Callable[..., Client]) -> None:
    client, other = connect(), connect("CORP\\other")
    client.start()
    with pytest.raises(WSManFaultError) as caught:
        other.protocol.get_command_output_raw(client.shell, client.command)
    assert caught.value.wsman_fault_code == 2150859177


def test_a_signal_ends_the_command(service: WinRMService, connect: Callable[..., Client]) -> None:
    client = connect()
    client.start()
    client.protocol.cleanup_command(client.shell, client.command)
    assert (service.open_shells, service.open_processes) == (1, 0)


def test_milliseconds_are_no_idle_timeout(connect: Callable[..., Client]) -> None:
    with pytest.raises(WSManFaultError) as caught:
        connect().protocol.open_shell(idle_timeout="1800000")
    assert caught.value.wsman_fault_code == 2150858817


def test_an_idle_shell_dies(tls: tuple[ssl.SSLContext, str]) -> None:
    now = 0.0
    accounts = Accounts({ACCOUNT: PASSWORD})
    organization = default_organization(servers=1)
    service = WinRMService(organization, FQDN, accounts, monotonic=lambda: now)
    with WinRMServer(service, "http") as listener:
        url = f"http://localhost:{listener.port}/wsman"
        protocol = Protocol(url, "ntlm", ACCOUNT, PASSWORD, proxy=None, ca_trust_path=tls[1])
        client = Client(protocol)
        client.start()
        now = 1799.0
        client.login()
        now += 1801.0
        with pytest.raises(WSManFaultError) as caught:
            client.receive()
        assert caught.value.wsman_fault_code == 2150858843
        assert service.open_shells == 0
        protocol.transport.close_session()


FAULTS: list[tuple[str, Any, type[Exception], int | None]] = [
    ("lose_shells", 1, WSManFaultError, 2150858843),
    ("send_fault", 1, WSManFaultError, 170),
    ("send_fault_delivered", 1, WSManFaultError, 170),
    ("http_500", 1, WinRMTransportError, None),
    ("http_400", 1, WinRMTransportError, None),
    ("down", True, requests.ConnectionError, None),
]


@pytest.mark.parametrize(("fault", "value", "error", "code"), FAULTS)
def test_a_fault_is_met_as_on_windows(
    service: WinRMService,
    connect: Callable[..., Client],
    fault: str,
    value: Any,
    error: type[Exception],
    code: int | None,
) -> None:
    client = connect()
    client.start()
    set_fault(service.organization, fault, value)
    with pytest.raises(error) as caught:
        client.login()
    assert getattr(caught.value, "wsman_fault_code", None) == code


def test_the_quota_of_shells(service: WinRMService, connect: Callable[..., Client]) -> None:
    set_fault(service.organization, "quota", value=True)
    with pytest.raises(WSManFaultError) as caught:
        connect().start()
    assert caught.value.wsman_fault_code == 2150859173


def test_the_text_of_a_fault_is_in_the_language_of_the_server(
    service: WinRMService, connect: Callable[..., Client]
) -> None:
    set_fault(service.organization, "culture", "de-DE")
    set_fault(service.organization, "quota", value=True)
    with pytest.raises(WSManFaultError) as caught:
        connect().start()
    assert caught.value.wsman_fault_code == 2150859173
    assert "gleichzeitiger Shells" in str(caught.value)


def test_a_server_may_turn_down_the_right_password(
    service: WinRMService, connect: Callable[..., Client]
) -> None:
    set_fault(service.organization, "unauthorized", value=True)
    with pytest.raises(InvalidCredentialsError):
        connect().start()


def test_a_lost_answer_can_be_asked_for_again_and_nothing_runs_twice(
    service: WinRMService, connect: Callable[..., Client]
) -> None:
    client = connect()
    client.start()
    client.login()
    set_fault(service.organization, "lost_answers", 1)
    with pytest.raises(requests.ConnectionError):
        client.run(ENABLE)
    client.protocol.transport.close_session()
    assert client.run(ENABLE)["results"][0]["ok"] is True
    assert len(service.organization.changes) == 1


def test_a_process_that_dies_is_done(service: WinRMService, connect: Callable[..., Client]) -> None:
    client = connect()
    client.start()
    client.login()
    set_fault(service.organization, "die_after_change", 1)
    client.send(encode_run("x", [ENABLE], stop_on_error=True))
    assert client.receive() == (b"", b"", 1, True)
    with pytest.raises(WSManFaultError) as caught:
        client.send(b"\n")
    assert caught.value.wsman_fault_code == 232


def test_a_shell_outlives_its_connection(
    listener: WinRMServer, connect: Callable[..., Client]
) -> None:
    client = connect()
    client.start()
    listener.hang_up()
    client.protocol.transport.close_session()
    assert client.login()["ok"] is True


def test_over_http_nothing_is_taken_unencrypted(
    service: WinRMService, tls: tuple[ssl.SSLContext, str]
) -> None:
    with WinRMServer(service, "http") as listener:
        protocol = Protocol(
            f"http://localhost:{listener.port}/wsman",
            "ntlm",
            ACCOUNT,
            PASSWORD,
            message_encryption="never",
            proxy=None,
            ca_trust_path=tls[1],
        )
        with pytest.raises(WinRMTransportError):
            protocol.open_shell()
        protocol.transport.close_session()
    assert service.open_shells == 0
