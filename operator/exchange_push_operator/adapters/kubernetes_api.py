"""The Kubernetes API: how to sign in, and JSON in, JSON out.

The generated classes of the official client check and convert every field of every answer; with
thousands of resources that is most of what the operator would do. Its configuration, credentials
and connections are used, its models are not.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from pathlib import Path
from typing import Any

from kubernetes.client import ApiClient, ApiException, Configuration
from kubernetes.config import ConfigException, load_incluster_config, load_kube_config
from kubernetes.config.incluster_config import SERVICE_TOKEN_FILENAME
from urllib3.exceptions import HTTPError
from urllib3.util import Retry
from yaml import YAMLError

from exchange_push_operator.adapters.kubernetes_requests import KubeObserver, ObservedClient
from exchange_push_operator.core.cluster import Conflict
from exchange_push_operator.core.errors import (
    PushError,
    Refused,
    SpecError,
    Throttled,
    Unreachable,
)
from exchange_push_operator.core.reasons import Reason

_TIMEOUTS = (3.0, 15.0)  # seconds: to connect, and to wait for the answer
_LONGEST_PAUSE = 3600.0
# A read whose kept-alive connection had gone is repeated once. A write never is: urllib3 would send
# it up to a minute later, when another replica may lead.
_RETRIES = Retry(
    total=1, connect=0, status=0, other=0, allowed_methods={"GET"}, respect_retry_after_header=False
)
_PYTHON = re.compile(r"\bHTTPS?Connection(?:Pool)?\([^)]*\): ")  # urllib3 begins its texts with it


class Invalid(PushError):
    """The API server understood and turned it down (HTTP 400, 405, 422 ...)."""


def sign_in(
    kubeconfig: Path | None,
    connections: int,
    observer: KubeObserver | None = None,
    *,
    patient: bool = True,
) -> ApiClient:
    """A client for the cluster that the Pod runs in, or for a kubeconfig's current context.

    ``connections`` is how many requests may be under way at once; ``observer`` hears of each. One
    that is not ``patient`` does not repeat a read either.

    Raises:
        SpecError: there is no service account and no kubeconfig, or it cannot be read.
    """
    configuration = Configuration()
    configuration.connection_pool_maxsize = connections
    configuration.retries = _RETRIES if patient else False
    if kubeconfig is None:
        _load_service_account(configuration)
    else:
        _load_file(kubeconfig, configuration)
    return ObservedClient(configuration, observer) if observer else ApiClient(configuration)


def sign_in_as_person(kubeconfig: Path | None, context: str | None, connections: int) -> ApiClient:
    """A client as kubectl signs in: this kubeconfig, else KUBECONFIG's, else ~/.kube/config.

    Where there is none of them: the Pod's service account. ``context``: not the current one.

    Raises:
        SpecError: there is nothing to sign in with, or it cannot be read.
    """
    configuration = Configuration()
    configuration.connection_pool_maxsize = connections
    configuration.retries = _RETRIES
    try:
        _load_file(kubeconfig, configuration, context)
    except SpecError:
        if kubeconfig or context or not Path(SERVICE_TOKEN_FILENAME).exists():
            raise
        _load_service_account(configuration)
    return ApiClient(configuration)


class KubernetesApi:
    """Calls of the API server."""

    def __init__(self, client: ApiClient, timeouts: tuple[float, float] = _TIMEOUTS) -> None:
        """Use the client's credentials and connections. Safe in threads.

        ``timeouts``: seconds to connect, and to wait for the answer.
        """
        self._client, self._timeouts = client, timeouts

    def call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> Any:
        """The body of the answer; None for HTTP 404.

        Raises:
            Conflict: HTTP 409.
            Refused: HTTP 401 or 403 (AccessDenied).
            Throttled: HTTP 429.
            Invalid: another 4xx.
            Unreachable: no answer, or a 5xx.
        """
        response, content = self.ask(method, path, body, content_type)
        if response.status >= HTTPStatus.BAD_REQUEST:
            return _refusal(response, content, f"{method} {path}")
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            message = f"what answers {method} {path} is not the API server: it sends no JSON"
            raise Unreachable(message) from error

    def ask(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> tuple[Any, bytes]:
        """Whatever answer comes, and its body as it is. Raises: Unreachable where none comes."""
        headers = {"Accept": "application/json", "Content-Type": content_type}
        url = self._client.configuration.host + path
        try:
            self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
            response = self._client.call_api(
                method, url, headers, body, _request_timeout=self._timeouts
            )
            return response, response.read()  # type: ignore[no-untyped-call]  # the client has no hints
        except (ApiException, ConfigException, HTTPError, OSError) as error:
            message = f"the API server does not answer {method} {path}: {_cause(error)}"
            raise Unreachable(message) from error


def _load_service_account(configuration: Configuration) -> None:
    try:
        load_incluster_config(configuration)  # type: ignore[no-untyped-call]  # no hints
    except ConfigException as error:
        message = "not in a Pod with a service account: say with --kubeconfig which cluster to use"
        raise SpecError(message) from error


def _load_file(path: Path | None, configuration: Configuration, context: str | None = None) -> None:
    flag = f"--kubeconfig {path}" if path else "the kubeconfig"
    file = str(path) if path else None
    try:
        load_kube_config(  # type: ignore[no-untyped-call]  # the client has no hints
            file, context, client_configuration=configuration, persist_config=False
        )
    except (TypeError, UnicodeDecodeError) as error:
        # The library takes anything for a kubeconfig and trips over it.
        message = (
            f"{flag} cannot be used: it is no kubeconfig, which is YAML with "
            "clusters, users, contexts and current-context"
        )
        raise SpecError(message) from error
    except (ConfigException, OSError, YAMLError, ValueError) as error:
        other = "" if path else "; name another with --kubeconfig, KUBECONFIG or --context"
        message = f"{flag} cannot be used: {_cause(error)}{other}"
        raise SpecError(message) from error


def _refusal(response: Any, content: bytes, call: str) -> None:
    """Raise what an error answer means; nothing for 404."""
    text = f"{call}: {_message(content) or response.reason}"
    match response.status:
        case HTTPStatus.NOT_FOUND:
            return
        case HTTPStatus.CONFLICT:
            raise Conflict(text)
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            raise Refused(Reason.ACCESS_DENIED, f"the API server refuses {text}")
        case HTTPStatus.TOO_MANY_REQUESTS:
            pause = response.getheader("Retry-After") or ""
            seconds = min(float(pause), _LONGEST_PAUSE) if pause.isdecimal() else None
            raise Throttled(text, seconds)
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unreachable(text)
        case _:
            raise Invalid(text)


def _message(content: bytes) -> str:
    try:
        status = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    return str(status.get("message") or "") if isinstance(status, dict) else ""


def _cause(error: BaseException) -> str:
    """One line of what a library says."""
    reason = getattr(error, "reason", None) or error
    return " ".join(_PYTHON.sub("", str(reason)).split()) or type(error).__name__
