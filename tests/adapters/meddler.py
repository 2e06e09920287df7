"""A man in the middle of plain HTTP: passes everything on, but for what a test puts in between."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Reply = tuple[int, dict[str, str], bytes]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Meddler

    def setup(self) -> None:
        super().setup()
        # NTLM signs in a connection, so each one needs its own on the other side
        self.behind = http.client.HTTPConnection("127.0.0.1", self.server.port_behind)

    def finish(self) -> None:
        self.behind.close()
        super().finish()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.behind.request("POST", self.path, body, dict(self.headers))
        answer = self.behind.getresponse()
        headers = dict(answer.headers)
        status, headers, body = self.server.meddle((answer.status, headers, answer.read()))
        self.send_response_only(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class Meddler(ThreadingHTTPServer):
    """Listens on ``port`` for ``port_behind``; ``meddle`` may exchange an answer."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port_behind: int, meddle: Callable[[Reply], Reply]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port_behind = port_behind
        self.meddle = meddle
        self.port = int(self.server_address[1])
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
