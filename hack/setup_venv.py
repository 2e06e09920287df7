"""Make .venv from the hash-pinned lock, with progress; started by the Makefile only.

Runs on the machine's own Python, so it uses the standard library alone.
"""

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

VENV = Path(".venv")
LOCK = Path("requirements/dev.txt")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--stamp", type=Path, required=True)
    stamp: Path = arguments.parse_args().stamp
    with Path(".venv.lock").open("w", encoding="utf-8") as lock:
        wait_for(lock.fileno())
        if stamp.exists() and stamp.read_text(encoding="utf-8") == LOCK.read_text(encoding="utf-8"):
            stamp.touch()  # another make was quicker, or the lock was only touched
            return
        create()
        install()
        stamp.write_text(LOCK.read_text(encoding="utf-8"), encoding="utf-8")


def wait_for(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("another make is setting up .venv, waiting")
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def create() -> None:
    say(f"making .venv with Python {sys.version.split()[0]}")
    if VENV.is_symlink():
        VENV.unlink()
    shutil.rmtree(VENV, ignore_errors=True)
    venv.EnvBuilder(with_pip=True, symlinks=True).create(VENV)


def install() -> None:
    total = sum("==" in line for line in LOCK.read_text(encoding="utf-8").splitlines())
    command = [
        str(VENV / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "--no-input",
        "--progress-bar=off",
    ]
    command += ["--no-deps", "--require-hashes", "-r", str(LOCK)]  # the lock is complete
    say(f"installing {total} packages of {LOCK} (about half a minute)")
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as pip:
        output = follow(pip, total)
    if pip.returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        tail = "\n".join(output[-15:])
        sys.exit(
            f"{tail}\ncannot install the packages of {LOCK} (pip's words are above): check that"
            " pip reaches its package index, then run make again"
        )


def follow(pip: "subprocess.Popen[str]", total: int) -> list[str]:
    """Show one line for every tenth package: progress without a flood."""
    output, seen = [], 0
    for line in pip.stdout or ():
        output.append(line.rstrip())
        if line.startswith("Collecting "):
            seen += 1
            if seen % 10 == 0:
                say(f"  {seen} of at most {total}: {line.split()[1]}")
        elif line.startswith("Installing "):
            say("  unpacking")
    return output


def say(text: str) -> None:
    print(f"setup: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
