"""The Metadata port: public documents over HTTPS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exchange_push_operator.adapters.graph_replies import throttled
from exchange_push_operator.adapters.http import Https, Reply, host_of
from exchange_push_operator.core.errors import PushError, Unreachable

_UNKNOWN_TENANT = frozenset({400, 404})  # Entra ID answers 400 invalid_tenant, ACS 404


class HttpMetadata:
    """Fills the port ``Metadata``: no credentials, no redirects, https only."""

    def __init__(self, https: Https) -> None:
        self._https = https

    def fetch(self, url: str) -> Mapping[str, Any] | None:
        """Get a JSON object; None where the service says that there is none (400, 404).

        Raises: SpecError (not an https address), Unreachable, Throttled.
        """
        reply = self._https.call("GET", url, headers={"Accept": "application/json"})
        if reply.status_code in _UNKNOWN_TENANT:
            return None
        document = reply.json_object()
        if reply.status_code != 200 or document is None:  # noqa: PLR2004 - HTTP
            raise _trouble(reply, host_of(url))
        return document


def _trouble(reply: Reply, host: str) -> PushError:
    patience = throttled(reply, host)
    if patience:
        return patience
    return Unreachable(f"{host}: HTTP {reply.status_code} instead of a metadata document")
