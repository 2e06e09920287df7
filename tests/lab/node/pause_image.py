"""The image that holds a Pod's namespaces open: none can be pulled, so it is made here."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path

from lab import gobuild, toolchain

NAME = "lab.local/pause:1"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def write(path: Path) -> None:
    """Write it as an archive that `ctr images import` reads."""
    program = path.with_name("pause")
    go = toolchain.find_go((1, 26, 0))
    gobuild.build(go, Path(__file__).with_name("pause"), ".", program, ldflags="-s -w")
    layer = _tar({"pause": program.read_bytes()}, mode=0o755)
    config = {
        "architecture": _ARCHITECTURES[platform.machine()],
        "os": "linux",
        "config": {"Entrypoint": ["/pause"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [NAME], "Layers": ["layer.tar"]}]
    documents = {"config.json": config, "manifest.json": manifest}
    files = {name: json.dumps(document).encode() for name, document in documents.items()}
    path.write_bytes(_tar({**files, "layer.tar": layer}, mode=0o644))


def _tar(files: dict[str, bytes], *, mode: int) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return output.getvalue()
