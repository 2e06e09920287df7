"""The operator as a process: the console command, as a user would start it."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import requests

from lab import wait
from lab.canary import CANARIES
from lab.network.redirect import Redirect
from lab.processes import Process, Processes

COMMAND = Path(sys.executable).with_name("exchange-push-operator")
_START = 60.0
_FIRST_LINE = f"exchange-push-operator {version('exchange-push-operator')}"
# What a process needs of the user's environment; settings of the operator, proxies and the path
# of Python modules stay out.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "COVERAGE_PROCESS_START")


class OperatorProcess:
    """One operator at a time. Its log of all lives is one file.

    ``address`` is where its connections come from, if not from 127.0.0.1.
    """

    def __init__(
        self, processes: Processes, redirect: Redirect, name: str = "operator", address: str = ""
    ) -> None:
        self._processes, self._redirect, self.address = processes, redirect, address
        self._process: Process | None = None
        self._started_at = 0
        self.log_file = processes.folder / f"{name}.log"

    @property
    def log(self) -> str:
        """What it has printed so far, in all its lives."""
        return self.log_file.read_text("utf-8", "replace") if self.log_file.exists() else ""

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def command_line(self, arguments: Sequence[str]) -> str:
        """To start it by hand, from any folder."""
        added = self._redirect.environment({})
        words = [f"{name}={value}" for name, value in added.items()]
        return shlex.join([*words, str(COMMAND), "run", *arguments])

    def start(self, arguments: Sequence[str]) -> None:
        """Start it and wait until it watches; AssertionError with its last words if it ends."""
        assert self._process is None, "the operator runs already"
        self._started_at = len(self.log)
        command, environment = [str(COMMAND), "run", *arguments], self._environment()
        CANARIES.show("process list", [*command, *environment.values()])
        self._process = self._processes.start(command, environment, self.log_file)
        wait.until(self._started_or_ended, _START, "the operator to start")
        if self._process.poll() is not None:
            words = self.log[self._started_at :].strip()
            self.stop()
            message = f"the operator did not start; its last words:\n{words}"
            raise AssertionError(message)

    def stop(self) -> int:
        """SIGTERM; its exit code, 0 where it did not run."""
        if self.running:
            with contextlib.suppress(requests.RequestException, IndexError):
                CANARIES.show("metrics", self.health("/metrics")[1])
        process, self._process = self._process, None
        code = self._processes.stop(process) if process else 0
        CANARIES.show("log", self.log[self._started_at :])
        return code

    def freeze(self) -> None:
        """SIGSTOP: nothing of it runs until ``thaw``."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT: it goes on as if no time had passed."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def ended(self, timeout: float) -> int:
        """Wait until it has ended by itself; its exit code."""
        process, self._process = self._process, None
        assert process is not None, "the operator does not run"
        wait.until(lambda: process.poll() is not None, timeout, "the operator to end")
        return self._processes.kill(process)

    def health(self, path: str) -> tuple[int, str]:
        """What it answers on its own port: status and text."""
        port = re.findall(r"health_port=(\d+)", self.log[self._started_at :])[0]
        with requests.Session() as session:
            session.trust_env = False
            found = session.get(f"http://127.0.0.1:{port}{path}", timeout=10)
        return found.status_code, found.text

    def kill(self) -> None:
        """SIGKILL."""
        process, self._process = self._process, None
        if process:
            self._processes.kill(process)
        CANARIES.show("log", self.log[self._started_at :])

    def _started_or_ended(self) -> bool:
        assert self._process is not None
        words = self.log[self._started_at :]
        return _FIRST_LINE in words or self._process.poll() is not None

    def _environment(self) -> Mapping[str, str]:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        # What it leaves behind when it is killed goes with the lab's folder.
        own = {"TMPDIR": str(self._processes.folder), "PYTHONUNBUFFERED": "1"}
        return {**kept, **self._redirect.environment(kept, self.address), **own}
