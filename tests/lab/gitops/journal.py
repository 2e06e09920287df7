"""What was seen when: every state of some objects, in the order in which the API server told it."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO

from lab import wait
from lab.running import RunningLab


@dataclass(frozen=True, slots=True)
class Entry:
    """A state of one object; ``at`` is the monotonic clock's."""

    at: float
    source: str
    name: str
    fields: Mapping[str, str]

    def shows(self, **wanted: str) -> bool:
        """Whether all these fields have these values."""
        return all(self.fields[key] == value for key, value in wanted.items())


class Journal:
    """Follows objects by `kubectl get --watch`, one thread for each kind."""

    def __init__(self, lab: RunningLab) -> None:
        self._lab = lab
        self._entries: list[Entry] = []
        self._lock = threading.Lock()

    def follow(self, source: str, namespace: str, fields: Mapping[str, str]) -> None:
        """Follow all objects of a kind; ``fields`` are JSON paths by name, a free text last."""
        paths = (".metadata.name", *fields.values())
        line = "|".join(f"{{{path}}}" for path in paths) + '{"\\n"}'
        command = [*self._lab.cluster.kubectl_command(namespace), "get", source, "--watch"]
        log = self._lab.folder / "journal.log"
        process = self._lab.processes.start(
            [*command, "-o", f"jsonpath={line}"], {}, log, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        arguments = (process.stdout, source, tuple(fields))
        threading.Thread(target=self._read, args=arguments, daemon=True).start()

    def mark(self) -> float:
        """The present, for those who ask what happened since."""
        return time.monotonic()

    def since(self, mark: float, source: str, name: str) -> list[Entry]:
        """All states of an object from a moment on."""
        with self._lock:
            entries = self._entries.copy()
        return [e for e in entries if (e.source, e.name) == (source, name) and e.at >= mark]

    def latest(self, source: str, name: str) -> Entry | None:
        """The last state of an object that was seen, also of one that is gone."""
        return next(reversed(self.since(0, source, name)), None)

    def wait_for(
        self,
        what: str,
        source: str,
        name: str,
        holds: Callable[[Entry], bool],
        *,
        since: float = 0.0,
        timeout: float = 60.0,
    ) -> Entry:
        """The first state of an object since a moment that is as wanted.

        Raises:
            AssertionError: it was not seen in time; the text has the last states.
        """

        def seen() -> Entry:
            entries = self.since(since, source, name)
            found = next((entry for entry in entries if holds(entry)), None)
            assert found is not None, "".join(f"\n  {dict(e.fields)}" for e in entries[-5:])
            return found

        return wait.until(seen, timeout, what)

    def _read(self, output: IO[bytes], source: str, fields: tuple[str, ...]) -> None:
        with output:
            for line in output:
                name, *values = line.decode().rstrip("\n").split("|", len(fields))
                entry = Entry(
                    time.monotonic(), source, name, dict(zip(fields, values, strict=True))
                )
                with self._lock:
                    self._entries.append(entry)
