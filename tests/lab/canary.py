"""The lab's secrets, and whether one is ever seen where none may be.

Whoever makes a secret plants it here; whoever sees an output of the operator shows it here. What
counts as an output: ``log``, ``status``, ``event``, ``metrics``, ``audit``, ``process list``,
``exception``. After every test there must be no find (tests/conftest.py).
"""

from __future__ import annotations

import base64
import json
import logging
import re
import threading
from typing import Any
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from exchange_push_operator.log import JsonFormatter

KINDS = ("log", "status", "event", "metrics", "audit", "process list", "exception")

_SHORTEST = 6  # signs; what is shorter stands in honest texts too
_LINE = 64  # of a PEM
_ENCODED = re.compile(r"-EncodedCommand (\S+)", re.IGNORECASE)
_SHAPES = {"token": re.compile(r"eyJ[\w-]{8,}\."), "private key": re.compile("PRIVATE KEY")}


class Canaries:
    """Safe in threads: servers of the lab run in their own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secrets: dict[str, str] = {}
        self._finds: dict[str, None] = {}

    def plant(self, what: str, text: str) -> None:
        """A secret, in the spellings that an output might have it in; an ordinary word is none."""
        if len(text) >= _SHORTEST and not text.isalpha():
            in_base64 = base64.b64encode(text.encode()).decode().rstrip("=")
            with self._lock:
                self._secrets |= dict.fromkeys((text, quote(text, safe=""), in_base64), what)

    def plant_key(self, what: str, key: rsa.RSAPrivateKey) -> None:
        """A private key: a line in the middle of its PEM."""
        der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        text = base64.b64encode(der).decode()
        with self._lock:
            self._secrets[text[8 * _LINE : 9 * _LINE]] = what

    def show(self, kind: str, output: Any) -> None:
        """Look at an output: a text, or what becomes JSON."""
        assert kind in KINDS
        plain = output if isinstance(output, str) else _as_json(output)
        with self._lock:
            found = [what for secret, what in self._secrets.items() if secret in plain]
            found += [what for what, shape in _SHAPES.items() if shape.search(plain)]
            self._finds |= dict.fromkeys(f"{what} in {kind}" for what in found)

    def show_command(self, line: str) -> None:
        """Look at a command line, and at the script that PowerShell is given in it."""
        scripts = [base64.b64decode(text).decode("utf-16-le") for text in _ENCODED.findall(line)]
        self.show("process list", "\n".join([line, *scripts]))

    def show_error(self, error: BaseException | None) -> None:
        """Look at what an exception of ours says, and at those of ours behind it."""
        while error is not None:
            if type(error).__module__.startswith("exchange_push_operator."):
                self.show("exception", f"{error} {error!r}")
            error = error.__cause__ or error.__context__

    def take(self) -> list[str]:
        """All finds since the last time."""
        with self._lock:
            finds, self._finds = list(self._finds), {}
            return finds


def _as_json(output: Any) -> str:
    return json.dumps(output, default=str, ensure_ascii=False)


CANARIES = Canaries()


class Listener(logging.Handler):
    """Shows every record as the operator would print it without its last net."""

    def __init__(self, canaries: Canaries = CANARIES) -> None:
        super().__init__(logging.DEBUG)
        self._canaries = canaries
        self._formatter = JsonFormatter()

    def emit(self, record: logging.LogRecord) -> None:
        line = self._formatter.plain(record)  # nothing is to rest on what is redacted
        self._canaries.show("audit" if getattr(record, "fields", {}).get("audit") else "log", line)
        if record.exc_info:
            self._canaries.show_error(record.exc_info[1])


class Heard:
    """A port whose errors are shown before they go on."""

    def __init__(self, port: Any) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if not callable(method):
            return method

        def call(*arguments: Any, **options: Any) -> Any:
            try:
                return method(*arguments, **options)
            except Exception as error:
                CANARIES.show_error(error)
                raise

        return call
