"""`kubectl get --watch` as a person sees it, line by line."""

from __future__ import annotations

import selectors
import subprocess
import time
from typing import IO

from lab.running import RunningLab


class Watch:
    """`kubectl get --watch` whose lines are read one by one."""

    def __init__(self, lab: RunningLab, command: list[str]) -> None:
        self._processes = lab.processes
        log = lab.folder / "watch.log"
        self._process = self._processes.start(command, {}, log, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self._output: IO[bytes] = self._process.stdout
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._output, selectors.EVENT_READ)
        self._rest = b""

    def line(self, timeout: float) -> str:
        """The next line; what there is of it after the timeout."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self._rest and self._selector.select(deadline - time.monotonic()):
            data = self._output.read1(65536)  # type: ignore[attr-defined]  # a BufferedReader
            if not data:
                break
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()

    def close(self) -> None:
        """End kubectl."""
        self._selector.close()
        self._processes.kill(self._process)
        self._output.close()
