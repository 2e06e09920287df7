"""The chart as an installer uses it: real helm, default values but for what is of this place."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

from lab import binaries
from lab.cluster import Cluster
from lab.processes import Process
from lab.resources import ROOT, merged

NAME = NAMESPACE = "exchange-push-operator"
CHART = ROOT / "helm" / NAME
CA = "lab-ca"
_TIMEOUT = "120s"


class Release:
    """One installation of the chart."""

    def __init__(self, cluster: Cluster, folder: Path, values: dict[str, Any]) -> None:
        self._cluster, self._folder, self._values = cluster, folder, values

    def upgrade(self, *, wait: bool = True, **changes: Any) -> None:
        """`helm upgrade --install`, with these values changed for this once."""
        process = self.start_upgrade(wait=wait, **changes)
        output, _ = process.communicate()
        assert process.returncode == 0, f"helm upgrade failed: {output.decode()}"

    def start_upgrade(self, *, wait: bool = True, **changes: Any) -> Process:
        """The same in the background."""
        path = self._folder / "values.json"
        path.write_text(json.dumps(merged(self._values, changes)), encoding="utf-8")
        words = ["upgrade", "--install", NAME, str(CHART), f"--values={path}"]
        return self._helm(*words, *(["--wait", f"--timeout={_TIMEOUT}"] if wait else []))

    def uninstall(self) -> None:
        """`helm uninstall`."""
        process = self._helm("uninstall", NAME, "--wait", f"--timeout={_TIMEOUT}")
        output, _ = process.communicate()
        assert process.returncode == 0, f"helm uninstall failed: {output.decode()}"

    def _helm(self, *words: str) -> Process:
        where = [f"--kubeconfig={self._cluster.kubeconfig}", f"--namespace={NAMESPACE}"]
        own = {f"HELM_{one}_HOME": str(self._folder) for one in ("CACHE", "CONFIG", "DATA")}
        return subprocess.Popen(
            [str(binaries.helm_binary()), *words, *where],
            env={**os.environ, **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )


def values(image: str, names: dict[str, list[str]]) -> dict[str, Any]:
    """What an installer has to say: the image, the policy, the CA, names that no DNS knows."""
    repository, _, tag = image.rpartition(":")
    return {
        "image": {"repository": repository, "tag": tag, "pullPolicy": "Never"},
        "policy": yaml.safe_load((ROOT / "examples" / "policy.yaml").read_text("utf-8")),
        "caBundle": {"configMapName": CA},
        "hostAliases": [{"ip": ip, "hostnames": hosts} for ip, hosts in names.items()],
    }
