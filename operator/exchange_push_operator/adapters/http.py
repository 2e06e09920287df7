"""HTTPS to Microsoft: one session, one size limit, one mapping of what goes wrong below HTTP."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema, ReadTimeout
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from exchange_push_operator.core.errors import OutcomeUnknown, PushError, SpecError, Unreachable

TIMEOUTS = (3.0, 10.0)  # seconds: to connect, and between two pieces of an answer
CHECK_GATEWAY = "check the proxy or gateway between"
_LARGEST = 8 * 1024 * 1024  # a principal with 600 keys is about 2 MB
_CHUNK = 64 * 1024
_LONGEST_PAUSE = 3600.0
# OpenSSL's X509_V_ERR numbers for "nobody I know signed this".
_UNKNOWN_SIGNER = frozenset({2, 18, 19, 20, 21})


@dataclass(frozen=True, slots=True, repr=False)
class Reply:
    """An HTTP answer, read to its end. MSAL reads the three fields by these very names."""

    status_code: int
    headers: Mapping[str, str]
    text: str

    def json_object(self) -> dict[str, Any] | None:
        """The body, where it is a JSON object."""
        try:
            document = json.loads(self.text)
        except ValueError:
            return None
        return document if isinstance(document, dict) else None

    def retry_after(self) -> float | None:
        """The pause asked for in seconds, at most an hour; None where it is not said.

        A date is measured against the answer's own ``Date``, so no clock of ours takes part.
        """
        text = self.headers.get("Retry-After", "").strip()
        if text.isdecimal():
            return min(float(text), _LONGEST_PAUSE)
        seconds = _seconds_between(self.headers.get("Date", ""), text)
        return None if seconds is None else min(max(seconds, 0.0), _LONGEST_PAUSE)


class Https:
    """Calls over verified TLS: no redirects, no proxies of the environment, no cookies.

    Threads may share it. ``ca_file`` holds the authorities to trust (default: certifi's).
    """

    def __init__(
        self, ca_file: str | None = None, *, timeouts: tuple[float, float] = TIMEOUTS
    ) -> None:
        """Raises ValueError where ``ca_file`` holds no PEM certificate."""
        if ca_file is not None:
            _check_authorities(ca_file)
        self._timeouts = timeouts
        self._session = _open_session(ca_file)

    def call(  # noqa: PLR0913 - the parts of an HTTP request
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        json_body: Mapping[str, Any] | None = None,
        changes: bool = False,
    ) -> Reply:
        """Send one request; any status is an answer, except a redirect.

        Raises:
            SpecError: not an https address.
            Unreachable: no answer. With ``changes``: and the request was not sent.
            OutcomeUnknown: with ``changes``, the request may have been carried out.
        """
        host = host_of(url)
        try:
            reply = self._exchange(method, url, dict(headers or {}), (params, data, json_body))
        except (requests.RequestException, OSError) as error:
            _forget_request(error)
            raise _translated(error, host, changes=changes) from error
        if 300 <= reply.status_code < 400:  # noqa: PLR2004 - HTTP's class of redirects
            message = f"{host}: answered with a redirect, which is not followed; {CHECK_GATEWAY}"
            raise Unreachable(message)
        return reply

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._session.close()

    def _exchange(
        self, method: str, url: str, headers: dict[str, str], content: tuple[Any, Any, Any]
    ) -> Reply:
        params, data, json_body = content
        with self._session.request(
            method,
            url,
            headers=headers,
            params=params,
            data=data,
            json=json_body,
            timeout=self._timeouts,
            allow_redirects=False,
            stream=True,
        ) as response:
            text = _read(response).decode("utf-8", "replace")
            return Reply(response.status_code, response.headers, text)


def host_of(url: str) -> str:
    """The host name of an https address, for messages. Raises SpecError for any other address."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise _not_an_address(url) from error
    if parts.scheme != "https" or not parts.hostname:
        raise _not_an_address(url)
    return parts.hostname


def lost(message: str, *, changes: bool) -> PushError:
    """The error for an answer that did not come: harmless for a look, open for a change."""
    if changes:
        return OutcomeUnknown(f"{message}; the change may have been made")
    return Unreachable(message)


def _open_session(ca_file: str | None) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # REQUESTS_CA_BUNDLE would win over verify, .netrc over our headers
    session.verify = ca_file or True
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers["User-Agent"] = f"exchange-push-operator/{_own_version()}"
    session.adapters.clear()  # leaves http:// without an adapter
    session.mount("https://", HTTPAdapter(pool_maxsize=32))
    return session


def _own_version() -> str:
    try:
        return version("exchange-push-operator")
    except PackageNotFoundError:
        return "0"


def _check_authorities(ca_file: str) -> None:
    try:
        ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        message = f"--ca-file {ca_file}: no PEM certificates can be read from it"
        raise ValueError(message) from error


def _read(response: requests.Response) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if len(body) > _LARGEST:
            message = "larger than any answer of this service"
            raise requests.exceptions.ContentDecodingError(message)
    return bytes(body)


def _forget_request(error: Exception) -> None:
    # The failed request holds the credential that was to be sent.
    if isinstance(error, requests.RequestException):
        error.request = None


def _translated(error: Exception, host: str, *, changes: bool) -> PushError:
    if isinstance(error, InvalidURL | InvalidSchema | MissingSchema):
        return _not_an_address(host)
    for cause in _causes(error):
        text = _before_sending(cause)
        if text:
            return Unreachable(f"{host}: {text}")
    return lost(f"{host}: {_after_sending(error)}", changes=changes)


def _causes(error: BaseException) -> Iterator[BaseException]:
    # requests and urllib3 wrap by argument. __context__ is left alone: it may belong to an older
    # error, and "was not sent" must never be read off that.
    yield error
    for inner in (*error.args, getattr(error, "reason", None)):
        if isinstance(inner, BaseException):
            yield from _causes(inner)


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
    if isinstance(error, ReadTimeout):
        return "no answer in time"
    if any(isinstance(cause, ssl.SSLError) for cause in _causes(error)):
        return "the TLS connection failed"
    return "the connection was cut before the answer was complete"


def _not_an_address(text: str) -> SpecError:
    return SpecError(f"{text!r} is not an https address")


def _seconds_between(earlier: str, later: str) -> float | None:
    try:
        dates = [parsedate_to_datetime(text).astimezone(UTC) for text in (earlier, later)]
    except ValueError:
        return None
    return (dates[1] - dates[0]).total_seconds()
