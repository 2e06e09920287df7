"""Files that are named on a command line."""

from __future__ import annotations

from pathlib import Path

from exchange_push_operator.core.errors import SpecError


def content(flag: str, path: Path) -> bytes:
    """All of it. Raises: SpecError."""
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:  # a name with a zero byte
        why = getattr(error, "strerror", None) or error
        message = f"{flag} {path}: cannot be read: {why}"
        raise SpecError(message) from error


def text(flag: str, path: Path) -> str:
    """All of it. Raises: SpecError."""
    try:
        return content(flag, path).decode()
    except UnicodeDecodeError as error:
        message = f"{flag} {path}: cannot be read as UTF-8 text"
        raise SpecError(message) from error
