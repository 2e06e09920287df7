"""What goes wrong on the way to a server, by what may be done about it without asking anybody.

Decisions rest on types, HTTP status and WS-Man's integers (wsmerror.h, winerror.h), never on
texts: those are localised.
"""

from __future__ import annotations

import binascii
import ssl
from collections.abc import Iterator
from xml.etree.ElementTree import ParseError

from requests.exceptions import RequestException, TooManyRedirects
from spnego.exceptions import SpnegoError
from urllib3.exceptions import ConnectTimeoutError, HTTPError
from winrm.exceptions import (
    InvalidCredentialsError,
    WinRMError,
    WinRMOperationTimeoutError,
    WinRMTransportError,
    WSManFaultError,
)

from exchange_push_operator.adapters.http_trouble import is_no_host
from exchange_push_operator.core.errors import PushError

HTTP_OK = 200  # of an answer in clear, see DirectTransport
HTTP_STALE = 400  # the server could not decrypt: its connection is not the one we think it is
EXIT_HASH = 97  # of stage0.ps1
_ACCESS_DENIED = 5
_BUSY = frozenset({170, 1460})  # ERROR_BUSY, ERROR_TIMEOUT: a Send, perhaps delivered
_QUOTA = frozenset({*range(2150859173, 2150859177), 2150859179, *range(2150859236, 2150859243)})


class Gone(Exception):
    """The process has ended, or is not to be trusted any longer."""

    def __init__(
        self,
        exit_code: int = -1,
        *,
        ready: bool = True,
        text: str = "the PowerShell process ended by itself",
        complaint: bytes = b"",
    ) -> None:
        """Keep how it ended, its standard error, and whether the host script had come to run."""
        super().__init__(f"{text} (exit code {exit_code})")
        self.exit_code = exit_code
        self.ready = ready
        self.text = text
        self.complaint = complaint

    @property
    def never_ran(self) -> bool:
        """Whether PowerShell ended by its own decision before the host script came to run."""
        return not self.ready and self.exit_code not in (-1, 0, EXIT_HASH)


class Overdue(Exception):
    """The answer was not there when it had to be."""


class NoTicket(Exception):
    """Kerberos does not sign in; nothing was sent but an empty request. ``meaning`` says why."""

    def __init__(self, meaning: PushError) -> None:
        """Keep the error for people."""
        super().__init__(str(meaning))
        self.meaning = meaning


class Odd(Exception):
    """Pywinrm stumbled over an answer, with an exception that nobody knew of."""


# What pywinrm and what it stands on are known to raise, odd bodies included: requests_ntlm takes
# PermissionError and KeyError, Encryption KeyError, ElementTree ParseError, ``next`` StopIteration.
TROUBLE = (
    Gone,
    Overdue,
    NoTicket,
    Odd,
    RequestException,
    WinRMError,
    WinRMTransportError,
    WinRMOperationTimeoutError,
    SpnegoError,
    HTTPError,
    OSError,
    AssertionError,
    LookupError,
    ValueError,
    binascii.Error,
    ParseError,
    StopIteration,
)


def can_resend(error: BaseException) -> bool:
    """Whether the process may still live, so that the same request can be sent to it again."""
    if isinstance(error, WinRMTransportError):
        return True
    return isinstance(error, RequestException) and not isinstance(error, TooManyRedirects)


def can_restart(error: BaseException) -> bool:
    """Whether a new process may do better. On a server that is too slow it is one more load."""
    no_use = InvalidCredentialsError | NoTicket | RequestException | WinRMTransportError
    too_slow = WinRMOperationTimeoutError | Overdue
    if isinstance(error, no_use | too_slow) or is_no_host(error):
        return False
    return not is_quota(error) and not is_denied(error)


def is_busy(error: BaseException) -> bool:
    """Whether a Send may be repeated as it is (Ansible does the same, winrm.py:533)."""
    return isinstance(error, WinRMOperationTimeoutError) or (
        isinstance(error, WSManFaultError) and bool(codes(error) & _BUSY)
    )


def is_quota(error: BaseException) -> bool:
    """Whether WinRM has no room for the account."""
    return isinstance(error, WSManFaultError) and bool(codes(error) & _QUOTA)


def is_denied(error: BaseException) -> bool:
    """Whether the account is known and may not do this."""
    return isinstance(error, WSManFaultError) and _ACCESS_DENIED in codes(error)


def was_not_sent(error: BaseException) -> bool:
    """Whether the request that raised this never came to a process."""
    if isinstance(error, InvalidCredentialsError | NoTicket):
        return True
    if is_quota(error) or is_denied(error):
        return True
    if is_no_host(error):
        return True
    unsent = ConnectTimeoutError | ssl.SSLCertVerificationError
    return any(isinstance(cause, unsent) for cause in causes(error))


def codes(error: WSManFaultError) -> set[int | None]:
    return {error.wsman_fault_code, error.wmierror_code}


def causes(error: BaseException) -> Iterator[BaseException]:
    # requests and urllib3 wrap by argument. __context__ may belong to an older error.
    yield error
    for inner in (*error.args, getattr(error, "reason", None)):
        if isinstance(inner, BaseException):
            yield from causes(inner)
