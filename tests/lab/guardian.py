"""End the lab's processes and remove its files when the one who started them is gone.

A process of its own, in its own session: Ctrl-C in a terminal does not reach it. It reads lines
from its standard input: `watch PID`, `forget PID`, `remove PATH`. The end of the input means that
the starter has finished, crashed or been killed; then it ends what it still watches and removes
the paths. Standard library only: it runs without the lab's path.
"""

import os
import select
import shutil
import signal
import sys
import time
from pathlib import Path

GRACE = 15.0  # seconds from SIGTERM to SIGKILL
_POLL = 0.05


def main() -> None:
    starter = int(sys.argv[1])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watched: list[int] = []
    paths: list[Path] = []
    for line in _lines(starter):
        verb, _, rest = line.partition(" ")
        if verb == "watch":
            watched.append(int(rest))
        elif verb == "forget":
            watched.remove(int(rest))
        elif verb == "remove":
            paths.append(Path(rest))
    # Last started, first ended: the operator goes before the servers that it talks to.
    for pid in reversed(watched):
        _end(pid)
    for path in paths:
        _remove(path)


def _lines(starter: int) -> list[str]:
    """All lines, once the starter is gone. A child of it may hold the pipe open beyond its end."""
    text = b""
    while os.getppid() == starter:
        if select.select([0], [], [], 0.25)[0]:
            data = os.read(0, 65536)
            if not data:
                break
            text += data
    return text.decode().splitlines()


def _end(pid: int) -> None:
    deadline = time.monotonic() + GRACE
    there = _signal(pid, signal.SIGTERM)
    while there:
        time.sleep(_POLL)
        there = _signal(pid, 0 if time.monotonic() < deadline else signal.SIGKILL)


def _signal(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
