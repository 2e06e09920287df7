"""NTLM on the server's side of one TCP connection, and the encryption of its messages."""

from __future__ import annotations

import os
import struct
import threading
from typing import Any

import spnego
from spnego.exceptions import SpnegoError

from lab.exchange.accounts import Accounts

_BOUNDARY = b"--Encrypted Boundary"
_PROTOCOL = b"application/HTTP-SPNEGO-session-encrypted"
ENCRYPTED = f'multipart/encrypted;protocol="{_PROTOCOL.decode()}";boundary="Encrypted Boundary"'

# pyspnego finds the accounts through an environment variable, so one sign-in at a time.
_LOCK = threading.Lock()


class NotAuthenticated(Exception):
    """The client is not who it says."""


class NtlmContext:
    """One sign-in."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._context: Any = None
        self.user = ""

    @property
    def complete(self) -> bool:
        return bool(self.user)

    def step(self, token: bytes) -> bytes:
        """Take the client's message; what to answer with. Raises: NotAuthenticated."""
        claimed = _claimed_user(token)
        if claimed:
            self._accounts.attempts.add(claimed)
        with _LOCK:
            try:
                answer = self._step(token)
            except (SpnegoError, ValueError, struct.error, IndexError) as error:
                if claimed:
                    self._accounts.failures.add(claimed)
                raise NotAuthenticated from error
        if self._context.complete:
            self.user = str(self._context.client_principal)
        return answer

    def _step(self, token: bytes) -> bytes:
        before = os.environ.get("NTLM_USER_FILE")
        os.environ["NTLM_USER_FILE"] = str(self._accounts.path)
        try:
            self._context = self._context or spnego.server(protocol="ntlm")
            return bytes(self._context.step(token) or b"")
        finally:
            del os.environ["NTLM_USER_FILE"]
            if before is not None:
                os.environ["NTLM_USER_FILE"] = before

    def decrypt(self, raw: bytes) -> bytes:
        """A message in MS-WSMV's envelope. Raises: NotAuthenticated where it is keyed otherwise."""
        try:
            payload = [part for part in raw.split(_BOUNDARY + b"\r\n") if part][1]
            payload = payload.removesuffix(_BOUNDARY + b"--\r\n")
            payload = payload.removeprefix(b"\tContent-Type: application/octet-stream\r\n")
            (length,) = struct.unpack("<i", payload[:4])
            header, sealed = payload[4 : 4 + length], payload[4 + length :]
            return bytes(self._context.unwrap_winrm(header, sealed))
        except (SpnegoError, ValueError, struct.error, IndexError) as error:
            raise NotAuthenticated from error

    def encrypt(self, body: bytes) -> bytes:
        header, data, padding = self._context.wrap_winrm(body)
        kind = f"type=application/soap+xml;charset=UTF-8;Length={len(body) + padding}".encode()
        parts = (
            _BOUNDARY + b"\r\n",
            b"\tContent-Type: " + _PROTOCOL + b"\r\n",
            b"\tOriginalContent: " + kind + b"\r\n",
            _BOUNDARY + b"\r\n",
            b"\tContent-Type: application/octet-stream\r\n",
            struct.pack("<i", len(header)) + header + data,
            _BOUNDARY + b"--\r\n",
        )
        return b"".join(parts)


def _claimed_user(token: bytes) -> str:
    """The account that an AUTHENTICATE message (MS-NLMP 2.2.1.3) names; empty for others."""
    if len(token) < 64 or token[8:12] != b"\x03\x00\x00\x00":
        return ""
    domain, user = (_field(token, offset) for offset in (28, 36))
    return f"{domain}\\{user}" if domain else user


def _field(token: bytes, offset: int) -> str:
    length, _, start = struct.unpack_from("<HHI", token, offset)
    return token[start : start + length].decode("utf-16-le", errors="replace")
