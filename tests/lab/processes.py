"""Processes and files of the lab that are gone when the lab is gone, however it ends."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self, TypeAlias

Process: TypeAlias = "subprocess.Popen[bytes]"
_GRACE = 25.0  # seconds; the operator takes up to 20 for passes that run


class Processes:
    """Starts processes; `folder` takes their files. A context manager that leaves nothing behind.

    Each process has a session of its own: Ctrl-C in a terminal reaches us first, and we end them
    in order. Should we be killed, the guardian does.
    """

    def __init__(self, prefix: str = "exchange-push-lab-") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=prefix))
        self._running: list[Process] = []
        self._paths: list[Path] = []
        script = Path(__file__).with_name("guardian.py")
        command = [sys.executable, "-I", str(script), str(os.getpid())]
        self._guardian = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        self.remove_at_end(self.folder)

    def start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        *,
        stdout: int | None = None,
    ) -> Process:
        """Start a process; what it prints goes to the end of `log`, or to `stdout`."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output if stdout is None else stdout,
                stderr=output,
                cwd=self.folder,
                start_new_session=True,
            )
        self._running.append(process)
        self._tell(f"watch {process.pid}")
        return process

    def stop(self, process: Process) -> int:
        """SIGTERM, and SIGKILL when that is not enough; the exit code."""
        if process.poll() is None:
            process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
        return self.kill(process)

    def kill(self, process: Process) -> int:
        """SIGKILL; the exit code."""
        if process.poll() is None:
            process.kill()
        code = process.wait()
        if process in self._running:
            self._running.remove(process)
            self._tell(f"forget {process.pid}")
        return code

    def remove_at_end(self, path: Path) -> None:
        """A file or folder that must not outlive us."""
        self._paths.append(path)
        self._tell(f"remove {path}")

    def close(self) -> None:
        """End what still runs, last started first; fine to call twice."""
        for process in reversed(self._running.copy()):
            self.stop(process)
        for path in self._paths:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        if self._guardian.stdin and not self._guardian.stdin.closed:
            self._guardian.stdin.close()
        self._guardian.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _tell(self, line: str) -> None:
        assert self._guardian.stdin is not None
        self._guardian.stdin.write(f"{line}\n".encode())
        self._guardian.stdin.flush()
