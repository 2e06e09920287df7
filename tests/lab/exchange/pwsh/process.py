"""A process in a remote shell: the shipped stage 0 and host script in a real PowerShell."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

from lab.exchange.host import Host
from lab.exchange.process import Bootstrap, Process
from lab.exchange.pwsh.broker import Broker
from lab.exchange.pwsh.stubs import prelude

_CHUNK = 65_536


class PowerShellProcess(Process):
    """The same to whoever sends and receives; ``powershell`` is a path."""

    def __init__(
        self, command: str, bootstrap: Bootstrap, start: Callable[[], Host], powershell: str
    ) -> None:
        self._powershell = powershell
        self._child: subprocess.Popen[bytes] | None = None
        super().__init__(command, bootstrap, start)

    def kill(self) -> None:
        super().kill()
        self._die()

    def _die(self) -> None:
        """What it has said is still read."""
        if self._child is not None:
            self._child.kill()

    def _main(self) -> None:
        host = self._start()
        with (
            tempfile.TemporaryDirectory(prefix="lab-pwsh-") as folder,
            Broker(host, self._die) as broker,
        ):
            script = Path(folder) / "prelude.ps1"
            script.write_text(prelude(broker.address), "ascii")
            command = with_prelude(self._bootstrap.command_line, script).split(" ")
            self._serve([self._powershell, *command[1:]], host, broker)

    def _serve(self, command: list[str], host: Host, broker: Broker) -> None:
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as child:
            self._child = child
            if not self.running:  # killed meanwhile
                child.kill()
            readers = [
                threading.Thread(target=self._read_answers, args=(child.stdout, host)),
                threading.Thread(target=self._pump, args=(child.stderr, "stderr")),
            ]
            for reader in readers:
                reader.start()
            self._write_requests(child.stdin, host, broker)
            for reader in readers:
                reader.join()
        self._write(b"", exit_code=child.returncode if child.returncode >= 0 else 1)

    def _write_requests(self, stdin: IO[bytes] | None, host: Host, broker: Broker) -> None:
        assert stdin is not None
        rest = b""
        with contextlib.suppress(OSError), stdin:  # it may end before it has read all
            while (data := self._input.get()) is not None:
                *lines, rest = (rest + data).split(b"\n")
                for line in filter(None, map(_operation, lines)):
                    host.counters.add(f"host.{line}")
                    broker.expect_request()
                stdin.write(data)
                stdin.flush()

    def _read_answers(self, stdout: IO[bytes] | None, host: Host) -> None:
        """The first line says on which computer it runs: here that of the model."""
        assert stdout is not None
        for line in iter(stdout.readline, b""):
            self._write(on_computer(line, host.server.name))
            if b'"ready"' in line:
                break
        self._pump(stdout, "stdout")
        self._input.put(None)

    def _pump(self, stream: IO[bytes] | None, name: str) -> None:
        assert stream is not None
        while data := stream.read1(_CHUNK):  # type: ignore[attr-defined]  # a BufferedReader
            self._write(data, stream=name)


def with_prelude(command_line: str, script: Path) -> str:
    """The product's command line, with a script run before its own."""
    start, _, encoded = command_line.rpartition(" ")
    stage0 = base64.b64decode(encoded).decode("utf-16-le")
    text = f". '{script}'\n{stage0}"
    return f"{start} {base64.b64encode(text.encode('utf-16-le')).decode('ascii')}"


def on_computer(line: bytes, name: str) -> bytes:
    """The ready line with another computer's name; any other line as it is."""
    try:
        ready = json.loads(line)
    except ValueError:
        return line
    if not isinstance(ready, dict) or "ready" not in ready:
        return line
    return json.dumps(ready | {"host": name}, separators=(",", ":")).encode("ascii") + b"\n"


def _operation(line: bytes) -> str:
    """What a request asks for; "" for a line that is none."""
    try:
        request = json.loads(line)
    except ValueError:
        return ""
    return str(request.get("op", "")) if isinstance(request, dict) else ""
