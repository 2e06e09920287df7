"""A node out of this machine: bridge, containerd, kubelet, kube-proxy, scheduler, controllers.

It has to run in network, mount and process namespaces of its own: it mounts over system folders and
gives the bridge addresses. Nothing here is ever undone: it all ends with the namespaces.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from lab import binaries, wait
from lab.control_plane import SERVICE_RANGE, ControlPlane
from lab.node import pause_image
from lab.processes import Processes

BRIDGE, NETWORK = "lab0", "10.99.0.0/24"
NODE, MICROSOFT = "10.99.0.1", "10.99.0.2"
SERVERS = ("10.99.0.3", "10.99.0.4")
_FIRST_POD = "10.99.0.10"
# What containerd, the CNI plugins and the kubelet write to, whatever their flags say.
_COVERED = ("/run", "/var/lib", "/var/log")


def seclude(cgroup: str) -> Path:
    """Cover the system's folders, make the bridge; the folder for all files."""
    _run("mount", "--make-rprivate", "/")
    for covered in _COVERED:
        _run("mount", "-t", "tmpfs", "tmpfs", covered)
    for hierarchy in hierarchies():
        (hierarchy / cgroup).mkdir()
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", BRIDGE, "type", "bridge")
    for address in (NODE, MICROSOFT, *SERVERS):
        _run("ip", "address", "add", f"{address}/24", "dev", BRIDGE)
    _run("ip", "link", "set", BRIDGE, "up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1", "ascii")
    folder = Path("/run/lab")
    folder.mkdir()
    return folder


def hierarchies() -> list[Path]:
    """Where cgroups are made: one folder with version 2, one for each controller with version 1."""
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        return [root]
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.is_symlink())


class Node:
    """Starts the processes; `processes` ends them with its own end."""

    def __init__(self, processes: Processes, cluster: ControlPlane, cgroup: str) -> None:
        self.cluster, self.folder, self._processes = cluster, processes.folder, processes
        self._cgroup = cgroup
        self.socket = self.folder / "containerd.sock"

    def start(self) -> None:
        """Return once the node is Ready."""
        self._start("containerd", "--config", self._write("containerd.toml", self._containerd()))
        self._write("cni/10-lab.conflist", json.dumps(_CNI))
        kubeconfig = f"--kubeconfig={self.cluster.kubeconfig}"
        keys = self.cluster.folder
        self._start(
            *("kube-controller-manager", kubeconfig, "--leader-elect=false"),
            f"--service-account-private-key-file={keys / 'sa.key'}",
            f"--root-ca-file={self.cluster.ca_file}",
        )
        self._start("kube-scheduler", kubeconfig, "--leader-elect=false")
        self._start(
            *("kube-proxy", kubeconfig, "--proxy-mode=iptables", "--hostname-override=node1"),
            # Zero leaves the machine's own settings alone.
            *("--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0"),
            *("--conntrack-tcp-timeout-close-wait=0", f"--cluster-cidr={NETWORK}"),
        )
        archive = self.folder / "pause.tar"
        pause_image.write(archive)
        self.load(archive)
        configuration = self._write("kubelet.json", json.dumps(self._kubelet()))
        self._start(
            *("kubelet", kubeconfig, f"--config={configuration}", "--hostname-override=node1"),
            *(f"--node-ip={NODE}", f"--root-dir={self.folder / 'kubelet'}"),
        )
        look = ("wait", "--for=condition=Ready", "node/node1", "--timeout=1s")
        wait.until(
            lambda: self.cluster.run_kubectl(*look, check=False).returncode == 0, 90, "the node"
        )

    def load(self, archive: Path) -> None:
        """Import an image, which the kubelet then has without pulling it."""
        wait.until(self.socket.exists, 30, "containerd")
        self.ctr("images", "import", str(archive))

    def ctr(self, *words: str) -> str:
        """Run containerd's own client."""
        program = str(binaries.node_binary("ctr"))
        return _run(program, f"--address={self.socket}", "--namespace=k8s.io", *words)

    def last_words(self) -> str:
        """The ends of all logs, for people who wait in vain."""
        logs = sorted([*self.folder.glob("*.log"), *self.cluster.folder.glob("*.log")])
        return "\n".join(f"--- {one.name}\n{_tail(one)}" for one in logs)

    def _start(self, name: str, *arguments: object) -> None:
        program = binaries.node_binary(name)
        path = f"{program.parent}:/usr/local/sbin:/usr/sbin:/sbin:{os.environ['PATH']}"
        shim = binaries.node_binary("containerd-shim-runc-v2").parent
        environment = {**os.environ, "PATH": f"{path}:{shim}"}
        command = [str(program), *map(str, arguments)]
        self._processes.start(command, environment, self.folder / f"{name}.log")

    def _write(self, name: str, content: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
        return path

    def _kubelet(self) -> dict[str, Any]:
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "containerRuntimeEndpoint": f"unix://{self.socket}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self._cgroup}",
            "failCgroupV1": False,
            "failSwapOn": False,
            # Nobody else is in this network.
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "enforceNodeAllocatable": [],
            "localStorageCapacityIsolation": False,
            "evictionHard": {"memory.available": "1Mi", "nodefs.available": "1%"},
        }

    def _containerd(self) -> str:
        return f"""\
version = 3
root = "{self.folder}/containerd"
state = "{self.folder}/containerd-state"
[grpc]
address = "{self.socket}"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = "{pause_image.NAME}"
[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true  # a machine that is a container itself may not lower it
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ["/usr/lib/cni", "/opt/cni/bin"]
conf_dir = "{self.folder}/cni"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
SystemdCgroup = false
"""


_CNI = {
    "cniVersion": "1.0.0",
    "name": "lab",
    "plugins": [
        {
            "type": "bridge",
            "bridge": BRIDGE,
            "isGateway": True,
            "ipMasq": True,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": NETWORK, "rangeStart": _FIRST_POD, "gateway": NODE}]],
                "routes": [{"dst": SERVICE_RANGE}, {"dst": "0.0.0.0/0"}],
            },
        }
    ],
}


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}"
        raise RuntimeError(message)
    return done.stdout


def _tail(log: Path) -> str:
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-6:])
