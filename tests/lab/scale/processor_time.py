"""Processor time of the lab's processes: who of them is busy while we wait for another one."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

OPERATOR = "operator"
NAMES = {
    "lab.scale.operator": OPERATOR,
    "lab.scale.outside": "outside",
    "kube-apiserver": "API server",
    "etcd": "etcd",
}
BENCHMARK = "benchmark"


def by_process() -> Mapping[str, float]:
    """Seconds that this process and its descendants have used so far, by what they are."""
    found = dict(map(_read, Path("/proc").glob("[0-9]*")))
    parents = {pid: parent for pid, (parent, _, _) in found.items()}
    seconds: dict[str, float] = defaultdict(float)
    for pid, (_, name, used) in found.items():
        if _descends(pid, parents):
            seconds[name] += used
    return seconds


def since(before: Mapping[str, float]) -> Mapping[str, float]:
    """Seconds that were used since an earlier ``by_process``."""
    return {name: used - before.get(name, 0.0) for name, used in by_process().items()}


def _read(process: Path) -> tuple[int, tuple[int, str, float]]:
    """The process' id, and its parent, what it is, and the seconds it has used."""
    try:
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        words = (process / "cmdline").read_text().split("\0")
    except OSError:  # it has ended meanwhile
        return int(process.name), (0, "", 0.0)
    names = (name for word in words for key, name in NAMES.items() if word.endswith(key))
    used = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return int(process.name), (int(fields[1]), next(names, BENCHMARK), used)


def _descends(pid: int, parents: dict[int, int]) -> bool:
    while pid in parents and pid != os.getpid():
        pid = parents[pid]
    return pid == os.getpid()
