"""The HTTP proxy to Microsoft, where the installer names one; nothing else goes through it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from requests.adapters import HTTPAdapter

from exchange_push_operator.adapters.http_deadline import context_with_limit
from exchange_push_operator.core.errors import Unreachable


@dataclass(frozen=True, slots=True)
class HttpProxy:
    """``credentials`` is a folder with the files username and password: a mounted Secret.

    With credentials ``url`` begins with https: Basic authentication does not encrypt.
    """

    url: str
    credentials: Path | None = None

    def authorization(self) -> str | None:
        """The value of Proxy-Authorization by the files as they are now. Raises Unreachable."""
        if self.credentials is None:
            return None
        username, password = (self._entry(name) for name in ("username", "password"))
        pair = base64.b64encode(f"{username}:{password}".encode()).decode()
        return f"Basic {pair}"

    def _entry(self, name: str) -> str:
        path = Path(self.credentials or "", name)
        try:
            return path.read_text(encoding="utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError):
            # Not chained: the decoder's error holds what it read.
            message = f"the HTTP proxy's credentials: {path} cannot be read; check the Secret"
            raise Unreachable(message) from None


class ProxyAdapter(HTTPAdapter):
    """Tunnels (CONNECT) through the proxy: what is inside is encrypted for Microsoft alone."""

    def __init__(self, proxy: HttpProxy, ca_file: str, **options: Any) -> None:
        """Make no connection yet. Threads may share it. ``ca_file`` judges the proxy's own TLS."""
        super().__init__(**options)
        self._proxy = proxy
        self._ca_file = ca_file
        self._authorization: str | None = None
        self._lock = Lock()

    def prove(self) -> None:
        """Take up the credentials as they are now; tunnels made with others are not used again.

        Raises: Unreachable.
        """
        wanted = self._proxy.authorization()
        with self._lock:
            if wanted == self._authorization:
                return
            self._authorization = wanted
            managers = list(self.proxy_manager.values())
            self.proxy_manager.clear()
        for manager in managers:
            manager.clear()

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        """What the proxy is told, and nobody behind it."""
        del proxy
        return {"Proxy-Authorization": self._authorization} if self._authorization else {}

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """The tunnels to be: both TLS connections keep to the time limit."""
        with self._lock:
            if proxy in self.proxy_manager:
                return self.proxy_manager[proxy]
            of_proxy = context_with_limit()
            of_proxy.load_verify_locations(self._ca_file)
            return super().proxy_manager_for(
                proxy, ssl_context=context_with_limit(), proxy_ssl_context=of_proxy, **options
            )
