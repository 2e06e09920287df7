"""`make e2e-cluster`: the image and the chart on a real node, with the lab as the outside world.

As root on Linux. Everything runs in network, mount and process namespaces that are made here;
nothing outside of them is changed, and their end ends all. Exits 0 only if all of it was seen.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

from lab import binaries, wait
from lab.node.machine import BRIDGE, hierarchies
from lab.processes import Process
from lab.resources import ROOT
from lab.toolchain import SetupError, cache_folder, say

IMAGE = "exchange-push-operator:e2e"
CGROUP = f"exchange-push-e2e-{os.getpid()}"
# Commands, with the Debian package that has each.
TOOLS = {
    "unshare": "util-linux",
    "ip": "iproute2",
    "iptables": "iptables",
    "mount": "mount",
    "runc": "runc",
}
_SEEN = "/usr/sbin:/sbin"


def main() -> None:
    parser = argparse.ArgumentParser(prog="make e2e-cluster", description=__doc__)
    parser.add_argument("--image-archive", type=Path, help="an image that is built already")
    parser.add_argument("--base", default="", help="of the image; stand-in: made from Debian")
    given = parser.parse_args()
    os.environ["PATH"] += f"{os.pathsep}{_SEEN}"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        check_machine()
        build_programs()
        archive = given.image_archive or build_image(given.base)
        sys.exit(run_secluded(archive.absolute()))
    except SetupError as error:
        sys.exit(f"lab: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def check_machine() -> None:
    """Raises SetupError with what to do."""
    if sys.platform != "linux" or os.geteuid() != 0:
        message = "make e2e-cluster makes namespaces and containers: run it as root on Linux"
        raise SetupError(message)
    missing = sorted({package for tool, package in TOOLS.items() if not shutil.which(tool)})
    if not any(Path(folder, "bridge").exists() for folder in ("/usr/lib/cni", "/opt/cni/bin")):
        missing.append("containernetworking-plugins")
    if missing:
        message = f"a node needs more of this machine: apt-get install {' '.join(missing)}"
        raise SetupError(message)


def build_programs() -> None:
    """Inside there is no network, so all that is built or downloaded is so before."""
    for name in (*binaries.CONTAINERD.programs, *binaries.NODE.programs):
        binaries.node_binary(name)
    for name in binaries.CONTROL_PLANE.programs:
        binaries.control_plane_binary(name)
    binaries.helm_binary()


def build_image(base: str) -> Path:
    """Run `make image`; its archive."""
    archive = cache_folder() / "e2e-image.tar"
    command = ["sh", "hack/image.sh", IMAGE, "", base, str(archive)]
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    try:
        failed = process.wait()
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)  # the engine that it has started, too
        process.wait()
        raise
    if failed:
        message = "the image was not built; where no base can be pulled: ARGS=--base=stand-in"
        raise SetupError(message)
    return archive


def image_of(archive: Path) -> str:
    """The name that the image has in it."""
    with tarfile.open(archive) as files:
        manifest = files.extractfile("manifest.json")
        assert manifest is not None
        names: list[str] = json.load(manifest)[0]["RepoTags"]
    return names[0]


def run_secluded(archive: Path) -> int:
    """Run the performance in its namespaces; its exit code."""
    before = firewall()
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
    command += [sys.executable, "-m", "lab.node.performance"]
    command += [str(archive), image_of(archive), CGROUP]
    # A session of its own: Ctrl-C reaches us alone. The pipe's end tells it that we are gone.
    process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    network = ""
    try:
        network = wait.until(lambda: network_of(process), 10, "the namespaces")
        return process.wait()
    finally:
        end(process)
        remove_cgroups()
        left = leftovers(network, before)
        say(f"left behind: {', '.join(left) or 'no process, no bridge, no rule, no cgroup'}")
        if left:
            sys.exit(1)


def end(process: Process) -> None:
    """Without its first process, the kernel ends everything in a process namespace."""
    if process.stdin:
        process.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5)
    process.kill()
    process.wait()


def network_of(process: Process) -> str:
    """The network namespace of a process, once it is another than ours."""
    if process.poll() is not None:
        return "none"
    found = Path(f"/proc/{process.pid}/ns/net").readlink()
    return str(found) if found != Path("/proc/self/ns/net").readlink() else ""


def remove_cgroups() -> None:
    """Cgroups are the one thing that no namespace takes along: ours, and those of a killed run."""
    for hierarchy in hierarchies():
        for root in hierarchy.glob("exchange-push-e2e-*"):
            starter = root.name.rpartition("-")[2]
            if root.name != CGROUP and Path("/proc", starter).exists():
                continue  # a run beside this one
            for folder in sorted((p for p in root.rglob("*") if p.is_dir()), reverse=True):
                folder.rmdir()
            root.rmdir()


def leftovers(network: str, before: str) -> list[str]:
    """What is still there of a run."""
    found = []
    for link in Path("/proc").glob("[0-9]*/ns/net"):
        with contextlib.suppress(OSError):
            if str(link.readlink()) == network:
                found.append(f"process {link.parts[2]}")
    if Path("/sys/class/net", BRIDGE).exists():
        found.append(f"bridge {BRIDGE}")
    if firewall() != before:
        found.append("a rule of the firewall")
    if any((hierarchy / CGROUP).exists() for hierarchy in hierarchies()):
        found.append("a cgroup")
    return found


def firewall() -> str:
    """The machine's rules, without counters and times."""
    done = subprocess.run(["iptables-save"], capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if not line.startswith("#")]
    return "\n".join(line.partition(" [")[0] for line in lines)


if __name__ == "__main__":
    main()
