"""The model over HTTPS: one port a service, and every port answers for every host name.

A request with one of Microsoft's host names goes where that name belongs; ``localhost`` and the
port stand for the port's own service. Keep-alive, no delay, and a reset where a switch wants one.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Protocol, Self

from lab.exchange.trust import NoConnection
from lab.microsoft365.clouds import HOSTS, SERVICES, Service
from lab.microsoft365.http import ConnectionCut, HttpRequest, HttpResponse

NAMES = (*HOSTS, "localhost", "127.0.0.1")
_MISDIRECTED = 421
_HANDSHAKE_SECONDS = 10
_STOP_SECONDS = 5


class Answers(Protocol):
    """What stands behind the ports: the model itself, or something in front of it."""

    local: dict[str, Service]

    def handle(self, request: HttpRequest) -> HttpResponse:
        """As ``Microsoft365.handle``."""
        ...


class Microsoft365Servers:
    """The services of a model on free ports of this machine."""

    def __init__(self, model: Answers, context: ssl.SSLContext) -> None:
        self._model, self._context = model, context
        self._servers = {service: _Server(model, context) for service in Service}
        for service, port in self.ports.items():
            model.local[f"localhost:{port}"] = service
            model.local[f"127.0.0.1:{port}"] = service

    @property
    def ports(self) -> dict[Service, int]:
        """The port of each service."""
        return {service: server.server_port for service, server in self._servers.items()}

    def urls(self) -> dict[str, str]:
        """Each service as ``https://localhost:port``."""
        return {service.value: f"https://localhost:{port}" for service, port in self.ports.items()}

    def redirections(self) -> Iterator[tuple[str, int, int]]:
        """(host, port, lab port) of every host of Microsoft, for ``Redirect.set``."""
        for host, service in SERVICES.items():
            yield host, 443, self.ports[service]

    @contextlib.contextmanager
    def also_at(self, address: tuple[str, int]) -> Iterator[None]:
        """Every service at one more address, told apart by host name."""
        server = _Server(self._model, self._context, address)
        server.start()
        try:
            yield
        finally:
            server.stop()

    def start(self) -> None:
        """Serve in threads of this process."""
        for server in self._servers.values():
            server.start()

    def stop(self) -> None:
        """Close the ports and every connection that is open."""
        for server in self._servers.values():
            server.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(
        self,
        model: Answers,
        context: ssl.SSLContext,
        address: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        super().__init__(address, _Handler)
        self.model = model
        self._context = context
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        self.server_close()
        with self._changed:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._changed.wait_for(lambda: not self._open, _STOP_SECONDS)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """TLS in the connection's own thread, so that a slow client keeps nobody waiting."""
        request.settimeout(_HANDSHAKE_SECONDS)
        secured = self._context.wrap_socket(
            request, server_side=True, do_handshake_on_connect=False
        )
        with self._tracked(secured), contextlib.suppress(OSError):
            secured.do_handshake()
            secured.settimeout(None)
            super().finish_request(secured, client_address)

    @contextlib.contextmanager
    def _tracked(self, connection: socket.socket) -> Iterator[None]:
        with self._changed:
            self._open.add(connection)
        try:
            yield
        finally:
            connection.close()
            with self._changed:
                self._open.discard(connection)
                self._changed.notify_all()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one piece
    server: _Server
    _methods: ClassVar = ("GET", "POST", "PATCH", "PUT", "DELETE")

    def __getattr__(self, name: str) -> Any:
        if name.removeprefix("do_") in self._methods:
            return self._serve
        raise AttributeError(name)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """The model keeps its own log."""

    def _serve(self) -> None:
        path, _, query = self.path.partition("?")
        fields = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(fields.get("content-length", "0")))
        host = fields.get("host", "")
        try:
            client = self.client_address[0]
            request = HttpRequest(self.command, host, path, query, fields, body, client)
            response = self.server.model.handle(request)
        except NoConnection:
            response = HttpResponse(_MISDIRECTED)
        except ConnectionCut:
            self._reset()
            return
        self._send(response)

    def _send(self, response: HttpResponse) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status != 204:
            self.send_header("content-length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)

    def _reset(self) -> None:
        """Close without a word, so that the client's kernel reports a reset."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
