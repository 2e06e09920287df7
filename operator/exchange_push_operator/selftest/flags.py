"""The flags of ``selftest``. Nothing heavy is imported for them: every command reads all flags."""

from __future__ import annotations

import argparse

from exchange_push_operator.workstation import flags

DESCRIPTION = (
    "Asks a real Exchange server, read-only, what no document tells, and compares the answers with "
    "what the operator was built on. Exit code 0: the operator can work there; 1: it cannot; "
    "2: the command line cannot be understood."
)
FORMS = ("text", "markdown", "json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags; the password is never one of them."""
    parser.set_defaults(parser=parser)
    group = parser.add_argument_group("Exchange")
    group.add_argument("--server", required=True, metavar="FQDN", help="the server to ask")
    flags.add_account(group, required=True)
    flags.add_connection(group)
    flags.add_authorities(group)
    parser.add_argument(
        "--probe", action="store_true", help="also invoke the monitoring probe (changes nothing)"
    )
    parser.add_argument(
        "--idle", action="store_true", help="also wait three minutes, to see what idling does"
    )
    parser.add_argument(
        *("-o", "--output"), choices=FORMS, default="text", help="default: text, for people"
    )
