"""Our requests to the API server, counted. kopf's list and watch go their own way."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from kubernetes.client import ApiClient, ApiException, Configuration

KubeObserver: TypeAlias = Callable[[str, str, str], None]
"""Hears verb, resource and code of a request; the code is ``none`` where no answer came."""

_PATH = re.compile(
    r"/apis?/(?:[^/]+/)?v[^/]+(?:/namespaces/[^/]+)?/([^/]+)(/[^/]+)?(/[^/]+)?", re.ASCII
)
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class ObservedClient(ApiClient):
    """The official client; whoever is interested hears of each request."""

    def __init__(self, configuration: Configuration, observer: KubeObserver) -> None:
        super().__init__(configuration)
        self._observer = observer

    def call_api(self, method: str, url: str, *arguments: Any, **options: Any) -> Any:
        """As the client's."""
        code = "none"
        try:
            response = super().call_api(method, url, *arguments, **options)
            code = str(response.status)
        except ApiException as error:
            code = str(error.status) if error.status else code
            raise
        finally:
            self._observer(*described(method, urlsplit(url).path), code)
        return response


def described(method: str, path: str) -> tuple[str, str]:
    """Verb and resource, as RBAC names them, of a request to this path."""
    found = _PATH.search(path)
    if found is None:
        return method.lower(), "other"
    resource, name, part = found.groups()
    verb = _VERBS.get(method) or ("get" if name else "list")
    return verb, f"{resource}{part or ''}"
