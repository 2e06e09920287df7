"""Build one program of a pinned Go module, with progress, and put it in place by a rename."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from lab.toolchain import SetupError, environment, say

_FULL = "the disk is full: free 6 GB, or move the caches with XDG_CACHE_HOME and GOCACHE"
_NO_NETWORK = (
    "Go modules cannot be downloaded: check the network or GOPROXY, or point KUBEBUILDER_ASSETS at"
    " a folder with etcd, kube-apiserver and kubectl"
)
_NO_MEMORY = "the compiler was stopped, most likely for want of memory: 4 GB are needed"
_CURES = {
    "no space left": _FULL,
    "disk quota": _FULL,
    "dial tcp": _NO_NETWORK,
    "no such host": _NO_NETWORK,
    "i/o timeout": _NO_NETWORK,
    "proxyconnect": _NO_NETWORK,
    "tls: ": _NO_NETWORK,
    "module lookup disabled": _NO_NETWORK,
    "signal: killed": _NO_MEMORY,
    "cannot allocate memory": _NO_MEMORY,
}


def build(
    go: Path, module: Path, package: str, target: Path, *, ldflags: str, tags: str = ""
) -> None:
    for left_over in target.parent.glob(f".{target.name}.*"):
        left_over.unlink()  # of a run that was killed: the caller holds the lock
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    # The flags stand here and not in GOFLAGS, where a developer's own would win.
    command = [str(go), "build", "-v", "-mod=readonly", "-trimpath", "-buildvcs=false"]
    command += ["-tags", tags, "-ldflags", ldflags, "-o", str(unfinished), package]
    log = target.parent.parent / f"{target.name}.log"
    started = time.monotonic()
    try:
        _run(command, module, environment(go), log)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    say(f"built {target.name} in {_elapsed(started)}")


def source(go: Path, module: Path, dependency: str) -> Path:
    """Where Go keeps the files of a dependency; downloaded first where it is missing."""
    command = [str(go), "mod", "download", "-json", dependency]
    done = subprocess.run(
        command, cwd=module, env=environment(go), capture_output=True, text=True, check=False
    )
    if done.returncode:
        message = f"{done.stdout.strip()}{done.stderr.strip()}\ncannot download {dependency}"
        raise SetupError(message)
    return Path(json.loads(done.stdout)["Dir"])


def _run(command: list[str], folder: Path, env: dict[str, str], log: Path) -> None:
    name, started = log.stem, time.monotonic()
    with (
        log.open("w", encoding="utf-8") as output,
        subprocess.Popen(command, cwd=folder, env=env, stdout=output, stderr=output) as process,
    ):
        try:
            while not _finished(process):
                say(f"building {name}: {_activity(log)}, {_elapsed(started)}")
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise SetupError(_explain(name, log))


def _finished(process: "subprocess.Popen[bytes]") -> bool:
    try:
        process.wait(timeout=2 if sys.stderr.isatty() else 10)
    except subprocess.TimeoutExpired:
        return False
    return True


def _activity(log: Path) -> str:
    """`go build -v` names each package that it compiles, and each module that it downloads."""
    lines = log.read_text("utf-8", "replace").splitlines()
    downloads = sum(line.startswith("go: downloading") for line in lines)
    return f"{downloads} modules downloaded, {len(lines) - downloads} packages compiled"


def _elapsed(started: float) -> str:
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"


def _explain(name: str, log: Path) -> str:
    text = log.read_text("utf-8", "replace")
    tail = "\n".join(text.splitlines()[-8:])
    for sign, cure in _CURES.items():
        if sign in text.lower():
            return f"{tail}\ncannot build {name}: {cure}"
    return f"{tail}\ncannot build {name}: Go's last words are above, all of them in {log}"
