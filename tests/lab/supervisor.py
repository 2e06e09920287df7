"""Own the processes of a control plane, and end them when their starter is gone.

Started as a process of its own, in its own session: Ctrl-C in a terminal does not reach it. It
watches its standard input, a pipe from the starter: its end means that the starter has stopped,
crashed or been killed. Then everything is stopped and the folder is removed. A line in it is the
name of a process to be killed and started anew.
Standard library only: it runs without the lab's path.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

GRACE = 10  # seconds from SIGTERM to SIGKILL


def main() -> None:
    folder, starter = Path(sys.argv[1]), int(sys.argv[2])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _leave)
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        commands: dict[str, list[str]] = json.loads((folder / "commands.json").read_text("utf-8"))
        for name, command in commands.items():
            processes[name] = _start(command, folder / f"{name}.log")
        while name := _watch(folder, starter, processes):
            processes[name].kill()
            processes[name].wait()
            processes[name] = _start(commands[name], folder / f"{name}.log")
            (folder / f"{name}.restarted").touch()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        # Last started, first stopped: without etcd the API server would linger for a minute.
        for process in reversed(processes.values()):
            _stop(process)
        shutil.rmtree(folder, ignore_errors=True)


def _start(command: list[str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("ab") as output:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=log.parent
        )


def _watch(folder: Path, starter: int, processes: dict[str, "subprocess.Popen[bytes]"]) -> str:
    """The name of the process to start anew; empty when it is time to end."""
    # A child forked by the starter may hold the pipe open beyond its end: look at the parent too.
    while os.getppid() == starter:
        if any(process.poll() is not None for process in processes.values()):
            (folder / "failed").touch()  # the starter reads the logs before it lets go
        if select.select([sys.stdin], [], [], 0.25)[0]:
            return sys.stdin.readline().strip()
    return ""


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    main()
