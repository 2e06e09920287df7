"""The connection to WinRM: pywinrm's protocol, and what it may trust and whom it may hear."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast
from urllib.parse import urlsplit

import requests
import winrm.transport
from requests_ntlm import HttpNtlmAuth
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError
from winrm.exceptions import WinRMTransportError
from winrm.protocol import Protocol as PyWinRM

if TYPE_CHECKING:
    from requests.auth import AuthBase

    from exchange_push_operator.adapters.kerberos_tickets import Tickets
    from exchange_push_operator.core.ports import ExchangeAccess


# At DEBUG they log what NTLM sends, which is enough to guess a password from, and tracebacks.
for _name in ("spnego", "winrm"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. The server answers a Receive after ``operation`` at the latest.

    A socket that gives up earlier loses an answer (the server has handed it out), hence the
    distance between the two.
    """

    operation: int = 20
    read: float = 35.0
    connect: float = 10.0


TIMEOUTS = Timeouts()


class Connection(Protocol):
    """The keep-alive connection of a wire."""

    def close_session(self) -> None:
        """Close it; the next call opens and signs in a new one."""
        ...

    def knock(self) -> None:
        """See whether anybody listens there. Raises: requests.ConnectionError."""
        ...


class Wire(Protocol):
    """What is used of pywinrm's Protocol: one HTTP exchange each, and its exceptions."""

    @property
    def transport(self) -> Connection:
        """The connection."""
        ...

    def open_shell(self, *, codepage: int, idle_timeout: str) -> str:
        """Create; the shell's id."""
        ...

    def run_command(self, shell_id: str, command: str, *, console_mode_stdin: bool) -> str:
        """Start a command in the shell; its id."""
        ...

    def send_command_input(
        self, shell_id: str, command_id: str, stdin_input: bytes, *, end: bool
    ) -> None:
        """Send bytes to the command's standard input."""
        ...

    def get_command_output_raw(
        self, shell_id: str, command_id: str
    ) -> tuple[bytes, bytes, int, bool]:
        """Receive: standard output, standard error, exit code, whether the command has ended."""
        ...

    def close_shell(self, shell_id: str) -> None:
        """Delete, with all its processes."""
        ...


class WireFactory(Protocol):
    """Makes the wire to a server; ``ca_path`` names the authorities to trust.

    ``tickets`` are the account's where the transport is Kerberos, and None for NTLM.
    """

    def __call__(
        self, server: str, access: ExchangeAccess, ca_path: str, tickets: Tickets | None
    ) -> Wire:
        """Nothing is sent yet."""
        ...


def open_wire(
    server: str,
    access: ExchangeAccess,
    ca_path: str,
    tickets: Tickets | None,
    *,
    timeouts: Timeouts = TIMEOUTS,
) -> Wire:
    """The wire over pywinrm."""
    endpoint = f"{access.scheme.lower()}://{server}:{access.port}/wsman"
    transport = DirectTransport(
        endpoint=endpoint,
        username=access.username,
        password=access.password.reveal() if access.password is not None else "",
        auth_method="ntlm" if tickets is None else "kerberos",
        # TLS covers messages; without it they are encrypted by the sign-in's own key, or not sent.
        message_encryption="always" if access.scheme.upper() == "HTTP" else "never",
        ca_trust_path=ca_path,
        send_cbt=True,
        proxy=None,
    )
    transport.server, transport.tickets = server, tickets
    protocol = PyWinRM(
        endpoint,
        transport=transport.auth_method,
        username=access.username,
        password="",  # the transport below has it
        operation_timeout_sec=timeouts.operation,
        read_timeout_sec=timeouts.operation + 1,  # pywinrm's own check; the transport's counts
        proxy=None,
        ca_trust_path=ca_path,
    )
    transport.timeouts = timeouts
    protocol.transport = transport
    return cast("Wire", protocol)


class DirectTransport(winrm.transport.Transport):
    """pywinrm's transport, straight to the one server that the policy was asked about.

    pywinrm's own session reads proxies and CAs from the environment and, to prevent that, sets
    ``no_proxy`` in it for a moment, which threads do to one another (requests.utils.set_environ).
    It follows redirects, signing in wherever they lead, and takes an answer in clear although
    messages are encrypted. This one does none of it.
    """

    server = ""
    tickets: Tickets | None = None
    timeouts = TIMEOUTS

    def build_session(self) -> requests.Session:
        """The session, made and signed in on the first call."""
        if self.session is None:
            session = requests.Session()
            session.trust_env = False
            session.max_redirects = 0
            session.verify = self.ca_trust_path
            session.auth = self._sign_in()
            session.headers.update(self.default_headers)
            self.encryption = None  # the keys of the connection before
            try:
                self._begin(session)
            except BaseException:
                session.close()
                raise
            self.session = session
        return self.session

    def _begin(self, session: requests.Session) -> None:
        if self.message_encryption == "always":
            self.setup_encryption(session)
        elif self.tickets is not None:
            request = requests.Request("POST", self.endpoint)
            self._send_message_request(session, session.prepare_request(request))

    def knock(self) -> None:
        """Open a connection and close it, without a word."""
        url = urlsplit(self.endpoint)
        connection = HTTPConnection(url.hostname or "", url.port, timeout=self.timeouts.connect)
        try:
            connection.connect()
        except HTTPError as error:
            raise requests.exceptions.ConnectionError(error) from error
        finally:
            connection.close()

    def _sign_in(self) -> AuthBase:
        if self.tickets is not None:
            from exchange_push_operator.adapters.kerberos_sign_in import (  # noqa: PLC0415 - the extra
                KerberosSignIn,
            )

            return KerberosSignIn(self.server, self.tickets)
        return HttpNtlmAuth(self.username, self.password, send_cbt=self.send_cbt)

    def _send_message_request(
        self, session: requests.Session, prepared_request: requests.PreparedRequest
    ) -> requests.Response:
        waits = (self.timeouts.connect, self.timeouts.read)
        self.read_timeout_sec = waits  # type: ignore[assignment] # requests takes both
        response: requests.Response = super()._send_message_request(session, prepared_request)
        return response

    def _get_message_response_text(self, response: requests.Response) -> bytes:
        kind = response.headers.get("Content-Type", "")
        if self.encryption is not None and not kind.startswith("multipart/encrypted"):
            if response.ok:
                # Somebody between could have written it: what it says must not be planned on.
                raise WinRMTransportError("http", response.status_code, "")
            return b""
        text: bytes = super()._get_message_response_text(response)
        return text
