"""How a person signs in to Entra ID as an application. A secret is never an argument."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from exchange_push_operator.core.errors import SpecError
from exchange_push_operator.workstation import files
from exchange_push_operator.workstation.flags import CERTIFICATE, KEY, SECRET

_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----\n?", re.DOTALL)


def is_given(options: argparse.Namespace) -> bool:
    """Whether something proves the application. Raises: SpecError: a key and no certificate."""
    if options.client_key is not None and options.client_certificate is None:
        raise SpecError(f"{KEY}: needs {CERTIFICATE}")
    return options.client_certificate is not None or options.client_secret_file is not None


def pair(options: argparse.Namespace) -> tuple[str, str] | None:
    """Certificate (a chain may follow) and key, each alone, whatever else the files hold.

    Raises: SpecError.
    """
    if options.client_certificate is None:
        return None
    key_file = (KEY, options.client_key) if options.client_key else None
    certificate_file = (CERTIFICATE, options.client_certificate)
    certificates = _blocks(*certificate_file, "CERTIFICATE")
    key = _blocks(*(key_file or certificate_file), "PRIVATE KEY")[0]
    return "".join(certificates), key


def secret(options: argparse.Namespace) -> str | None:
    """The client secret without the line end of its file. Raises: SpecError."""
    if options.client_secret_file is None:
        return None
    return files.text(SECRET, options.client_secret_file).strip()


def _blocks(flag: str, path: Path, kind: str) -> list[str]:
    text = files.text(flag, path)
    found = [block[0] for block in _PEM.finditer(text) if block[1].endswith(kind)]
    if not found:
        raise SpecError(f"{flag} {path}: holds no {kind.lower()} (PEM)")
    return found
