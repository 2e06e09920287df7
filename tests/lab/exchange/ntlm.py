"""NTLM on the server's side of one TCP connection."""

from __future__ import annotations

import os
import struct
import threading
from typing import Any

import spnego
from spnego.exceptions import SpnegoError

from lab.exchange.accounts import Accounts
from lab.exchange.messages import NotAuthenticated, SignedIn

# pyspnego finds the accounts through an environment variable, so one sign-in at a time.
_LOCK = threading.Lock()


class NtlmContext(SignedIn):
    """One sign-in."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._context: Any = None

    def step(self, token: bytes) -> bytes:
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

    def wrap(self, body: bytes) -> tuple[bytes, bytes, int]:
        signature, sealed, padding = self._context.wrap_winrm(body)
        return bytes(signature), bytes(sealed), int(padding)

    def unwrap(self, signature: bytes, sealed: bytes) -> bytes:
        try:
            return bytes(self._context.unwrap_winrm(signature, sealed))
        except (SpnegoError, ValueError, struct.error, IndexError) as error:
            raise NotAuthenticated from error


def _claimed_user(token: bytes) -> str:
    """The account that an AUTHENTICATE message (MS-NLMP 2.2.1.3) names; empty for others."""
    if len(token) < 64 or token[8:12] != b"\x03\x00\x00\x00":
        return ""
    domain, user = (_field(token, offset) for offset in (28, 36))
    return f"{domain}\\{user}" if domain else user


def _field(token: bytes, offset: int) -> str:
    length, _, start = struct.unpack_from("<HHI", token, offset)
    return token[start : start + length].decode("utf-16-le", errors="replace")
