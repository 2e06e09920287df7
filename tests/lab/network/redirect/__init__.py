"""Real host names for the processes that the lab starts, ending on loopback ports.

``Redirect(folder)`` keeps a table (host, port) -> lab port in a file and gives the environment to
start a Python process with. In that process ``startup/sitecustomize.py`` sends look-ups through
the table. Nothing of the product knows about it. A name that is not in the table and not loopback
does not resolve, and no other address can be reached: a test never leaves the machine.

Not covered: programs that are not Python, and resolvers written in C (aiodns, libkrb5).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

STARTUP = Path(__file__).parent / "startup"
VARIABLE = "LAB_REDIRECT_TABLE"
ADDRESS = "LAB_OWN_ADDRESS"


class Redirect:
    """The table of one lab. Processes already running see a change at their next look-up."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "redirect.json"
        self._table: dict[str, int] = {}
        self._write()

    def set(self, host: str, port: int, lab_port: int) -> None:
        """Send ``host:port`` to a port of this machine."""
        self._table[_key(host, port)] = lab_port
        self._write()

    def remove(self, host: str, port: int) -> None:
        """Take the entry back; a host without entries does not resolve any more."""
        self._table.pop(_key(host, port), None)
        self._write()

    def environment(
        self, base: Mapping[str, str] = os.environ, address: str = ""
    ) -> dict[str, str]:
        """What to add to the environment of a child, on top of ``base``.

        ``address`` is of the loopback network; the child's connections come from it.
        """
        rest = base.get("PYTHONPATH", "")
        paths = [str(STARTUP), *([rest] if rest else [])]
        own = {ADDRESS: address} if address else {}
        return {"PYTHONPATH": os.pathsep.join(paths), VARIABLE: str(self.path), **own}

    def _write(self) -> None:
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps(self._table, indent=1))
        draft.replace(self.path)


def _key(host: str, port: int) -> str:
    return f"{host.lower()}:{port}"
