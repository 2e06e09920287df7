"""Counters that several threads move."""

from __future__ import annotations

import threading
from collections import Counter


class Counters:
    """Numbers by name: ``Create``, ``Receive``, ``auth``, ``processes``, ``host.run``, ..."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: Counter[str] = Counter()

    def add(self, name: str, amount: int = 1) -> None:
        with self._lock:
            self._numbers[name] += amount

    def snapshot(self) -> dict[str, int]:
        with self._lock:
            return dict(self._numbers)

    def __getitem__(self, name: str) -> int:
        with self._lock:
            return self._numbers[name]
