"""The HTTP server of the probes and the metrics: its own threads, so a loop that hangs is told."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, TypeAlias

from exchange_push_operator.handlers.vitals import Vitals

PLAIN = "text/plain; charset=utf-8"
_PATIENCE = 10.0  # seconds for a client that says nothing
_MOST = 32  # connections, with a thread each; one more takes the place of the oldest

Page: TypeAlias = Callable[[], tuple[HTTPStatus, str, bytes]]
"""Status, content type and body of a page as it is now."""


def probes(vitals: Vitals) -> Mapping[str, Page]:
    """``/livez`` says whether the process is to be replaced, ``/readyz`` whether it has started.

    A standby is ready: a Deployment would never be complete otherwise.
    """

    def livez() -> tuple[HTTPStatus, str, bytes]:
        wrong = vitals.complaints()
        status = HTTPStatus.INTERNAL_SERVER_ERROR if wrong else HTTPStatus.OK
        return status, PLAIN, ("\n".join(wrong) or "ok").encode() + b"\n"

    def readyz() -> tuple[HTTPStatus, str, bytes]:
        if vitals.ready():
            return HTTPStatus.OK, PLAIN, b"ok\n"
        return HTTPStatus.SERVICE_UNAVAILABLE, PLAIN, b"the resources are not listed yet\n"

    return {"/livez": livez, "/readyz": readyz}


class HealthServer:
    """Serves ``pages`` by path. A context manager."""

    def __init__(self, address: tuple[str, int], pages: Mapping[str, Page]) -> None:
        """Listen at once. Without a host: on all addresses, of IPv6 too where there is any.

        Raises: OSError where the address cannot be had.
        """
        self._server = _Server(address, pages)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.2,), name="health", daemon=True
        )

    @property
    def port(self) -> int:
        """Where it listens, also where any free port was asked for."""
        port: int = self._server.server_address[1]
        return port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], pages: Mapping[str, Page]) -> None:
        self.pages = pages
        self._guard = threading.Lock()
        self._open: list[socket.socket] = []  # the oldest first
        self._room = threading.Semaphore(_MOST)
        self._everywhere = not address[0] and socket.has_dualstack_ipv6()
        if self._everywhere or ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # HTTPServer would look the host's name up here, which can take seconds.
        if self._everywhere:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve it in a thread of its own; idle ones must not keep a probe out."""
        with self._guard:
            if len(self._open) == _MOST:
                with contextlib.suppress(OSError):
                    self._open[0].shutdown(socket.SHUT_RDWR)  # its thread sees the end
        self._room.acquire()
        with self._guard:
            self._open.append(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Its thread has done its work."""
        with self._guard:
            self._open.remove(request)
            super().shutdown_request(request)
        self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _PATIENCE
    server: _Server

    def do_GET(self) -> None:
        """Serve the page of this path."""
        page = self.server.pages.get(self.path.partition("?")[0])
        if page is None:
            there = ", ".join(sorted(self.server.pages))
            self._reply(HTTPStatus.NOT_FOUND, PLAIN, f"there is {there}\n".encode())
        else:
            self._reply(*page())

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing: probes come every few seconds."""

    def version_string(self) -> str:
        """Not which Python this is."""
        return "exchange-push-operator"

    def _reply(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
