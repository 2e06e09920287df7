"""What `make e2e-cluster` does inside of its namespaces: `performance ARCHIVE IMAGE CGROUP`."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from lab.control_client import Control
from lab.control_plane import ControlPlane
from lab.demo_screen import Screen
from lab.installation import Installation, Names
from lab.microsoft365.clouds import HOSTS
from lab.node import machine
from lab.node.acts import Acts
from lab.node.machine import MICROSOFT, SERVERS, Node
from lab.node.pods import Pods
from lab.node.release import CA, NAMESPACE, Release, values
from lab.node.stage import Stage
from lab.processes import Processes
from lab.resources import ROOT


def main() -> None:
    archive, image, cgroup = sys.argv[1:]
    threading.Thread(target=_end_with_starter, daemon=True).start()
    folder = machine.seclude(cgroup)
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
    screen = Screen()
    with contextlib.ExitStack() as closing:
        processes = closing.enter_context(Processes("node-"))
        screen.step("A node: control plane, containerd, kubelet, kube-proxy; the lab outside of it")
        cluster = closing.enter_context(ControlPlane(address=machine.NODE))
        node = Node(processes, cluster, cgroup)
        stage = Stage(screen, cluster)
        try:
            with stage.timed("node Ready"):
                node.start()
            outside = start_outside(processes)
            node.load(Path(archive))
            stage.control = Control(outside["control"])
            stage.write_secrets(outside)
            release = Release(cluster, processes.folder, values(image, names(outside)))
            write_ca(cluster, Path(outside["ca"]))
            Acts(stage, release, Pods(cluster, node)).all()
        except BaseException as error:  # noqa: BLE001 - whatever it was, it is told before all ends
            screen.bad(f"MISSED: {error}")
            screen.output(stage.last_words() + node.last_words())
            os._exit(1)  # ends everything in the process namespace
    screen.good(f"All of it was seen; {stage.misses} figures were missed")
    os._exit(1 if stage.misses else 0)


def _end_with_starter() -> None:
    """The first process of a process namespace takes all others with it."""
    sys.stdin.read()
    os._exit(130)


def start_outside(processes: Processes) -> dict[str, Any]:
    """The lab's servers at addresses of their own; where everything answers."""
    command = [sys.executable, "-m", "lab.node.outside", f"--folder={processes.folder}"]
    command += [f"--servers={','.join(SERVERS)}", f"--microsoft={MICROSOFT}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    log = processes.folder / "outside.log"
    process = processes.start(command, environment, log, stdout=subprocess.PIPE)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"the lab's servers did not start:\n{log.read_text('utf-8')}"
    found: dict[str, Any] = json.loads(line)
    return found


def names(outside: dict[str, Any]) -> dict[str, list[str]]:
    """Host names by address."""
    servers = zip(SERVERS, outside["names"], strict=True)
    return {**{ip: [name] for ip, name in servers}, MICROSOFT: sorted(HOSTS)}


def write_ca(cluster: ControlPlane, ca: Path) -> None:
    """The lab's CA, as a ConfigMap for the chart's `caBundle`."""
    cluster.create_namespace(NAMESPACE)
    metadata = {"name": CA, "namespace": NAMESPACE}
    data = {"ca.crt": ca.read_text("ascii")}
    Installation(cluster, Names()).apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    )


if __name__ == "__main__":
    main()
