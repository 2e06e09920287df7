"""What nobody changes costs nothing."""

from __future__ import annotations

from typing import Any

from lab import wait
from lab.control_plane import ControlPlane
from lab.figures import operator_writes
from lab.running import RunningLab

PASSES = 8


def writes(lab: RunningLab) -> list[Any]:
    """Every write of the operator to the API server so far: verb and path."""
    assert isinstance(lab.cluster, ControlPlane)
    return operator_writes(lab.cluster.audit_log)


def requests(lab: RunningLab) -> dict[str, dict[str, int]]:
    """WinRM requests by kind, for each server."""
    counted = lab.control.counters()["exchange"]
    return {name: one["requests"] for name, one in counted.items()}


def looks(lab: RunningLab) -> int:
    return sum(one.get("host.run", 0) for one in requests(lab).values())


def test_in_a_steady_state_nothing_is_written_to_the_api_server(running_lab: RunningLab) -> None:
    lab = running_lab
    lab.apply()
    lab.wait_ready()
    # The events of the changes come a moment later, from a thread of their own.
    wait.until(lambda: "Succeeded" in {one["reason"] for one in lab.events()}, 15, "the events")
    first = lab.resource()["metadata"]["resourceVersion"]
    before, start = len(writes(lab)), requests(lab)

    passes = looks(lab) + 2 * PASSES
    wait.until(lambda: looks(lab) >= passes, 40, f"{PASSES} passes", interval=0.2)

    assert writes(lab)[before:] == []
    assert lab.resource()["metadata"]["resourceVersion"] == first
    for name, counted in requests(lab).items():
        more = {kind: counted[kind] - start[name].get(kind, 0) for kind in counted}
        assert more.pop("host.run") >= PASSES - 1
        # one request to the host is one Send and one Receive; nothing is opened again
        assert {kind for kind, number in more.items() if number} == {"Send", "Receive"}
        assert {counted[kind] for kind in ("Create", "Command", "processes", "sessions")} == {1}


def test_a_steady_look_is_one_shell_one_process_one_session_one_request(
    running_lab: RunningLab,
) -> None:
    lab = running_lab
    lab.apply()
    lab.wait_ready()
    lab.stop_operator()
    before = requests(lab)

    lab.start_operator("--max-interval=1h")
    wait.until(lambda: "ready=True/Succeeded" in last_life(lab), 30, "the first look")
    lab.stop_operator()

    for name, counted in requests(lab).items():
        more: dict[str, Any] = {k: n - before[name].get(k, 0) for k, n in counted.items()}
        wanted = {"Create": 1, "Command": 1, "processes": 1, "sessions": 1, "host.run": 1}
        assert {kind: more[kind] for kind in wanted} == wanted, more
    for counted in lab.control.counters()["exchange"].values():
        assert counted["openShells"] == 0
        assert counted["openProcesses"] == 0


def last_life(lab: RunningLab) -> str:
    """The operator's log since it was started last."""
    return lab.operator_log.rpartition("exchange-push-operator 0.")[2]
