"""The flags of ``assess``. Nothing heavy is imported for them: every command reads all flags."""

from __future__ import annotations

import argparse
from pathlib import Path

from exchange_push_operator.core.clouds import CLOUDS
from exchange_push_operator.workstation import flags

DESCRIPTION = (
    "Tells, read-only, what state the trust of an Exchange organization with Microsoft 365 is in, "
    "what will go wrong and when, and what to do. Needs no cluster. Exit code 0: fine; 1: needs "
    "attention; 2: broken, or it could not be looked at."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags; a password is never one of them."""
    parser.set_defaults(parser=parser)
    flags.add_server(parser, "the server to ask first")
    _entra(parser.add_argument_group("Entra ID (left out: what is there is not seen)"))
    flags.add_network(parser.add_argument_group("as of the operator"))
    flags.add_report(parser)
    parser.add_argument(
        "--write",
        metavar="FILE",
        type=Path,
        help="also write the resource that describes the organization; an existing file is kept",
    )


def _entra(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--tenant", metavar="DOMAIN", help="a domain of the tenant; looked up at Microsoft"
    )
    group.add_argument("--cloud", choices=tuple(CLOUDS), default="Global", help="default: Global")
    group.add_argument("--client-id", metavar="ID", help="an application that may read the keys")
    flags.add_application(group)
