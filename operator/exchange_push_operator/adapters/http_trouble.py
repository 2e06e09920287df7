"""What goes wrong below HTTP, by what to do next."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Sequence

import requests
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema, ReadTimeout
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
)

from exchange_push_operator.core.errors import (
    OutcomeUnknown,
    PushError,
    Refused,
    SpecError,
    Unreachable,
)
from exchange_push_operator.core.reasons import Reason

# What requests lets through: its own errors, urllib3's that it does not know, the sockets', and
# the ValueErrors of addresses and headers that cannot be read (UnicodeError is one).
TROUBLE = (requests.RequestException, HTTPError, OSError, ValueError)
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")  # as http.client words it
# OpenSSL's X509_V_ERR numbers for "nobody I know signed this".
_UNKNOWN_SIGNER = frozenset({2, 18, 19, 20, 21})


def lost(message: str, *, changes: bool) -> PushError:
    """The error for an answer that did not come: harmless for a look, open for a change."""
    if changes:
        return OutcomeUnknown(f"{message}; the change may have been made")
    return Unreachable(message)


def not_an_address(text: str) -> SpecError:
    """The error for what is not an https address at all."""
    return SpecError(f"{text!r} is not an https address")


def translated(error: Exception, host: str, *, changes: bool) -> PushError:
    """The error of a request, by whether it may have been sent."""
    if isinstance(error, InvalidURL | InvalidSchema | MissingSchema):
        return not_an_address(host)
    if trouble := _of_proxy(list(_causes(error)), host):
        return trouble
    for cause in _causes(error):
        if is_no_host(cause):
            rule = "the parts between its dots have 1 to 63 characters each"
            return SpecError(f"{host!r} is not the name of a host: {rule}")
        text = _before_sending(cause)
        if text:
            return Unreachable(f"{host}: {text}")
    return lost(f"{host}: {_after_sending(error)}", changes=changes)


def _of_proxy(causes: Sequence[BaseException], host: str) -> PushError | None:
    """A tunnel that was not made: nothing of the request was sent."""
    tunnel = next(filter(None, (_TUNNEL.match(str(cause)) for cause in causes)), None)
    if tunnel and tunnel[1] == "407":
        cure = "check the Secret behind --entra-proxy-credentials"
        message = f"{host}: the HTTP proxy does not take the operator's credentials; {cure}"
        return Refused(Reason.ACCESS_DENIED, message)
    if tunnel:
        said = f"answers HTTP {tunnel[1]} instead of connecting; allow {host}, port 443, there"
        return Unreachable(f"{host}: the HTTP proxy {said}")
    if any(isinstance(cause, ProxyError) for cause in causes):
        cure = "check --entra-proxy, and --ca-file for its certificate"
        return Unreachable(f"{host}: no connection to the HTTP proxy can be made; {cure}")
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    # requests and urllib3 wrap by argument. __context__ is left alone: it may belong to an older
    # error, and "was not sent" must never be read off that.
    yield error
    for inner in (*error.args, getattr(error, "reason", None)):
        if isinstance(inner, BaseException):
            yield from _causes(inner)


def is_no_host(cause: BaseException) -> bool:
    """Whether a name cannot be one of DNS, so that nothing was sent."""
    # Python's idna codec raises the first until 3.12 and the second from 3.13 on.
    return isinstance(cause, LocationValueError | UnicodeEncodeError) or type(cause) is UnicodeError


def _before_sending(cause: BaseException) -> str:
    match cause:
        case NameResolutionError():
            return "the name cannot be resolved; check the DNS of the cluster"
        case NewConnectionError() | ConnectTimeoutError():
            return "no connection can be made; check firewalls and network policies"
        case ssl.SSLCertVerificationError():
            unknown = cause.verify_code in _UNKNOWN_SIGNER
            cure = "; name the CA that signed it with --ca-file" if unknown else ""
            return f"its TLS certificate is not trusted ({cause.verify_message}){cure}"
        case _:
            return ""


def _after_sending(error: Exception) -> str:
    late = ReadTimeout | ReadTimeoutError | TimeoutError
    if any(isinstance(cause, late) for cause in _causes(error)):
        return "no answer in time"
    if any(isinstance(cause, ssl.SSLError) for cause in _causes(error)):
        return "the TLS connection failed"
    if isinstance(error, requests.RequestException | OSError):
        return "the connection was cut before the answer was complete"
    return "the answer cannot be understood"
