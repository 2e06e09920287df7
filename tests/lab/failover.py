"""`make bench-failover`: how long nobody works when the leader is killed, ended or frozen.

Three real operators on a real API server. Measured from the signal to the first request of the next
leader to a server, on this machine's steady clock. Exits with 1 on a missed figure, or where two
replicas have written at the same time.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lab import wait
from lab.operator_process import OperatorProcess
from lab.replicas import Replicas
from lab.running import Options, RunningLab
from lab.toolchain import SetupError, say

_TAKES_OVER = 60.0


@dataclass(frozen=True, slots=True)
class Way:
    """One way to go; ``most`` is the figure to reach, in seconds."""

    name: str
    go: Callable[[OperatorProcess], object]
    most: float


WAYS = (
    Way("SIGKILL", lambda leader: leader.kill(), 16.0),
    Way("SIGTERM", lambda leader: leader.stop(), 3.0),
    Way("SIGSTOP, and SIGCONT later", lambda leader: leader.freeze(), 16.0),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-failover ARGS=...", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="each (default: 5)")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with RunningLab(Options(operator=False)) as lab:
            lab.apply()
            took = {way: _rounds(lab, way, given.rounds) for way in WAYS}
    except (SetupError, AssertionError) as error:
        sys.stderr.write(f"lab: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    load = os.getloadavg()[0]
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load {load:.1f}\n")
    for way, seconds in took.items():
        measured = f"{min(seconds):.1f} to {max(seconds):.1f} s"
        print(f"{way.name:<28} {measured:<18} at most {way.most:.0f} s")
    return int(any(max(seconds) > way.most for way, seconds in took.items()))


def _rounds(lab: RunningLab, way: Way, rounds: int) -> Sequence[float]:
    return [_round(lab, way, number + 1) for number in range(rounds)]


def _round(lab: RunningLab, way: Way, number: int) -> float:
    lab.control.post("/reset")
    with Replicas(lab) as replicas:
        leader = replicas.first()
        others = [replicas.standby(), replicas.standby()]
        wait.until(lambda: replicas.calls(leader), 60, "the leader to work")
        moment = time.monotonic() + random.uniform(0, 4)  # somewhere between two renewals
        wait.until(lambda: time.monotonic() >= moment, 10, "the moment to come")
        gone = time.monotonic()
        way.go(leader)
        (at_work,) = wait.until(
            lambda: [one for one in others if replicas.calls(one)], _TAKES_OVER, "another one"
        )
        if leader.running:
            leader.thaw()
            assert leader.ended(60) == 1, "the woken leader did not end as it should"
        lab.wait_ready()
        replicas.assert_one_after_another(leader, at_work)
        took = float(replicas.calls(at_work)[0]["at"]) - gone
        say(f"{way.name} {number}: {took:.1f} s")
        return took


if __name__ == "__main__":
    sys.exit(main())
