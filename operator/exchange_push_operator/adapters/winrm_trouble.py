"""What goes wrong on the way to a server, by what to do next, in words for people.

Decisions rest on types, HTTP status and WS-Man's integers (wsmerror.h, winerror.h), never on
texts: those are localised.
"""

from __future__ import annotations

import binascii
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import ParseError

from requests.exceptions import RequestException, Timeout, TooManyRedirects
from spnego.exceptions import SpnegoError
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from winrm.exceptions import (
    InvalidCredentialsError,
    WinRMError,
    WinRMOperationTimeoutError,
    WinRMTransportError,
    WSManFaultError,
)

from exchange_push_operator.core.errors import PushError, Refused, Throttled, Unreachable
from exchange_push_operator.core.reasons import Reason

HTTP_OK = 200  # of an answer in clear, see DirectTransport
HTTP_STALE = 400  # the server could not decrypt: its connection is not the one we think it is
EXIT_HASH = 97  # of stage0.ps1
_ACCESS_DENIED = 5
_BUSY = frozenset({170, 1460})  # ERROR_BUSY, ERROR_TIMEOUT: a Send, perhaps delivered
_QUOTA = frozenset({*range(2150859173, 2150859177), 2150859179, *range(2150859236, 2150859243)})
_QUOTA_PAUSE = 300.0
_HOSTNAME_MISMATCH = 62  # X509_V_ERR_HOSTNAME_MISMATCH


class Gone(Exception):
    """The process has ended, or is not to be trusted any longer."""

    def __init__(
        self,
        exit_code: int = -1,
        *,
        ready: bool = True,
        text: str = "the PowerShell process ended by itself",
    ) -> None:
        """Keep how it ended, and whether the host script had come to run."""
        super().__init__(f"{text} (exit code {exit_code})")
        self.exit_code = exit_code
        self.ready = ready
        self.text = text


class Overdue(Exception):
    """The answer was not there when it had to be."""


# What pywinrm and what it stands on are known to raise, odd bodies included: requests_ntlm takes
# PermissionError and KeyError, Encryption KeyError, ElementTree ParseError, ``next`` StopIteration.
TROUBLE = (
    Gone,
    Overdue,
    RequestException,
    WinRMError,
    WinRMTransportError,
    WinRMOperationTimeoutError,
    SpnegoError,
    OSError,
    AssertionError,
    LookupError,
    ValueError,
    binascii.Error,
    ParseError,
    StopIteration,
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where it happened, for messages."""

    server: str
    scheme: str
    port: int
    username: str


def can_resend(error: BaseException) -> bool:
    """Whether the process may still live, so that the same request can be sent to it again."""
    if isinstance(error, WinRMTransportError):
        return True
    return isinstance(error, RequestException) and not isinstance(error, TooManyRedirects)


def can_restart(error: BaseException) -> bool:
    """Whether a new process may do better."""
    never = InvalidCredentialsError | RequestException | WinRMTransportError | Overdue
    return not isinstance(error, never) and not is_quota(error) and not is_denied(error)


def is_busy(error: BaseException) -> bool:
    """Whether a Send may be repeated as it is (Ansible does the same, winrm.py:533)."""
    return isinstance(error, WinRMOperationTimeoutError) or (
        isinstance(error, WSManFaultError) and bool(_codes(error) & _BUSY)
    )


def is_quota(error: BaseException) -> bool:
    """Whether WinRM has no room for the account."""
    return isinstance(error, WSManFaultError) and bool(_codes(error) & _QUOTA)


def is_denied(error: BaseException) -> bool:
    """Whether the account is known and may not do this."""
    return isinstance(error, WSManFaultError) and _ACCESS_DENIED in _codes(error)


def was_not_sent(error: BaseException) -> bool:
    """Whether the request that raised this never came to a process."""
    if isinstance(error, InvalidCredentialsError) or is_quota(error) or is_denied(error):
        return True
    unsent = ConnectTimeoutError | ssl.SSLCertVerificationError
    return any(isinstance(cause, unsent) for cause in _causes(error))


def explain(error: BaseException, place: Place) -> PushError:
    """The error for people; nothing was changed."""
    if isinstance(error, RequestException):
        error.request = None  # holds what was to be sent, a password perhaps
    match error:
        case InvalidCredentialsError():
            return Refused(Reason.ACCESS_DENIED, _turned_down(place))
        case WSManFaultError():
            return _fault(error, place)
        case Gone():
            return _gone(error, place)
        case RequestException():
            return _network(error, place)
        case _:
            return Unreachable(f"{place.server}: {_odd(error)}")


def _odd(error: BaseException) -> str:
    if isinstance(error, WinRMTransportError):
        if error.code == HTTP_OK:
            return "an answer came unencrypted; check what changes WinRM's messages on the way"
        status = f"HTTP status {error.code} in place of WinRM's answer"
        return f"{status}; check WinRM there and what stands between"
    if isinstance(error, Overdue | WinRMOperationTimeoutError):
        return "WinRM answers, but not in time; check the server's load"
    return "WinRM's answer cannot be understood"


def _turned_down(place: Place) -> str:
    return (
        f"{place.server} turns {place.username} down: check username and password in the Secret of "
        "spec.exchange.connection.credentialsSecretRef, and that WinRM there takes this transport"
    )


def _fault(error: WSManFaultError, place: Place) -> PushError:
    if is_quota(error):
        return Throttled(
            f"{place.server}: the WinRM quota of {place.username} is used up; "
            "close other sessions of this account or raise it (winrm get winrm/config)",
            _QUOTA_PAUSE,
        )
    if is_denied(error):
        return Refused(
            Reason.ACCESS_DENIED,
            f"{place.server} signs {place.username} in but opens no shell: "
            "make the account a member of its local group Administrators",
        )
    return Unreachable(f"{place.server}: WinRM fault {error.wsman_fault_code}")


def _gone(error: Gone, place: Place) -> PushError:
    if isinstance(error.__cause__, RequestException | WinRMTransportError):
        return explain(error.__cause__, place)
    if error.exit_code == EXIT_HASH:
        return Unreachable(
            f"{place.server}: the host script arrived altered; check what inspects WinRM between"
        )
    if not error.ready and error.exit_code > 0:
        return Refused(
            Reason.ACCESS_DENIED,
            f"{place.server}: PowerShell ended with exit code {error.exit_code} before the host "
            "script ran; allow it in AppLocker, Windows Defender Application Control and antivirus",
        )
    return Unreachable(f"{place.server}: {error.text}")


def _network(error: RequestException, place: Place) -> PushError:
    port = f"port {place.port}"
    for cause in _causes(error):
        match cause:
            case NameResolutionError():
                text = (
                    "name does not resolve; check spec.exchange.servers and the DNS of the cluster"
                )
                return Unreachable(f"{place.server}: {text}")
            case ssl.SSLCertVerificationError():
                return Refused(Reason.ACCESS_DENIED, _not_trusted(cause, place))
            case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
                break
            case ssl.SSLError():
                text = f"no TLS on {port}; check spec.exchange.connection.scheme and port"
                return Unreachable(f"{place.server}: {text}")
            case NewConnectionError():
                text = f"nothing listens on {port}; check WinRM there, and scheme and port in"
                return Unreachable(f"{place.server}: {text} spec.exchange.connection")
            case ConnectTimeoutError():
                text = f"no answer on {port}; check firewalls between the cluster and the server"
                return Unreachable(f"{place.server}: {text}")
            case _:
                continue
    return _cut(error, place)


def _cut(error: RequestException, place: Place) -> PushError:
    if isinstance(error, TooManyRedirects):
        return Unreachable(f"{place.server}: answers with a redirect, which is not followed")
    if isinstance(error, Timeout):
        return Unreachable(f"{place.server}: no answer in time")
    return Unreachable(f"{place.server}: the connection was cut")


def _not_trusted(error: ssl.SSLCertVerificationError, place: Place) -> str:
    if error.verify_code == _HOSTNAME_MISMATCH:
        cure = "give WinRM's HTTPS listener a certificate with this name"
    else:
        cure = "put its CA into the Secret of spec.exchange.connection.caSecretRef, or --ca-file"
    return f"{place.server}: TLS certificate not trusted ({error.verify_message}); {cure}"


def _codes(error: WSManFaultError) -> set[int | None]:
    return {error.wsman_fault_code, error.wmierror_code}


def _causes(error: BaseException) -> Iterator[BaseException]:
    # requests and urllib3 wrap by argument. __context__ may belong to an older error.
    yield error
    for inner in (*error.args, getattr(error, "reason", None)):
        if isinstance(inner, BaseException):
            yield from _causes(inner)
