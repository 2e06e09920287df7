"""A small HTTPS server: what it answers is a function of the request."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from lab.microsoft365 import ConnectionCut, HttpRequest, HttpResponse
from lab.network.ca import PrivateCA

Respond = Callable[[HttpRequest], HttpResponse]


class HttpsServer:
    """Answers on localhost with a certificate of ``ca``, and remembers what it was asked."""

    def __init__(self, ca: PrivateCA, folder: Path, respond: Respond) -> None:
        self.respond = respond
        self.requests: list[HttpRequest] = []
        # The listening socket is plain: a handshake that fails ends its own thread alone.
        self.context = ca.issue(["localhost"]).server_context(folder)
        self._server = _Server(self)
        self.host = f"localhost:{self._server.server_port}"
        self.url = f"https://{self.host}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def asked(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.requests]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, owner: HttpsServer) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what many of these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        self.request.settimeout(10)
        self.request = self.server.owner.context.wrap_socket(self.request, server_side=True)
        super().setup()

    def finish(self) -> None:
        super().finish()
        self.request.close()

    def _answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = (self.command, headers["host"], parts.path, parts.query, headers)
        request = HttpRequest(*asked, self.rfile.read(length))
        self.server.owner.requests.append(request)
        try:
            response = self.server.owner.respond(request)
        except ConnectionCut:
            self._reset()
            return
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status != 204:
            self.send_header("content-length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)

    do_GET = do_POST = do_PATCH = _answer  # noqa: N815 - the names http.server looks for

    def _reset(self) -> None:
        # Lingering for no time makes the kernel send a reset instead of a polite end.
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Silence."""


def untrusted_context(folder: Path) -> ssl.SSLContext:
    """A server's context of a CA that nobody trusts."""
    return PrivateCA("somebody else").issue(["localhost"]).server_context(folder)
