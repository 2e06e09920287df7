"""`.lab/endpoints.json`: where a running `make lab` answers, for clients without redirection."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.resources import ROOT
from lab.running import RunningLab
from lab.toolchain import SetupError

FOLDER = ROOT / ".lab"
NAME = "endpoints.json"


def document(lab: RunningLab) -> dict[str, Any]:
    """The file's content; tests/lab/README.md explains each key."""
    found = lab.endpoints
    return {
        "kubeconfig": str(lab.cluster.kubeconfig),
        "kubectl": str(lab.cluster.kubectl),
        "ca": found["ca"],
        "control": found["control"],
        "exchange": found["exchange"],
        "entra": found["entra"],
    }


def publish(lab: RunningLab, folder: Path = FOLDER) -> Path:
    """Write the file, all at once; it goes when the lab goes."""
    path = folder / NAME
    lab.processes.remove_at_end(path)
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(document(lab), indent=2) + "\n", encoding="utf-8")
    draft.replace(path)
    return path


@contextmanager
def alone(folder: Path = FOLDER) -> Iterator[None]:
    """Two labs cannot share the file. Raises SetupError."""
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = f"a lab of this folder runs already, see {folder / NAME}; end it with Ctrl-C"
            raise SetupError(message) from error
        yield
