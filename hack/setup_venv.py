"""Make .venv from the hash-pinned lock, with progress; started by the Makefile only.

Runs on the machine's own Python, so it uses the standard library alone.
"""

import argparse
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

VENV = Path(".venv")
LOCK = Path("requirements/dev.txt")
KERBEROS = Path("requirements/kerberos.txt")
BUILD_TOOLS = Path("requirements/image.txt")


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
        install_kerberos()
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


def install_kerberos() -> None:
    """Compile the kerberos extra where that is possible; its tests are skipped elsewhere."""
    missing = [name for name in ("cc", "krb5-config") if shutil.which(name) is None]
    if missing:
        say(f"no {', '.join(missing)}, so no Kerberos here (Debian: gcc, libkrb5-dev, krb5-kdc)")
        return
    say("compiling the kerberos extra (about a minute)")
    with tempfile.TemporaryDirectory() as folder:
        lock, tools = Path(folder, "extra.txt"), Path(folder, "tools")
        lock.write_text(only_extra(), encoding="utf-8")
        venv.EnvBuilder(with_pip=True, symlinks=True).create(tools)
        pip = [str(tools / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-q"]
        wheels = ["--no-deps", "--no-build-isolation", "--require-hashes", "-r", str(lock)]
        ours = ["--python", str(VENV / "bin" / "python"), "install", "--no-deps", "--no-index"]
        try:
            subprocess.run([*pip, "install", "--require-hashes", "-r", BUILD_TOOLS], check=True)
            subprocess.run([*pip, "wheel", *wheels, "-w", folder], check=True)
            subprocess.run([*pip, *ours, *Path(folder).glob("*.whl")], check=True)
        except subprocess.CalledProcessError:
            say("no kerberos extra (pip's words are above): its tests are skipped")


def only_extra() -> str:
    """What the kerberos lock has and the other has not, hashes included."""
    there = {entry.partition("==")[0] for entry in entries(LOCK)}
    return "\n".join(one for one in entries(KERBEROS) if one.partition("==")[0] not in there)


def entries(lock: Path) -> list[str]:
    """The lock's packages, each with the lines of its hashes."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    return re.split(r"\n(?=\S)", text)


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
