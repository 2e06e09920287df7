"""The CAs that servers are trusted by, as files."""

from __future__ import annotations

import hashlib
import ssl
import tempfile
import threading
from pathlib import Path

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from exchange_push_operator.core.errors import Refused, Unreachable
from exchange_push_operator.core.reasons import Reason


class Authorities:
    """Files with the CAs to trust, because requests takes them by path. Threads may share it."""

    def __init__(self, ca_file: str | None) -> None:
        """Take the operator's CA file, else certifi's, for servers whose resource names no CA."""
        self.default = ca_file or DEFAULT_CA_BUNDLE_PATH
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._lock = threading.Lock()

    def path(self, ca_pem: str | None) -> str:
        """The file to verify with.

        Raises: Refused (SecretInvalid): not PEM. Unreachable: no room for the file here.
        """
        if ca_pem is None:
            return self.default
        name = hashlib.sha256(ca_pem.encode(errors="replace")).hexdigest() + ".pem"
        with self._lock:
            try:
                return self._file(name, ca_pem)
            except OSError as error:
                message = "the operator cannot write the CA to its own disk; check its /tmp"
                raise Unreachable(message) from error

    def _file(self, name: str, ca_pem: str) -> str:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="exchange-push-ca-")
        file = Path(self._folder.name, name)
        if not file.exists():
            _check(ca_pem)
            part = file.with_suffix(".part")  # a full disk must not leave half a file behind
            part.write_text(ca_pem)
            part.replace(file)
        return str(file)

    def close(self) -> None:
        """Remove the files."""
        with self._lock:
            if self._folder is not None:
                self._folder.cleanup()
                self._folder = None


def _check(ca_pem: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=ca_pem)
    except (ssl.SSLError, ValueError, TypeError) as error:  # the others: empty, not ASCII
        message = "the Secret of spec.exchange.connection.caSecretRef holds no PEM certificates"
        raise Refused(Reason.SECRET_INVALID, message) from error
