"""`make bench`: the figures of docs/figures.md, measured.

Over processes, all of it is real but Exchange and Microsoft 365. In process there are no sockets
and no Kubernetes: what is left is the operator's own time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from lab import in_process, wait
from lab.control_plane import ControlPlane
from lab.running import Options, RunningLab
from lab.toolchain import SetupError, say

_OPERATOR = "system:serviceaccount:exchange-push-operator:exchange-push-operator"
_WRITES = {"create", "update", "patch", "delete", "deletecollection"}
_WINRM = ("Create", "Command", "Send", "Receive", "Signal", "Delete", "auth")
_HOST = ("processes", "sessions", "host.run")

Row: TypeAlias = tuple[str, str, str]


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    add = parser.add_argument
    add("--rounds", type=int, default=5, metavar="N", help="fresh organisations (default: 5)")
    add(
        "--minutes",
        type=float,
        default=1.0,
        metavar="M",
        help="length of the steady state, with --max-interval 5s (default: 1)",
    )
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        rows = [_alone(given.rounds), *_whole(given.rounds, given.minutes * 60)]
    except (SetupError, AssertionError) as error:
        sys.stderr.write(f"lab: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, ", end="")
    print(f"Python {platform.python_version()}\n")
    _table([("what", "measured", "to reach"), *rows])
    return 0


def _alone(rounds: int) -> Row:
    say("fresh organisation to Ready, in process")
    took = []
    for _ in range(rounds):
        lab = in_process.lab()
        before = time.perf_counter()
        lab.operator().run()
        took.append(time.perf_counter() - before)
        assert lab.condition("Ready")[0] == "True", lab.status
    return "fresh organisation to Ready, in process", _seconds(took), "<= 3 s"


def _whole(rounds: int, steady: float) -> list[Row]:
    say("control plane, servers and operator start")
    before = time.perf_counter()
    with RunningLab(Options(audit=True)) as lab:
        up = f"{time.perf_counter() - before:.1f} s"
        rows = [("everything up", up, "")]
        say(f"fresh organisation to Ready, over real processes, {rounds} times")
        took = [_fresh(lab) for _ in range(rounds)]
        rows.append(("fresh organisation to Ready, from kubectl apply", _seconds(took), "<= 3 s"))
        say(f"steady state, {steady:.0f} s with --max-interval 5s")
        rows += _steady(lab, steady)
        say("one steady look of a new operator")
        rows += _one_look(lab)
        return rows


def _fresh(lab: RunningLab) -> float:
    lab.kubectl("delete", "epc", "--all")
    lab.control.post("/reset")
    before = time.perf_counter()
    lab.apply()
    lab.kubectl("wait", "epc/fabrikam", "--for=condition=Ready", "--timeout=60s")
    return time.perf_counter() - before


def _steady(lab: RunningLab, seconds: float) -> list[Row]:
    # Events come a moment after the last change.
    wait.until(lambda: "Succeeded" in {one["reason"] for one in lab.events()}, 15, "the events")
    written, before, started = _writes(lab), _requests(lab), time.monotonic()
    over = started + seconds
    wait.until(lambda: time.monotonic() >= over, seconds + 5, "the time to pass", interval=0.5)
    after = _requests(lab)
    looks = max(after[name]["host.run"] - before[name]["host.run"] for name in after)
    writes = len(_writes(lab)) - len(written)
    return [
        ("looks in the steady state", f"{looks} in {seconds:.0f} s", ""),
        ("writes to the API server in it, besides the Lease", str(writes), "0"),
        *_difference("a server and look, process up", before, after, looks),
    ]


def _one_look(lab: RunningLab) -> list[Row]:
    lab.stop_operator()
    before, log = _requests(lab), len(lab.operator_log)
    lab.start_operator("--max-interval=1h")
    wait.until(lambda: "ready=True/Succeeded" in lab.operator_log[log:], 30, "the first look")
    lab.stop_operator()
    after = _requests(lab)
    counted = lab.control.counters()["exchange"].values()
    return [
        *_difference("a server and look, new process, with its end", before, after, 1),
        ("shells left open", str(sum(one["openShells"] for one in counted)), "0"),
    ]


def _difference(
    title: str, before: dict[str, dict[str, int]], after: dict[str, dict[str, int]], looks: int
) -> list[Row]:
    name = next(iter(after))
    more = {kind: after[name].get(kind, 0) - before[name].get(kind, 0) for kind in after[name]}
    host = ", ".join(f"{kind} {more.get(kind, 0) / looks:g}" for kind in _HOST)
    winrm = ", ".join(f"{kind} {more[kind] / looks:g}" for kind in _WINRM if more.get(kind))
    shell = f"shells {more.get('Create', 0) / looks:g}, {host}"
    return [
        (f"{title}: started and asked", shell, "at most 1 of each"),
        (f"{title}: all WinRM requests", winrm, ""),
    ]


def _requests(lab: RunningLab) -> dict[str, dict[str, int]]:
    return {name: one["requests"] for name, one in lab.control.counters()["exchange"].items()}


def _writes(lab: RunningLab) -> list[Any]:
    assert isinstance(lab.cluster, ControlPlane)
    return operator_writes(lab.cluster.audit_log)


def operator_writes(audit_log: Path | None) -> list[Any]:
    """Verb and path of every write of the operator that the API server has seen, leases aside."""
    assert audit_log is not None, "start the control plane with audit=True"
    lines = audit_log.read_text("utf-8").splitlines()
    events = [json.loads(line) for line in lines if line.endswith("}")]
    return [
        (event["verb"], event["requestURI"])
        for event in events
        if event["user"]["username"] == _OPERATOR
        and event["verb"] in _WRITES
        and "/leases" not in event["requestURI"]
    ]


def _seconds(took: Sequence[float]) -> str:
    return f"{min(took):.2f} to {max(took):.2f} s"


def _table(rows: Sequence[Row]) -> None:
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    for what, measured, wanted in rows:
        print(f"{what:<{first}}  {measured:<{second}}  {wanted}".rstrip())


if __name__ == "__main__":
    sys.exit(main())
