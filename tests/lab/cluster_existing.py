"""Read the address, CA and token of a cluster that somebody else runs."""

import base64
import json
from pathlib import Path
from typing import Any

from lab.cluster import Cluster
from lab.toolchain import SetupError


def read_existing(cluster: Cluster) -> tuple[str, Path, str]:
    if not cluster.kubeconfig.is_file():
        message = f"there is no kubeconfig at {cluster.kubeconfig}: name an existing file"
        raise SetupError(message)
    shown = cluster.run_kubectl("config", "view", "--raw", "--minify", "-o", "json", check=False)
    if shown.returncode:
        message = f"cannot use the kubeconfig {cluster.kubeconfig}: {shown.stderr.strip()}"
        raise SetupError(message)
    config: dict[str, Any] = json.loads(shown.stdout)
    settings: dict[str, Any] = config["clusters"][0]["cluster"]
    users: list[dict[str, Any]] = config.get("users") or [{"user": {}}]
    return settings["server"], _ca_file(cluster, settings), users[0]["user"].get("token", "")


def _ca_file(cluster: Cluster, settings: dict[str, Any]) -> Path:
    named: str | None = settings.get("certificate-authority")
    embedded: str | None = settings.get("certificate-authority-data")
    if named:
        return (cluster.kubeconfig.parent / named).absolute()
    if not embedded:
        message = f"the kubeconfig {cluster.kubeconfig} names no CA: add certificate-authority-data"
        raise SetupError(message)
    path = cluster.folder / "ca.crt"
    path.write_bytes(base64.b64decode(embedded))
    return path
