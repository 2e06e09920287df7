"""Runs at the start of a process of the lab: look-ups go through the lab's table.

Covers ``socket.getaddrinfo`` (and so requests, urllib3, asyncio and aiohttp's default resolver),
the older ``gethostbyname`` functions, and connecting by name or to an address outside. It must
not import anything of the lab: the process may not have it on its path.
"""

from __future__ import annotations

import errno
import importlib.machinery
import importlib.util
import ipaddress
import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_VARIABLE = "LAB_REDIRECT_TABLE"
_ADDRESS = (
    "LAB_OWN_ADDRESS"  # connections come from this loopback address, as from a Pod of its own
)
_NO_LISTENER = 1  # tcpmux: a host of the table, asked at a port that the lab does not serve
_HERE = Path(__file__).resolve().parent


class _Table:
    """The file's content, read again when the file has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._ports: dict[str, int] = {}

    def port(self, host: str, port: int | None) -> int:
        """The lab's port. Raises gaierror for a host that the lab does not have."""
        ports = self._read()
        name = host.lower().rstrip(".")
        if name in self._unresolvable():
            raise socket.gaierror(socket.EAI_NONAME, f"{host}: does not resolve now")
        known = ports.get(f"{name}:{port}")
        if known is not None:
            return known
        if any(key.rpartition(":")[0] == name for key in ports):
            return _NO_LISTENER
        raise socket.gaierror(socket.EAI_NONAME, f"{host}: not a host of the lab")

    def _unresolvable(self) -> list[str]:
        """Hosts that a switch of the lab hides; see LabServers."""
        path = self._path.with_name("unresolvable.json")
        return json.loads(path.read_text()) if path.exists() else []

    def _read(self) -> dict[str, int]:
        found = self._path.stat()
        stamp = (found.st_mtime_ns, found.st_ino)
        if stamp != self._stamp:
            self._ports, self._stamp = json.loads(self._path.read_text()), stamp
        return self._ports


def _text(host: Any) -> str:
    return host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    if _is_address(host):
        address = ipaddress.ip_address(host.partition("%")[0])
        return address.is_loopback or address.is_unspecified
    return host in {"", "localhost", "localhost.localdomain"}


def _number(port: Any) -> int | None:
    if port is None or isinstance(port, int):
        return port
    text = _text(port)
    return int(text) if text.isdecimal() else socket.getservbyname(text)


class _LookUps:
    """The functions of ``socket`` that resolve names, with the table in front."""

    def __init__(self, table: _Table) -> None:
        self._table = table
        self._getaddrinfo = socket.getaddrinfo
        self._gethostbyname = socket.gethostbyname
        self._gethostbyname_ex = socket.gethostbyname_ex
        self._gethostbyaddr = socket.gethostbyaddr

    def getaddrinfo(self, host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        if host is None or _needs_no_table(_text(host)):
            return self._getaddrinfo(host, port, *rest, **options)
        lab_port = self._table.port(_text(host), _number(port))
        return self._getaddrinfo("127.0.0.1", lab_port, *rest, **options)

    def gethostbyname(self, hostname: str) -> Any:
        if _needs_no_table(hostname):
            return self._gethostbyname(hostname)
        self._table.port(hostname, None)
        return "127.0.0.1"

    def gethostbyname_ex(self, hostname: str) -> Any:
        if _needs_no_table(hostname):
            return self._gethostbyname_ex(hostname)
        return hostname, [], [self.gethostbyname(hostname)]

    def gethostbyaddr(self, ip_address: str) -> Any:
        if _is_loopback(ip_address):
            return self._gethostbyaddr(ip_address)
        raise socket.gaierror(socket.EAI_NONAME, f"{ip_address}: not a host of the lab")

    def install(self) -> None:
        names = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr")
        for name in names:
            setattr(socket, name, getattr(self, name))


def _needs_no_table(host: str) -> bool:
    return _is_address(host) or _is_loopback(host)


def _inside(table: _Table, connection: socket.socket, address: Any) -> Any:
    """Where a connection really goes: by name through the table, never off this machine."""
    if connection.family not in {socket.AF_INET, socket.AF_INET6}:
        return address
    host, port, *rest = address
    name = _text(host)
    if _is_loopback(name):
        return address
    if _is_address(name):
        raise OSError(errno.ENETUNREACH, f"{name} is outside of the lab")
    return ("127.0.0.1", table.port(name, _number(port)), *rest)


def _guarded(table: _Table, original: Callable[..., Any]) -> Callable[..., Any]:
    own = os.environ.get(_ADDRESS)

    def connect(self: socket.socket, address: Any) -> Any:
        if own and self.family == socket.AF_INET and not self.getsockname()[1]:
            self.bind((own, 0))
        return original(self, _inside(table, self, address))

    return connect


def _install(path: Path) -> None:
    table = _Table(path)
    _LookUps(table).install()
    for name in ("connect", "connect_ex"):
        setattr(socket.socket, name, _guarded(table, getattr(socket.socket, name)))


def _chain() -> None:
    """Run the sitecustomize that this one stands in front of."""
    others = [entry for entry in sys.path if Path(entry or ".").resolve() != _HERE]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


if __name__ == "sitecustomize":
    if _VARIABLE in os.environ:
        _install(Path(os.environ[_VARIABLE]))
    _chain()
