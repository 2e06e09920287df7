"""The console command's grammar: what it can be asked to do."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from types import ModuleType

from exchange_push_operator import settings
from exchange_push_operator.assess import flags as assess
from exchange_push_operator.plan import flags as plan
from exchange_push_operator.selftest import flags as selftest
from exchange_push_operator.settings import NAME, PREFIX, Parser

_AT_A_WORKSTATION: Mapping[str, tuple[ModuleType, str]] = {
    "assess": (assess, "tell what state an organization's trust with Microsoft 365 is in"),
    "plan": (plan, "print what would be changed for a resource, from a file or of a cluster"),
    "selftest": (selftest, "ask one real Exchange server, read-only, what no document tells"),
}


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line: ``command`` and its flags.

    Ends the process with status 0 after ``--help`` and ``--version``, and with status 2 (``plan``:
    1) and one line on standard error for what cannot be understood.
    """
    parser = Parser(
        prog=NAME,
        description="Keeps push-notification proxying between on-premises Exchange and "
        "Microsoft 365 configured, as ExchangePushConfig resources declare it.",
        epilog=f"'{NAME} COMMAND --help' lists the flags of a command.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{NAME} {version(NAME)}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser(
        "run",
        help="watch the cluster and keep everything configured, until SIGTERM or Ctrl-C",
        description="Keeps Exchange and Entra ID as ExchangePushConfig resources declare.",
        epilog=f"Every setting can also be given in the environment: --max-interval is "
        f"{PREFIX}MAX_INTERVAL. A flag goes before its variable.",
        allow_abbrev=False,
    )
    run.set_defaults(parser=run)
    settings.add_arguments(run)
    for name, (command, told) in _AT_A_WORKSTATION.items():
        command.add_arguments(
            commands.add_parser(
                name, help=told, description=command.DESCRIPTION, allow_abbrev=False
            )
        )
    _add_host_script(commands)
    return parser.understood(arguments)


def _add_host_script(commands: argparse._SubParsersAction[Parser]) -> None:
    parser = commands.add_parser(
        "host-script",
        help="print the PowerShell that runs on the Exchange servers, to review, sign, install it",
        description="Prints the host script as it is sent to the servers, and as it is installed "
        "there with spec.exchange.connection.hostScript: Installed.",
        allow_abbrev=False,
    )
    parser.set_defaults(parser=parser)
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--sha256", action="store_true", help="print its SHA-256 instead")
    other.add_argument(
        "--installer",
        action="store_true",
        help="print Install-ExchangePushHost.ps1 instead, which signs, installs and checks it",
    )
