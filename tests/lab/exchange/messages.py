"""Encrypted messages as MS-WSMV 2.2.9.1 has them: one MIME part for the kind, one for the bytes."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod

_BOUNDARY = b"--Encrypted Boundary"
SPNEGO = "application/HTTP-SPNEGO-session-encrypted"
KERBEROS = "application/HTTP-Kerberos-session-encrypted"


class NotAuthenticated(Exception):
    """The client is not who it says."""


class SignedIn(ABC):
    """The server's side of one sign-in, and the encryption of what follows."""

    protocol = SPNEGO
    user = ""
    delegated = False  # with a ticket to go on with
    bound = False  # to the TLS connection
    address = ""  # where the connection comes from

    @property
    def complete(self) -> bool:
        return bool(self.user)

    @property
    def content_type(self) -> str:
        return f'multipart/encrypted;protocol="{self.protocol}";boundary="Encrypted Boundary"'

    @abstractmethod
    def step(self, token: bytes) -> bytes:
        """Take the client's message; what to answer with. Raises: NotAuthenticated."""

    @abstractmethod
    def wrap(self, body: bytes) -> tuple[bytes, bytes, int]:
        """Signature, sealed body with its padding, length of that padding."""

    @abstractmethod
    def unwrap(self, signature: bytes, sealed: bytes) -> bytes:
        """The body. Raises: NotAuthenticated where it is keyed otherwise."""

    def decrypt(self, raw: bytes) -> bytes:
        """A message in its envelope. Raises: NotAuthenticated where it is keyed otherwise."""
        try:
            payload = [part for part in raw.split(_BOUNDARY + b"\r\n") if part][1]
            payload = payload.removesuffix(_BOUNDARY + b"--\r\n")
            payload = payload.removeprefix(b"\tContent-Type: application/octet-stream\r\n")
            (length,) = struct.unpack("<i", payload[:4])
        except (struct.error, IndexError) as error:
            raise NotAuthenticated from error
        return self.unwrap(payload[4 : 4 + length], payload[4 + length :])

    def encrypt(self, body: bytes) -> bytes:
        signature, sealed, padding = self.wrap(body)
        kind = f"type=application/soap+xml;charset=UTF-8;Length={len(body) + padding}".encode()
        parts = (
            _BOUNDARY + b"\r\n",
            b"\tContent-Type: " + self.protocol.encode() + b"\r\n",
            b"\tOriginalContent: " + kind + b"\r\n",
            _BOUNDARY + b"\r\n",
            b"\tContent-Type: application/octet-stream\r\n",
            struct.pack("<i", len(signature)) + signature + sealed,
            _BOUNDARY + b"--\r\n",
        )
        return b"".join(parts)
