"""The flags of ``selftest``. Nothing heavy is imported for them: every command reads all flags."""

from __future__ import annotations

import argparse

from exchange_push_operator.workstation import flags

DESCRIPTION = (
    "Asks a real Exchange server, read-only, what no document tells, and compares the answers with "
    "what the operator was built on. Exit code 0: the operator can work there; 1: it cannot; "
    "2: the command line cannot be understood."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags; the password is never one of them."""
    parser.set_defaults(parser=parser)
    flags.add_authorities(flags.add_server(parser, "the server to ask"))
    parser.add_argument(
        "--probe", action="store_true", help="also invoke the monitoring probe (changes nothing)"
    )
    parser.add_argument(
        "--idle", action="store_true", help="also wait three minutes, to see what idling does"
    )
    flags.add_report(parser)
