"""Accounts of the lab's Windows domain, and the credential store that NTLM is checked against."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path

from lab.canary import CANARIES
from lab.exchange.counters import Counters

DNS_DOMAIN = "corp.fabrikam.com"


class Accounts:
    """``DOMAIN\\user`` and ``user@domain`` with the same password.

    ``attempts`` counts sign-ins by account as the client wrote it, ``failures`` those refused.
    The file is what pyspnego reads; it goes away with the object.
    """

    def __init__(self, passwords: Mapping[str, str], dns_domain: str = DNS_DOMAIN) -> None:
        self.attempts = Counters()
        self.failures = Counters()
        self._dns_domain = dns_domain
        self._passwords: dict[str, str] = {}
        handle, name = tempfile.mkstemp(prefix="lab-ntlm-")
        os.close(handle)
        self.path = Path(name)
        self._remove = weakref.finalize(self, _unlink, name)
        for username, password in passwords.items():
            self.set_password(username, password)

    def set_password(self, username: str, password: str) -> None:
        """Add an account, or change its password. Raises: ValueError (the store has no quoting)."""
        if ":" in password or "\n" in password:
            message = "a password of the lab holds neither colon nor newline"
            raise ValueError(message)
        CANARIES.plant("password", password)
        self._passwords[username] = password
        lines = [line for name, word in self._passwords.items() for line in self._lines(name, word)]
        self.path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def check(self, username: str, password: str) -> bool:
        """The second hop: is this the password of the account?"""
        wanted = username.lower()
        return any(
            wanted in (name.lower(), self._principal(name).lower()) and word == password
            for name, word in self._passwords.items()
        )

    def close(self) -> None:
        self._remove()

    def _lines(self, name: str, password: str) -> list[str]:
        domain, _, user = name.rpartition("\\")
        return [f"{domain}:{user}:{password}", f":{self._principal(name)}:{password}"]

    def _principal(self, name: str) -> str:
        user = name.rpartition("\\")[2]
        return user if "@" in user else f"{user}@{self._dns_domain}"


def _unlink(name: str) -> None:
    Path(name).unlink(missing_ok=True)
