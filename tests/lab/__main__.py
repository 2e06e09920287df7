"""`make lab`: Kubernetes, Exchange, Microsoft 365 and the operator, until Ctrl-C."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from pathlib import Path

from lab import endpoints, wait
from lab.exchange import pwsh
from lab.exchange.pwsh import POWERSHELL_HELP
from lab.resources import EXAMPLE
from lab.running import Options, RunningLab
from lab.toolchain import SetupError, say

_DAY = 24 * 3600.0
_DISABLE = '{"cmdlet": "Disable-PushNotificationProxy", "parameters": {"Confirm": false}}'
_NEXT = """
Now, in another terminal:

  {kubectl} apply -f {example}
  {kubectl} get exchangepushconfigs -o wide --watch
  {kubectl} describe epc fabrikam

Break something, as an administrator of Exchange or of the tenant, and see it corrected:

  curl -s {control}/cmdlet -d '{disable}'
  curl -s {control}/keys/remove -d '{{}}'
  curl -s {control}/state

Ctrl-C ends and removes everything."""


def main() -> int:
    """0 after Ctrl-C or SIGTERM."""
    given = _arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with endpoints.alone(given.folder):
            _run(given)
    except KeyboardInterrupt:
        say("stopped, and everything removed")
        return 0
    except (SetupError, AssertionError) as error:
        sys.stderr.write(f"lab: {error}\n")
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make lab ARGS=...",
        description="Starts a real control plane, a simulated Exchange organisation and tenant, "
        "and the operator; stays until Ctrl-C. tests/lab/README.md tells what can be done with it.",
    )
    add = parser.add_argument
    add("--servers", type=_count, default=2, metavar="N", help="Exchange servers (default: 2)")
    add(
        "--latency",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="delay each answer of Exchange and Microsoft 365 (default: 0)",
    )
    add(
        "--max-interval",
        default="5s",
        metavar="DURATION",
        help="longest time between two looks of the operator (default: 5s)",
    )
    add(
        "--folder",
        type=Path,
        default=endpoints.FOLDER,
        metavar="DIR",
        help="where endpoints.json is written (default: .lab)",
    )
    add("--powershell", default="", metavar="NAME", help=POWERSHELL_HELP)
    add("--no-operator", action="store_true", help="leave the operator to you; prints how")
    return parser.parse_args()


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        message = f"{text!r} is not a whole number from 1 to 64"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _run(given: argparse.Namespace) -> None:
    powershell = pwsh.named(given.powershell) if given.powershell else ""
    say("starting control plane, Exchange and Microsoft 365" + _and_operator(given))
    options = Options(
        servers=given.servers,
        latency=given.latency,
        powershell=powershell,
        operator=not given.no_operator,
        operator_flags=(f"--max-interval={given.max_interval}",),
    )
    with RunningLab(options) as lab:
        path = endpoints.publish(lab, given.folder)
        _introduce(lab, path)
        # Nothing is waited for but the signal that ends us, or the operator's own end.
        wait.until(lambda: _ended(lab), 365 * _DAY, "Ctrl-C", interval=0.5)
        last = "\n".join(lab.operator_log.splitlines()[-15:])
        message = f"the operator has ended by itself; its last words:\n{last}"
        raise AssertionError(message)


def _and_operator(given: argparse.Namespace) -> str:
    return "" if given.no_operator else ", then the operator"


def _ended(lab: RunningLab) -> bool:
    return lab.options.operator and not lab.operator.running


def _introduce(lab: RunningLab, path: Path) -> None:
    servers = ", ".join(one["name"] for one in lab.endpoints["exchange"])
    say(f"Kubernetes at {lab.cluster.url}; Exchange: {servers}; tenant fabrikam.com")
    if lab.options.operator:
        say(f"the operator runs; its log: {lab.operator.log_file}")
    else:
        say(f"start the operator yourself:\n\n  {lab.operator_command_line()}\n")
    say(f"where everything answers: {path}")
    kubectl = shlex.join(
        [str(lab.cluster.kubectl), f"--kubeconfig={lab.cluster.kubeconfig}", "-n", lab.namespace]
    )
    where = {"kubectl": kubectl, "control": lab.endpoints["control"], "example": EXAMPLE}
    print(_NEXT.format(**where, disable=_DISABLE), flush=True)


if __name__ == "__main__":
    sys.exit(main())
