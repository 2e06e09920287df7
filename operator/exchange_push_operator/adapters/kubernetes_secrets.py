"""The Secrets port: Secrets by name, from the Kubernetes API."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from kubernetes.client import ApiClient

from exchange_push_operator.adapters.kubernetes_api import KubernetesApi
from exchange_push_operator.core.errors import PushError, Refused, Unreachable
from exchange_push_operator.core.reasons import Reason

_TIMEOUTS = (3.0, 10.0)  # seconds: to connect, and to wait for the answer


class KubernetesSecrets:
    """Fills the port ``Secrets``."""

    def __init__(self, client: ApiClient) -> None:
        self._api = KubernetesApi(client, _TIMEOUTS)

    def read(self, namespace: str, name: str) -> tuple[Mapping[str, bytes], str]:
        """The decoded entries of a Secret and its resourceVersion.

        Raises:
            Refused: SecretNotFound; AccessDenied where RBAC does not let the operator read it.
            Unreachable: no answer, or none that can be used.
        """
        secret = f"{namespace}/{name}"
        path = f"/api/v1/namespaces/{namespace}/secrets/{quote(name, safe='')}"
        try:
            # The bare answer: nobody has decoded it, so no error quotes an entry.
            response, body = self._api.ask("GET", path)
        except Unreachable as error:
            message = f"Secret {secret}: the API server does not answer"
            raise Unreachable(message) from error
        if response.status != HTTPStatus.OK:
            raise _refusal(response.status, secret)
        return _entries(body, secret)


def _entries(body: bytes, secret: str) -> tuple[dict[str, bytes], str]:
    try:
        document: dict[str, Any] = json.loads(body)
        entries = {
            key: base64.b64decode(text) for key, text in (document.get("data") or {}).items()
        }
        return entries, str(document["metadata"]["resourceVersion"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        # Not chained: the decoder's error holds the text it was given.
        message = f"Secret {secret}: the API server's answer cannot be read"
        raise Unreachable(message) from None


def _refusal(status: int, secret: str) -> PushError:
    match status:
        case 404:
            cure = "create it, or correct its name in spec"
            return Refused(Reason.SECRET_NOT_FOUND, f"Secret {secret} does not exist; {cure}")
        case 403:
            cure = "grant the operator's service account get on it (chart: RBAC for this namespace)"
            return Refused(Reason.ACCESS_DENIED, f"Secret {secret} may not be read; {cure}")
        case _:
            text = f"the API server answers HTTP {status}"
            return Unreachable(f"Secret {secret}: {text}")
