"""Who asked what, and when: every call that reached a server or Microsoft 365, by its sender.

The sender is the address that the connection came from, as the servers see it. Operators that run
side by side have one each, like Pods.
"""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    """``at`` is of the clock ``time.monotonic``, which all processes of this machine share."""

    at: float
    client: str
    name: str
    changes: bool


class Journal:
    """Written by the threads that serve, in the order in which calls arrive."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._lock = threading.Lock()

    def note(self, client: str, name: str, *, changes: bool) -> None:
        with self._lock:
            self._calls.append(Call(time.monotonic(), client, name, changes))

    def clear(self) -> None:
        with self._lock:
            self._calls.clear()

    def as_dicts(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(call) for call in self._calls]
