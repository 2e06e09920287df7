"""What the texts of settings mean; ValueError or SpecError for what means nothing."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from exchange_push_operator.core.durations import parse_duration

MOST_WORKERS = 256
_LARGEST_PORT = 65535
_LONGEST_NAME = 253

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def duration(text: str) -> timedelta:
    """A duration of more than nothing."""
    value = parse_duration(text, "")
    _require(value > timedelta(), f"{text!r} must be more than zero")
    return value


def workers(text: str) -> int:
    """How many workers."""
    number = int(text) if text.isdecimal() else 0
    _require(
        1 <= number <= MOST_WORKERS, f"{text!r} is not a whole number from 1 to {MOST_WORKERS}"
    )
    return number


def boolean(text: str) -> bool:
    """A switch."""
    _require(text.lower() in _BOOLEANS, f"{text!r} is neither true nor false")
    return _BOOLEANS[text.lower()]


def file(text: str) -> Path:
    """A file that exists."""
    _require(Path(text).is_file(), f"there is no file {text}")
    return Path(text)


def namespace(text: str) -> str:
    """The name of a namespace."""
    good = _NAMESPACE.fullmatch(text) is not None
    _require(good, f"{text!r} is not the name of a namespace")
    return text


def object_name(text: str) -> str:
    """The name of an object of Kubernetes."""
    good = len(text) <= _LONGEST_NAME and all(map(_NAMESPACE.fullmatch, text.split(".")))
    _require(good, f"{text!r} is not a name as Kubernetes has them: a-z, 0-9, - and .")
    return text


def address(text: str) -> tuple[str, int]:
    """Where to listen: an IP address, or nothing for all of them, and a port."""
    host, colon, port = text.rpartition(":")
    number = int(port) if port.isdecimal() else -1
    good = bool(colon) and 0 <= number <= _LARGEST_PORT
    _require(good, f"{text!r} is not like :8080, 127.0.0.1:8080 or [::1]:8080")
    host = host.removeprefix("[").removesuffix("]")
    if host:
        ip_address(host)
    return host, number


def one_of(choices: tuple[str, ...], text: str) -> str:
    """One of a few words."""
    _require(text in choices, f"{text!r} is none of {', '.join(choices)}")
    return text


def folder(text: str) -> Path:
    """A folder that exists."""
    _require(Path(text).is_dir(), f"there is no folder {text}")
    return Path(text)


def proxy(text: str) -> str:
    """The address of an HTTP proxy. Never repeated where it may hold a password."""
    parts = urlsplit(text)
    _require(
        "@" not in text, "an address holds no user name: --entra-proxy-credentials is for that"
    )
    _require(
        parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.path.strip("/"),
        f"{text!r} is not like http://proxy.corp.fabrikam.com:3128",
    )
    _require(parts.port is not None, f"{text!r} names no port")
    return f"{parts.scheme}://{parts.netloc}"


def _require(good: bool, message: str) -> None:  # noqa: FBT001 - reads as an assertion
    if not good:
        raise ValueError(message)
