"""A TCP proxy in front of the API server that can behave like a network that fails.

It does not end TLS: what passes through it is what client and server send.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import struct
import threading
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

_RESET = struct.pack("ii", 1, 0)
_PIECE = 64 * 1024


class TcpProxy:
    """A context manager. One thread moves the bytes of all connections."""

    def __init__(self, target: str) -> None:
        """``target``: the address of the API server, as a URL."""
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 443)
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket()
        self._address = ("127.0.0.1", 0)
        self._listen()
        self._peers: dict[socket.socket, socket.socket] = {}
        self._deaf: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._swallowing = self._closing = False
        self._thread = threading.Thread(target=self._serve, name="tcp-proxy", daemon=True)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._address[1]}"

    def kubeconfig(self, original: Path) -> Path:
        """The same sign-in by way of this proxy."""
        content = json.loads(original.read_text("utf-8"))
        content["clusters"][0]["cluster"]["server"] = self.url
        path = original.with_suffix(f".{self.url.rpartition(':')[2]}")
        path.touch(mode=0o600)
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    def forget(self) -> None:
        """Open connections fall silent for ever and nobody is told; new ones are fine.

        As with a load balancer or a NAT that drops its state.
        """
        with self._lock:
            self._deaf |= set(self._peers)

    def swallow(self) -> None:
        """Every connection falls silent, and new ones are taken and never answered."""
        with self._lock:
            self._deaf |= set(self._peers)
            self._swallowing = True

    def cut(self) -> None:
        """Every connection is reset, and new ones are refused."""
        with self._lock:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = socket.socket()  # keeps the port
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind(self._address)
        self.hang_up()

    def hang_up(self) -> None:
        """Every connection is reset, those that have fallen silent too."""
        with self._lock:
            for connection in self._peers:
                _hang_up(connection)

    def restore(self) -> None:
        """After ``cut``: new connections pass again."""
        with self._lock:
            self._listen()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        self._thread.join(10)
        for connection in [*self._peers, self._listener]:
            connection.close()
        self._selector.close()

    def _serve(self) -> None:
        while not self._closing:
            for key, _ in self._selector.select(0.05):
                connection = key.fileobj
                assert isinstance(connection, socket.socket)
                with self._lock:
                    if connection is self._listener:
                        self._accept()
                    elif connection in self._peers:  # it may have ended with its peer just now
                        self._move(connection)

    def _listen(self) -> None:
        self._listener.close()
        self._listener = socket.create_server(self._address)
        self._address = ("127.0.0.1", self._listener.getsockname()[1])
        self._selector.register(self._listener, selectors.EVENT_READ)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        try:
            server = socket.create_connection(self._target)
        except OSError:  # the API server is away
            client.close()
            return
        self._peers |= {client: server, server: client}
        for connection in (client, server):
            self._selector.register(connection, selectors.EVENT_READ)
        if self._swallowing:
            self._deaf |= {client, server}

    def _move(self, connection: socket.socket) -> None:
        try:
            piece = connection.recv(_PIECE)
            if piece and connection not in self._deaf:
                self._peers[connection].sendall(piece)
        except OSError:
            piece = b""
        if not piece:
            self._end(connection)

    def _end(self, connection: socket.socket) -> None:
        """One side has gone; the other one is told, unless nothing is told any more."""
        self._selector.unregister(connection)
        peer = self._peers.pop(connection)
        connection.close()
        if peer in self._peers and connection not in self._deaf:
            self._selector.unregister(peer)
            del self._peers[peer]
            peer.close()
        self._deaf.discard(connection)


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it has gone already
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.shutdown(socket.SHUT_RDWR)
