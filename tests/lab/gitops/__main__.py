"""`make e2e-gitops`: the operator under the real Argo CD and the real Flux."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TypeAlias

from lab import binaries
from lab.demo_screen import Screen
from lab.gitops import cases
from lab.gitops.approval_acts import ApprovalActs
from lab.gitops.argocd import ArgoCD
from lab.gitops.argocd_acts import ArgoActs
from lab.gitops.argocd_watch import ApplicationWatch
from lab.gitops.flux import Flux
from lab.gitops.flux_acts import FluxActs
from lab.gitops.journal import Journal
from lab.gitops.operator_acts import OperatorActs
from lab.gitops.situations import FLAGS, Situations
from lab.running import Options, RunningLab
from lab.toolchain import SetupError

_Acts: TypeAlias = type[ArgoActs | OperatorActs | ApprovalActs]
_OPTIONS = Options(operator_flags=FLAGS, latency=0.05)


def main() -> int:
    """0: all held; 1: something did not, or is missing; 130: interrupted."""
    parser = argparse.ArgumentParser(prog="make e2e-gitops ARGS=...", description=__doc__)
    parser.add_argument("--only", choices=PARTS, help="one part (default: all)")
    parser.add_argument(
        "--record", action="store_true", help="write the recorded objects into argocd/"
    )
    given = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell may have us ignore Ctrl-C
        signal.signal(number, signal.default_int_handler)
    screen, started = Screen(), time.monotonic()
    try:
        for name in [given.only] if given.only else PARTS:
            with RunningLab(_OPTIONS) as lab:
                PARTS[name](lab, screen, record=given.record)
    except KeyboardInterrupt:
        screen.bad("interrupted; everything was removed")
        return 130
    except (SetupError, AssertionError, subprocess.CalledProcessError) as error:
        screen.bad(f"\nFAILED: {error}")
        return 1
    screen.good(f"\nAll of it held. {time.monotonic() - started:.0f} s, and everything is removed.")
    return 0


def _cases(lab: RunningLab, screen: Screen, *, record: bool) -> None:
    screen.step("Every situation of a resource, before Argo CD's own judge")
    recorded = Situations(lab).all()
    if record:
        cases.keep(recorded)
    number = cases.judge(screen, recorded, lab.folder)
    screen.good(f"{number} objects have the health that they should have")
    screen.step("Every action, run by Argo CD itself")
    screen.good(f"{cases.act(screen)} answers are as they should be")


def _argocd(lab: RunningLab, screen: Screen, *, record: bool) -> None:
    del record
    _on_argocd(ArgoActs, lab, screen)


def _operator(lab: RunningLab, screen: Screen, *, record: bool) -> None:
    del record
    _on_argocd(OperatorActs, lab, screen)


def _approval(lab: RunningLab, screen: Screen, *, record: bool) -> None:
    del record
    _on_argocd(ApprovalActs, lab, screen)


def _on_argocd(acts: _Acts, lab: RunningLab, screen: Screen) -> None:
    screen.step(f"Argo CD {binaries.ARGOCD_VERSION} starts")
    began = time.monotonic()
    argocd = ArgoCD(lab)
    argocd.start()
    screen.good(f"it answers after {time.monotonic() - began:.1f} s")
    watch = ApplicationWatch(Journal(lab), lab.namespace)
    try:
        acts(lab, argocd, watch, screen).all()
    finally:
        argocd.close()


def _flux(lab: RunningLab, screen: Screen, *, record: bool) -> None:
    del record
    screen.step(f"Flux's kustomize-controller {binaries.FLUX_VERSION} starts")
    began = time.monotonic()
    with Flux(lab) as flux:
        screen.good(f"it watches after {time.monotonic() - began:.1f} s")
        FluxActs(lab, flux, Journal(lab), screen).all()


PARTS: dict[str, Callable[..., None]] = {
    "cases": _cases,
    "argocd": _argocd,
    "operator": _operator,
    "approval": _approval,
    "flux": _flux,
}

if __name__ == "__main__":
    sys.exit(main())
