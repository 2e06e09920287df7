"""The authorities to trust: the well-known ones, and the installer's own beside them."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import certifi

from exchange_push_operator.core.errors import SpecError


@contextmanager
def ca_bundle(ca_file: Path | None) -> Iterator[str | None]:
    """One file that holds both, for as long as it is needed; None where nothing is added.

    Exchange's certificates are mostly of a company's own authority, Microsoft's never are, so
    trusting the one must not mean to distrust the other.

    Raises:
        SpecError: the file cannot be read, or holds no PEM certificate.
    """
    if ca_file is None:
        yield None
        return
    own = _read(ca_file)
    with tempfile.TemporaryDirectory(prefix="exchange-push-operator-") as folder:
        path = Path(folder) / "ca.pem"
        path.write_text(f"{certifi.contents()}\n{own}\n", encoding="ascii", errors="replace")
        yield str(path)


def _read(ca_file: Path) -> str:
    try:
        ssl.create_default_context(cafile=ca_file)
        return ca_file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:  # an SSLError is one
        message = f"--ca-file {ca_file}: no PEM certificate can be read from it"
        raise SpecError(message) from error
