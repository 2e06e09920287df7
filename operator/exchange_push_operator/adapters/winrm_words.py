"""What goes wrong on the way to a server, in words for people: who has to do what."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from requests.exceptions import InvalidURL, RequestException, Timeout, TooManyRedirects
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from winrm.exceptions import (
    InvalidCredentialsError,
    WinRMOperationTimeoutError,
    WinRMTransportError,
    WSManFaultError,
)

from exchange_push_operator.adapters.foreign_text import account_name
from exchange_push_operator.adapters.host_script import INSTALLED_PATH
from exchange_push_operator.adapters.http_trouble import is_no_host
from exchange_push_operator.adapters.winrm_trouble import (
    EXIT_HASH,
    HTTP_OK,
    Gone,
    NoTicket,
    Overdue,
    causes,
    is_denied,
    is_quota,
)
from exchange_push_operator.core.errors import (
    PushError,
    Refused,
    SpecError,
    Throttled,
    Unreachable,
)
from exchange_push_operator.core.ports import ExchangeAccess
from exchange_push_operator.core.reasons import Reason

_QUOTA_PAUSE = 300.0
_HOSTNAME_MISMATCH = 62  # X509_V_ERR_HOSTNAME_MISMATCH
# wsmerror.h's ERROR_WSMAN_INVALID_SELECTORS and winerror.h's ERROR_BROKEN_PIPE.
_SHELL_GONE = frozenset({2150858843, 109})
# powershell.exe's exit code where -File names no file, and the id of its error where the execution
# policy forbids one.
_NO_SUCH_FILE = 0xFFFD0000
_POLICY = b"UnauthorizedAccess"


@dataclass(frozen=True, slots=True)
class Place:
    """Where it happened, for messages; ``account`` as ``account_name`` gives it."""

    server: str
    scheme: str
    port: int
    account: str
    host_installed: bool = False

    @classmethod
    def of(cls, server: str, access: ExchangeAccess) -> Place:
        """The server as this account sees it."""
        account = account_name(access.username)
        return cls(server, access.scheme, access.port, account, access.host_installed)


def what_next(error: PushError) -> str:
    """What the operator does about it, for the log; nothing where a person has to act."""
    return "" if isinstance(error, Refused | SpecError) else "; trying again later"


def explain(error: BaseException, place: Place) -> PushError:
    """The error for people; nothing was changed."""
    if isinstance(error, RequestException):
        error.request = None  # holds what was to be sent, a password perhaps
    if isinstance(error, InvalidURL) or is_no_host(error):
        return SpecError(f"{place.server!r} is not a host's name; correct spec.exchange.servers")
    match error:
        case InvalidCredentialsError() | NoTicket():
            return _no_sign_in(error, place)
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


def _no_sign_in(error: InvalidCredentialsError | NoTicket, place: Place) -> PushError:
    if isinstance(error, NoTicket):
        return error.meaning
    return Refused(
        Reason.ACCESS_DENIED,
        f"{place.server} turns {place.account} down: check username and password in the Secret of "
        "spec.exchange.connection.credentialsSecretRef, and that WinRM there takes this transport",
    )


def _fault(error: WSManFaultError, place: Place) -> PushError:
    if is_quota(error):
        return Throttled(
            f"{place.server}: the WinRM quota of {place.account} is used up; "
            "close other sessions of this account or raise it (winrm get winrm/config)",
            _QUOTA_PAUSE,
        )
    if is_denied(error):
        return Refused(
            Reason.ACCESS_DENIED,
            f"{place.server} signs {place.account} in but opens no shell: "
            "make the account a member of its local group Administrators",
        )
    if error.wsman_fault_code in _SHELL_GONE:
        return Unreachable(f"{place.server}: WinRM has ended the shell or its PowerShell")
    number = f" {error.wsman_fault_code}" if error.wsman_fault_code else ""
    text = f"WinRM answers with fault{number}; check its event log there"
    return Unreachable(f"{place.server}: {text}")


def _gone(error: Gone, place: Place) -> PushError:
    if isinstance(error.__cause__, RequestException | WinRMTransportError):
        return explain(error.__cause__, place)
    if error.exit_code == EXIT_HASH:
        return Unreachable(
            f"{place.server}: the host script arrived altered; check what inspects WinRM between"
        )
    if error.never_ran and place.host_installed:
        return Refused(Reason.HOST_SCRIPT_REFUSED, f"{place.server}: {_not_run(error)}")
    if error.never_ran:
        return Refused(
            Reason.ACCESS_DENIED,
            f"{place.server}: PowerShell ended with exit code {error.exit_code} before the host "
            "script ran; allow it in AppLocker, Windows Defender Application Control and "
            "antivirus, or sign it and set spec.exchange.connection.hostScript: Installed",
        )
    return Unreachable(f"{place.server}: {error.text}")


def _not_run(error: Gone) -> str:
    """Why PowerShell does not run the installed script: by number and id, not by text."""
    if error.exit_code & 0xFFFFFFFF == _NO_SUCH_FILE:
        return (
            f"no host script at {INSTALLED_PATH}; install it with Install-ExchangePushHost.ps1, "
            "or set spec.exchange.connection.hostScript: Streamed"
        )
    # Lines of standard error are broken at any place.
    if _POLICY in b"".join(error.complaint.split()):
        return (
            f"PowerShell does not run {INSTALLED_PATH}: it is not signed, altered since, or its "
            "publisher is not trusted; run Install-ExchangePushHost.ps1 -Check there"
        )
    return (
        f"PowerShell ended with exit code {error.exit_code} before {INSTALLED_PATH} ran; run "
        "Install-ExchangePushHost.ps1 -Check there, and look into AppLocker and antivirus"
    )


def _network(error: RequestException, place: Place) -> PushError:
    port = f"port {place.port}"
    for cause in causes(error):
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
