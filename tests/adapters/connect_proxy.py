"""A corporate HTTP proxy: CONNECT alone, by a table of names, with Basic credentials or without."""

from __future__ import annotations

import base64
import select
import socket
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from lab.network.ca import PrivateCA

_PIECE = 65536


class ConnectProxy:
    """``routes`` says where ``host:port`` really is; ``users`` are name -> password; {}: anybody.

    With a CA it is spoken to over TLS.
    """

    def __init__(
        self, routes: Mapping[str, str], folder: Path, ca: PrivateCA | None = None
    ) -> None:
        self.routes = dict(routes)
        self.users: dict[str, str] = {}
        self.asked: list[str] = []
        self.refused: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"{'https' if ca else 'http'}://localhost:{self._server.server_port}"
        if ca:
            context = ca.issue(["localhost"]).server_context(folder)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def lets_in(self, authorization: str) -> bool:
        """Whether these credentials are good."""
        pairs = {f"{name}:{password}" for name, password in self.users.items()}
        basic = {f"Basic {base64.b64encode(pair.encode()).decode()}" for pair in pairs}
        return not self.users or authorization in basic


def _handler(proxy: ConnectProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_CONNECT(self) -> None:
            if not proxy.lets_in(self.headers.get("Proxy-Authorization", "")):
                proxy.refused.append(self.path)
                self.send_error(407)
            elif self.path not in proxy.routes:
                self.send_error(403)
            else:
                proxy.asked.append(self.path)
                self._tunnel(proxy.routes[self.path])
            self.close_connection = True

        def _tunnel(self, place: str) -> None:
            host, _, port = place.partition(":")
            with socket.create_connection((host, int(port))) as other:
                self.send_response(200)
                self.end_headers()
                _relay(self.connection, other)

        def log_message(self, *_: object) -> None:
            """Silence."""

    return Handler


def _relay(left: socket.socket, right: socket.socket) -> None:
    other = {left: right, right: left}
    try:
        while True:
            for ready in select.select([left, right], [], [], 10)[0]:
                piece = ready.recv(_PIECE)
                if not piece:
                    return
                other[ready].sendall(piece)
    except OSError:
        return
