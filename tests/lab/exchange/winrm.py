"""One WinRM listener: WS-Management over HTTP or HTTPS, a sign-in for each TCP connection."""

from __future__ import annotations

import base64
import binascii
import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, TypeAlias

from lab.exchange import soap
from lab.exchange.leftovers import LEFTOVERS
from lab.exchange.messages import NotAuthenticated, SignedIn
from lab.exchange.ntlm import NtlmContext
from lab.exchange.server import Server
from lab.exchange.shells import ConnectionLost, NoAnswer, WinRMService
from lab.exchange.soap import Fault

_SOAP = "application/soap+xml;charset=UTF-8"
Tls: TypeAlias = Callable[[str], ssl.SSLContext]
"""The context for what the switch ``tls`` shows."""
_SCHEMES = ("Negotiate", "Kerberos", "NTLM")
_CHALLENGE = tuple(("WWW-Authenticate", scheme) for scheme in _SCHEMES)


class _Handler(BaseHTTPRequestHandler):
    """One TCP connection; who signed in on it stays signed in, as with http.sys."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 120  # seconds: http.sys drops idle connections after two minutes
    server: _Listener

    def setup(self) -> None:
        super().setup()
        self.proof: tuple[tuple[str, str], ...] = ()  # of the server, for who signs in
        self.signed_in: SignedIn | None = None

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        service, faults = self.server.service, self.server.service.server.faults
        if faults.latency:
            self.server.closing.wait(faults.latency)
        if faults.down:
            self.close_connection = True
        elif status := self._failure(service.server):
            self._reply(status)
        elif self._signed_in():
            self._dispatch(raw)

    def _failure(self, server: Server) -> int:
        """The HTTP status that a switch asks for; 0 for none."""
        failures = (status for status in (500, 503, 400) if server.uses_up(f"http_{status}"))
        return next(failures, 0)

    def _signed_in(self) -> bool:
        """Take the sign-in further; True once it is through and the body may be looked at."""
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme in _SCHEMES:
            return self._step(scheme, token)
        if self.signed_in is not None and self.signed_in.complete:
            return True
        self._unauthorized(_CHALLENGE)
        return False

    def _step(self, scheme: str, token: str) -> bool:
        self.server.service.counters.add("auth")
        try:
            message = base64.b64decode(token)
            if self.signed_in is None or self.signed_in.complete:
                self.signed_in = self._context(scheme, message)
            self.signed_in.address = self.client_address[0]
            answer = self.signed_in.step(message)
        except (NotAuthenticated, binascii.Error) as error:
            return self._turn_down(scheme, b"".join(error.args[:1]))
        self.proof = _token(scheme, answer)
        if not self.signed_in.complete:
            self._unauthorized(self.proof)
            return False
        self.server.service.signs_in(self.signed_in)
        return not self.server.service.server.faults.unauthorized or self._turn_down()

    def _context(self, scheme: str, message: bytes) -> SignedIn:
        service = self.server.service
        if message.startswith(b"NTLMSSP"):
            return NtlmContext(service.accounts)
        if service.keytab is None:
            raise NotAuthenticated
        from lab.exchange.kerberos import KerberosContext  # noqa: PLC0415 - needs the extra

        return KerberosContext(service.keytab, scheme, self.server.certificate)

    def _turn_down(self, scheme: str = "", token: bytes = b"") -> bool:
        self.server.service.counters.add("refused sign-ins")
        self.signed_in = None
        self._unauthorized(_token(scheme, token) or _CHALLENGE)
        return False

    def _unauthorized(self, headers: tuple[tuple[str, str], ...]) -> None:
        self._reply(401, headers=headers)

    def _dispatch(self, raw: bytes) -> None:
        """Decrypt, answer, encrypt. Over plain HTTP nothing travels unencrypted."""
        if not raw or self.signed_in is None:  # the sign-in that precedes the first message
            self._reply(200, headers=self.proof)
            return
        encrypted = self.headers.get("Content-Type", "").startswith("multipart/encrypted")
        if not encrypted and not self.server.secure:
            self._reply(500)
            return
        try:
            status, body = self._answer(self.signed_in.decrypt(raw) if encrypted else raw)
        except NotAuthenticated:
            self._reply(400)
        except ConnectionLost:
            self.close_connection = True
        except NoAnswer:
            self.rfile.read(1)  # until the client has gone
            self.close_connection = True
        else:
            self._reply_soap(status, body, encrypted=encrypted)

    def _answer(self, raw: bytes) -> tuple[int, bytes]:
        assert self.signed_in is not None
        message_id = ""
        try:
            request = soap.read(raw)
            message_id = request.message_id
            body = self.server.service.handle(request, self.signed_in)
        except Fault as error:
            culture = self.server.service.server.culture
            return 500, soap.fault(error.code, message_id, culture)
        return 200, soap.envelope(request.action, message_id, body)

    def _reply_soap(self, status: int, body: bytes, *, encrypted: bool) -> None:
        if encrypted and self.signed_in is not None:
            self._reply(status, self.signed_in.encrypt(body), self.signed_in.content_type)
        else:
            self._reply(status, body, _SOAP)

    def _reply(
        self,
        status: int,
        body: bytes = b"",
        content_type: str = "",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if content_type:
            self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _token(scheme: str, token: bytes) -> tuple[tuple[str, str], ...]:
    text = f"{scheme} {base64.b64encode(token).decode()}"
    return (("WWW-Authenticate", text),) if token else ()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], service: WinRMService, tls: Tls | None) -> None:
        super().__init__(address, _Handler)
        self.service = service
        self.secure = tls is not None
        self.certificate = b""
        self.closing = threading.Event()
        self._tls = tls
        self._open: set[socket.socket] = set()
        self._workers: set[threading.Thread] = set()
        self._open_lock = threading.Lock()

    def server_bind(self) -> None:
        # HTTPServer would look up the host's name here, which can take seconds
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        socket.socket.bind(self.socket, self.server_address)
        host, port = self.socket.getsockname()[:2]
        self.server_address, self.server_name, self.server_port = (host, port), host, port

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = self.socket.accept()
        if self._tls is not None:  # the handshake happens in the connection's own thread
            connection = self._tls(self.service.server.faults.tls).wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        del request, client_address
        return not self.service.server.faults.down

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
            self._workers.add(threading.current_thread())
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._open_lock:
                self._open.discard(request)
                self._workers.discard(threading.current_thread())

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up, or do not trust the certificate, are no news."""
        del request, client_address
        self.service.counters.add("broken connections")

    def hang_up(self) -> None:
        """Drop every connection and wait for its thread."""
        self.closing.set()
        with self._open_lock:
            connections, threads = list(self._open), list(self._workers)
        for connection in connections:
            try:
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
            except OSError:
                continue  # already gone
        for thread in threads:
            thread.join(timeout=5)


class WinRMServer:
    """A listener of a service; ``scheme`` is ``https`` (``tls`` needed) or ``http``.

    Where ``tls`` is one context, it is shown whatever the switch says. With its ``certificate``
    (DER) the listener looks at channel bindings.
    """

    def __init__(
        self,
        service: WinRMService,
        scheme: str = "https",
        tls: Tls | ssl.SSLContext | None = None,
        address: tuple[str, int] = ("127.0.0.1", 0),
        *,
        certificate: bytes = b"",
    ) -> None:
        if (scheme == "https") != (tls is not None):
            message = f"{scheme}: TLS goes with https and only with it"
            raise ValueError(message)
        self.service = service
        self.scheme = scheme
        self._tls = (lambda _: tls) if isinstance(tls, ssl.SSLContext) else tls
        self._address = address
        self._opening = threading.Lock()
        self._placeholder: socket.socket | None = None
        self._certificate = certificate
        self._bind()
        service.server.followers.append(self._follow)

    @property
    def port(self) -> int:
        return self._address[1]

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close the listener, its connections and the shells of its service."""
        LEFTOVERS.add(self.service.server.fqdn, self.service.open_shells)
        if self._follow in self.service.server.followers:
            self.service.server.followers.remove(self._follow)
        with self._opening:
            if self._placeholder is None:
                self._close()
            else:
                self._placeholder.close()

    def hang_up(self) -> None:
        """Drop all connections, as http.sys does with idle ones; shells stay."""
        self._listener.hang_up()
        self._listener.closing.clear()

    def _bind(self) -> None:
        self._listener = _Listener(self._address, self.service, self._tls)
        self._listener.certificate = self._certificate
        self._address = (self._address[0], int(self._listener.server_address[1]))
        self._thread = threading.Thread(
            target=self._listener.serve_forever,
            kwargs={"poll_interval": 0.05},
            name=f"lab-winrm-{self.service.server.name}",
            daemon=True,
        )

    def _close(self) -> None:
        self._listener.shutdown()
        self.service.close()
        self._listener.hang_up()
        self._listener.server_close()
        self._thread.join(timeout=5)

    def _follow(self) -> None:
        """Refuse connections, or take them again, as the switch ``refused`` says."""
        refused = self.service.server.faults.refused
        with self._opening:
            if refused and self._placeholder is None:
                self._close()
                self._placeholder = _reserved(self._address)
            elif not refused and self._placeholder is not None:
                self._bind()
                self._placeholder.close()
                self._placeholder = None
                self._thread.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def _reserved(address: tuple[str, int]) -> socket.socket:
    """The port stays ours, and whoever connects to it is refused."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(address)
    return bound
