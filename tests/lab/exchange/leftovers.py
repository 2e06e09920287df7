"""Shells that were still open when the lab's server was stopped. After any test there are none."""

from __future__ import annotations

import threading


class Leftovers:
    """A note for each server that was stopped with shells on it; servers stop in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._notes: list[str] = []

    def add(self, server: str, shells: int) -> None:
        if shells:
            with self._lock:
                self._notes.append(f"{server}: {shells} open")

    def take(self) -> list[str]:
        """All notes since the last time."""
        with self._lock:
            notes, self._notes = self._notes, []
            return notes


LEFTOVERS = Leftovers()
