"""`make demo`: the operator at work, step by step; exit 0 only if every step was seen to happen."""

from __future__ import annotations

import argparse
import secrets
import signal
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from lab.cluster import Cluster
from lab.control_plane import ControlPlane
from lab.demo_acts import Acts
from lab.demo_screen import Screen
from lab.exchange import pwsh
from lab.exchange.pwsh import POWERSHELL_HELP
from lab.installation import Names
from lab.running import Options, RunningLab
from lab.toolchain import SetupError

_INTERVAL = "2s"  # spec.interval is an hour; nobody wants to watch that


def main() -> int:
    """0: all of it was seen; 1: a step failed, or something is missing; 130: interrupted."""
    parser = argparse.ArgumentParser(
        prog="make demo",
        description="Shows the operator configuring a simulated Exchange organisation and tenant, "
        "and correcting what somebody changes.",
    )
    parser.add_argument(
        "--cluster",
        metavar="PATH",
        type=Path,
        help="a kubeconfig: use the cluster of its current context, in namespaces made for the "
        "demo and removed after it (default: a control plane of its own)",
    )
    parser.add_argument("--powershell", default="", metavar="NAME", help=POWERSHELL_HELP)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    screen, started = Screen(), time.monotonic()
    try:
        with ExitStack() as closing:
            _play(screen, given, closing)
        screen.note("")
        seconds = time.monotonic() - started
        screen.good(f"Every step was seen to happen. {seconds:.0f} s, and everything is removed.")
    except KeyboardInterrupt:
        screen.bad("interrupted; everything was removed")
        return 130
    except (SetupError, AssertionError) as error:
        screen.bad(f"\nFAILED: {error}")
        return 1
    return 0


def _play(screen: Screen, given: argparse.Namespace, closing: ExitStack) -> None:
    powershell = pwsh.named(given.powershell) if given.powershell else ""
    screen.note(
        "Exchange Push Operator. Real: Kubernetes, the operator, and every protocol between."
    )
    screen.note(
        "Simulated: an Exchange organisation with two servers, and its Microsoft 365 tenant."
    )
    if powershell:
        screen.note(f"Real, too: the host script on the servers, in {powershell}.")
    options = replace(_options(screen, given.cluster, closing), powershell=powershell)
    screen.step("Control plane, Exchange, Microsoft 365 and the operator start")
    before = time.monotonic()
    lab = closing.enter_context(RunningLab(options))
    servers = " and ".join(one["name"] for one in lab.endpoints["exchange"])
    screen.good(f"up after {time.monotonic() - before:.1f} s")
    screen.note(f"Kubernetes   {_version(lab.cluster)} at {lab.cluster.url}")
    screen.note(f"Exchange     {servers}, WinRM over TLS")
    screen.note("tenant       fabrikam.com")
    screen.note(f"operator     process {lab.operator.pid}, looks every {_INTERVAL} for the demo")
    Acts(lab, screen).all()


def _options(screen: Screen, kubeconfig: Path | None, closing: ExitStack) -> Options:
    flags: tuple[str, ...] = (f"--max-interval={_INTERVAL}",)
    if kubeconfig is None:
        return Options(operator_flags=flags)
    cluster = closing.enter_context(ControlPlane.existing(kubeconfig))
    _refuse_second_operator(cluster)
    unique = secrets.token_hex(3)
    names = Names(
        namespace=f"exchange-demo-{unique}",
        operator_namespace=f"exchange-push-operator-demo-{unique}",
        role=f"exchange-push-operator-demo-{unique}",
    )
    context = cluster.run_kubectl("config", "current-context").stdout.strip()
    screen.note(f"cluster      {context} at {cluster.url}")
    screen.note(f"namespaces   {names.namespace}, {names.operator_namespace}: removed at the end")
    return Options(
        cluster=cluster, names=names, operator_flags=(*flags, f"--namespace={names.namespace}")
    )


def _refuse_second_operator(cluster: Cluster) -> None:
    """One that watches all namespaces would meddle. Raises SetupError."""
    label = "app.kubernetes.io/name=exchange-push-operator"
    found = cluster.run_kubectl("get", "deployments", "-A", "-l", label, "-o", "name", check=False)
    if found.returncode:
        message = f"cannot use the cluster at {cluster.url}: {found.stderr.strip()}"
        raise SetupError(message)
    if found.stdout.strip():
        message = (
            f"the cluster at {cluster.url} runs this operator already "
            f"({found.stdout.split()[0]}): name another cluster, or none"
        )
        raise SetupError(message)


def _version(cluster: Cluster) -> str:
    shown = cluster.run_kubectl("version", check=False).stdout.splitlines()
    return next((one.split()[-1] for one in shown if one.startswith("Server")), "of some version")


if __name__ == "__main__":
    sys.exit(main())
