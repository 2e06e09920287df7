"""HTTPS to Microsoft: one session, one size limit, one mapping of what goes wrong below HTTP."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urlsplit

import certifi
import requests
from requests.adapters import HTTPAdapter

from exchange_push_operator.adapters.clock import steady
from exchange_push_operator.adapters.http_deadline import context_with_limit, time_limit
from exchange_push_operator.adapters.http_proxy import HttpProxy, ProxyAdapter
from exchange_push_operator.adapters.http_trouble import TROUBLE, not_an_address, translated
from exchange_push_operator.adapters.observed import observed
from exchange_push_operator.core.endpoints import of_https
from exchange_push_operator.core.errors import Unreachable
from exchange_push_operator.core.ports import Fence, Observer, no_fence, unobserved

TIMEOUTS = (3.0, 10.0)  # seconds: to connect, and between two pieces of an answer
LONGEST = 30.0  # seconds from the first byte sent to the last byte of the answer
CHECK_GATEWAY = "check the proxy or gateway between"
_LARGEST = 8 * 1024 * 1024  # a principal with 600 keys is about 2 MB
_CHUNK = 64 * 1024
_CONNECTIONS = 32
_LONGEST_PAUSE = 3600.0


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
        except (ValueError, RecursionError):
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

    Threads may share it. ``ca_file`` holds the authorities to trust (default: certifi's), of the
    ``proxy`` too where its address is https.
    """

    def __init__(  # noqa: PLR0913 - each is a thing that tests replace
        self,
        ca_file: str | None = None,
        *,
        timeouts: tuple[float, float] = TIMEOUTS,
        longest: float = LONGEST,
        proxy: HttpProxy | None = None,
        observer: Observer = unobserved,
        fence: Fence = no_fence,
        clock: Callable[[], float] = steady,
    ) -> None:
        """Raises ValueError where ``ca_file`` holds no PEM certificate."""
        if ca_file is not None:
            _check_authorities(ca_file)
        self._timeouts = timeouts
        self._longest = longest
        self._observer, self._fence, self._clock = observer, fence, clock
        trusted = ca_file or certifi.where()
        self._session = _open_session(trusted)
        self._proxied = ProxyAdapter(proxy, trusted, pool_maxsize=_CONNECTIONS) if proxy else None
        if self._proxied and proxy:
            self._session.mount("https://", self._proxied)
            self._session.proxies = {"https": proxy.url}

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
            SpecError: not an https address, or not the name of a host.
            Refused: the proxy does not let the operator through (AccessDenied).
            Unreachable: no answer. With ``changes``: and the request was not sent.
            OutcomeUnknown: with ``changes``, the request may have been carried out.
        """
        host = host_of(url)
        if self._proxied:
            self._proxied.prove()
        with observed(self._observer, *of_https(method, url)) as answered:
            # Graph has no condition for a write: a late one might undo what another replica did.
            longest = min(self._longest, self._fence()) if changes else self._longest
            try:
                with time_limit(longest, self._clock):
                    content = (params, data, json_body)
                    reply = self._exchange(method, url, dict(headers or {}), content)
            except TROUBLE as error:
                _forget_request(error)
                raise translated(error, host, changes=changes) from error
            answered.code = str(reply.status_code)
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
        raise not_an_address(url) from error
    if parts.scheme != "https" or not parts.hostname:
        raise not_an_address(url)
    return parts.hostname


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None: even without following it, requests would read its body, however long."""
        del resp
        return None


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make connections that keep to the time limit."""
        super().init_poolmanager(*arguments, **options, ssl_context=context_with_limit())


def _open_session(ca_file: str) -> requests.Session:
    session = _Session()
    session.trust_env = False  # REQUESTS_CA_BUNDLE would win over verify, .netrc over our headers
    session.verify = ca_file
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers["User-Agent"] = f"exchange-push-operator/{_own_version()}"
    session.adapters.clear()  # leaves http:// without an adapter
    session.mount("https://", _Adapter(pool_maxsize=_CONNECTIONS))
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


def _seconds_between(earlier: str, later: str) -> float | None:
    try:
        dates = [parsedate_to_datetime(text).astimezone(UTC) for text in (earlier, later)]
    except (ValueError, OverflowError):
        return None
    return (dates[1] - dates[0]).total_seconds()
