"""What the demo prints: steps, commands and their output, before and after."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

_BOLD, _DIM, _GREEN, _RED, _CYAN, _PLAIN = "1", "2", "32", "31", "36", "0"
_MARKS = {"+ ": _GREEN, "- ": _RED}


class Screen:
    """Writes to a stream; in colour only on a terminal, and not where NO_COLOR is set."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self._stream = stream
        self._colour = stream.isatty() and not os.environ.get("NO_COLOR")
        self.steps = 0

    def step(self, text: str) -> None:
        """Announce the next step in one line."""
        self.steps += 1
        self._line("")
        self._line(self._dye(f"{self.steps}. {text}", _BOLD))

    def command(self, text: str, prompt: str = "$") -> None:
        """A command as a person would type it."""
        self._line(f"   {self._dye(prompt, _DIM)} {self._dye(text, _CYAN)}")

    def output(self, text: str) -> None:
        """What a command printed."""
        for line in text.splitlines():
            self._line(f"   {line}")

    def note(self, text: str) -> None:
        """A word in between."""
        self._line(f"   {text}")

    def good(self, text: str) -> None:
        """Something was seen to happen."""
        self._line(f"   {self._dye(text, _GREEN)}")

    def bad(self, text: str) -> None:
        """Something was not."""
        self._line(self._dye(text, _RED))

    def difference(
        self, before: Sequence[str], after: Sequence[str], *, short: bool = False
    ) -> None:
        """The lines of both, those that differ marked with - and +; ``short``: only those."""
        for line in difflib.ndiff(before, after):
            if not line.startswith("? ") and not (short and line.startswith("  ")):
                self._line(f"   {self._dye(line, _MARKS.get(line[:2], _PLAIN))}")

    def _dye(self, text: str, code: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._colour and code != _PLAIN else text

    def _line(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


def organization(state: dict[str, Any], tenant_id: str, app_id: str) -> list[str]:
    """The lab's state in a few lines: what the operator looks after."""
    exchange = state["exchange"]
    proxy = exchange["proxy"]
    target = f", {proxy['organization']}, {proxy['uri']}" if proxy["enabled"] else ""
    return [
        f"Auth certificate  {_certificate(exchange)}",
        *(f"auth server       {one}" for one in _auth_servers(exchange)),
        *(f"principal's key   {one}" for one in _keys(state["microsoft365"], tenant_id, app_id)),
        f"push proxy        {'enabled' if proxy['enabled'] else 'disabled'}{target}",
    ]


def _certificate(exchange: dict[str, Any]) -> str:
    current = exchange["authConfig"]["current"]
    holders = [
        (one["name"], held["notAfter"][:10])
        for one in exchange["servers"]
        for held in one["certificates"]
        if held["thumbprint"] == current and held["privateKey"]
    ]
    if not holders:
        return "none"
    names = ", ".join(name for name, _ in holders)
    return f"{current[:8]}…, until {holders[0][1]}, on {names}"


def _auth_servers(exchange: dict[str, Any]) -> Iterable[str]:
    rows = exchange["authServers"]
    return [f"{one['name']}  {one['metadataUrl']}" for one in rows] or ["none"]


def _keys(microsoft365: dict[str, Any], tenant_id: str, app_id: str) -> Iterable[str]:
    for tenant in microsoft365["tenants"]:
        for holder in tenant["directory"]:
            if tenant["tenantId"] == tenant_id and holder["appId"] == app_id:
                for key in holder["keys"]:
                    name = key["displayName"] or "no name"
                    yield f"{key['thumbprint'][:8]}…  {name}"
