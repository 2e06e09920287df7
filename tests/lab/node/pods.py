"""The operator's Pods: who leads, what their containers use, how one is killed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import wait
from lab.cluster import Cluster
from lab.node.machine import Node, hierarchies
from lab.node.release import NAME, NAMESPACE

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Usage:
    """What a container has used so far."""

    rss: int  # bytes of its own memory, without files
    working_set: int  # bytes, as the kubelet counts them against the limit
    cpu: float  # seconds of processor time since its start

    def __str__(self) -> str:
        memory = f"RSS {self.rss / _MIB:.0f} MiB, working set {self.working_set / _MIB:.0f} MiB"
        return f"{memory}, CPU {self.cpu:.2f} s"


class Pods:
    """The Pods of the release."""

    def __init__(self, cluster: Cluster, node: Node) -> None:
        self._cluster, self._node = cluster, node

    def all(self) -> list[dict[str, Any]]:
        """Those that are not being deleted."""
        items = self._get("pods", f"--selector=app.kubernetes.io/instance={NAME}")["items"]
        return [one for one in items if "deletionTimestamp" not in one["metadata"]]

    def names(self) -> list[str]:
        """Their names."""
        return [_name(pod) for pod in self.all()]

    def newest(self) -> str:
        """The name of the one that was made last."""
        return _name(max(self.all(), key=lambda pod: str(pod["metadata"]["creationTimestamp"])))

    def holder(self) -> str:
        """Who holds the Lease; empty for nobody."""
        lease = self._get("lease", NAME, "--ignore-not-found")
        return str(lease.get("spec", {}).get("holderIdentity") or "")

    def leader(self) -> dict[str, Any]:
        """The Pod that holds it."""
        holder = wait.until(self.holder, 30, "a leader")
        (found,) = (pod for pod in self.all() if holder.startswith(_name(pod)))
        return found

    def kill(self, pod: dict[str, Any]) -> None:
        """SIGKILL to the first process of its container."""
        self._node.ctr("tasks", "kill", "--signal=SIGKILL", container(pod))

    def usage(self) -> dict[str, Usage]:
        """By name of the Pod."""
        return {_name(pod): usage(container(pod)) for pod in self.all()}

    def _get(self, *words: str) -> dict[str, Any]:
        text = self._cluster.run_kubectl("get", *words, "-o", "json", namespace=NAMESPACE).stdout
        found: dict[str, Any] = json.loads(text or "{}")
        return found


def _name(pod: dict[str, Any]) -> str:
    return str(pod["metadata"]["name"])


def container(pod: dict[str, Any]) -> str:
    """The container's id."""
    (status,) = pod["status"]["containerStatuses"]
    return str(status["containerID"]).removeprefix("containerd://")


def usage(container_id: str) -> Usage:
    """Read its cgroups, of version 1 or 2."""
    files = {path.name: path for folder in _cgroups(container_id) for path in folder.iterdir()}
    stat = _table(files["memory.stat"])
    if "memory.current" in files:
        used, cpu = _number(files["memory.current"]), _table(files["cpu.stat"])["usage_usec"] / 1e6
        return Usage(stat["anon"], used - stat["inactive_file"], cpu)
    used, cpu = _number(files["memory.usage_in_bytes"]), _number(files["cpuacct.usage"]) / 1e9
    return Usage(stat["total_rss"], used - stat["total_inactive_file"], cpu)


def _cgroups(container_id: str) -> Iterator[Path]:
    for hierarchy in hierarchies():
        yield from hierarchy.glob(f"exchange-push-e2e-*/**/{container_id}")


def _number(path: Path) -> int:
    return int(path.read_text("ascii"))


def _table(path: Path) -> dict[str, int]:
    lines = (line.split() for line in path.read_text("ascii").splitlines())
    return {name: int(value) for name, value in lines}
