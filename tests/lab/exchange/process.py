"""A process in a remote shell: stage 0 of the bootstrap, then the host, in a thread of its own."""

from __future__ import annotations

import base64
import binascii
import hashlib
import queue
import threading
from collections.abc import Callable
from typing import Protocol

from lab.exchange.host import Host

NOT_THE_BOOTSTRAP = b"this lab serves only the bootstrap of the operator\r\n"
_AT_MOST = 100_000  # bytes of a stream in one Receive


class Bootstrap(Protocol):
    """What the product starts: ``exchange_push_operator.adapters.host_script.bootstrap()``."""

    @property
    def command_line(self) -> str: ...
    @property
    def sha256(self) -> str: ...


class Process:
    """Reads standard input, writes standard output; ``receive`` waits without polling."""

    def __init__(self, command: str, bootstrap: Bootstrap, start: Callable[[], Host]) -> None:
        self._condition = threading.Condition()
        self._output = {"stdout": b"", "stderr": b""}
        self._exit_code: int | None = None
        self._input: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._bootstrap = bootstrap
        self._start = start
        if command != bootstrap.command_line:
            self._write(NOT_THE_BOOTSTRAP, stream="stderr", exit_code=1)
            return
        threading.Thread(target=self._run, name="lab-process", daemon=True).start()

    @property
    def running(self) -> bool:
        with self._condition:
            return self._exit_code is None

    def send(self, data: bytes, *, end: bool) -> bool:
        """Write to standard input; False where the process has ended."""
        if not self.running:
            return False
        if data:
            self._input.put(data)
        if end:
            self._input.put(None)
        return True

    def receive(self, timeout: float) -> tuple[dict[str, bytes], int | None] | None:
        """Output and exit code as soon as there is any; None when there is none in time."""
        with self._condition:
            if not self._condition.wait_for(self._something, timeout):
                return None
            streams = {name: data[:_AT_MOST] for name, data in self._output.items() if data}
            for name, data in streams.items():
                self._output[name] = self._output[name][len(data) :]
            return streams, None if any(self._output.values()) else self._exit_code

    def kill(self) -> None:
        """End it; whoever waits for output is woken."""
        self._input.put(None)
        with self._condition:
            if self._exit_code is None:
                self._exit_code = 1
            self._condition.notify_all()

    def _something(self) -> bool:
        return self._exit_code is not None or any(self._output.values())

    def _write(self, data: bytes, *, stream: str = "stdout", exit_code: int | None = None) -> None:
        with self._condition:
            if self._exit_code is None:
                self._output[stream] += data
                self._exit_code = exit_code
            self._condition.notify_all()

    def _run(self) -> None:
        try:
            self._main()
        finally:
            self._write(b"", exit_code=1)  # counts only where the lab itself has failed

    def _main(self) -> None:
        first, rest = self._first_line()
        if not self._genuine(first):
            self._write(b"!hash\n", exit_code=97)
            return
        self._talk(self._start(), rest)

    def _talk(self, host: Host, rest: bytes) -> None:
        """Let the host answer; ``rest`` is what it has to read before what comes."""
        self._write(host.start())
        self._write(host.feed(rest), exit_code=host.exit_code)
        while self.running:
            data = self._input.get()
            if data is None:
                host.end()
                self._write(b"", exit_code=host.exit_code)
            else:
                self._write(host.feed(data), exit_code=host.exit_code)

    def _first_line(self) -> tuple[bytes, bytes]:
        """The first line of standard input, and what came behind it."""
        text = b""
        while b"\n" not in text:
            data = self._input.get()
            if data is None:
                return text, b""
            text += data
        first, _, rest = text.partition(b"\n")
        return first, rest

    def _genuine(self, line: bytes) -> bool:
        """Is it the host script that the product ships?"""
        try:
            script = base64.b64decode(line.strip(), validate=True)
        except binascii.Error:
            return False
        return hashlib.sha256(script).hexdigest().upper() == self._bootstrap.sha256.upper()
