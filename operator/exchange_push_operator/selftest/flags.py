"""The flags of ``selftest``. Nothing heavy is imported for them: every command reads all flags."""

from __future__ import annotations

import argparse
from pathlib import Path

PORTS = {"HTTPS": 5986, "HTTP": 5985}
FORMS = ("text", "markdown", "json")
_LAST_PORT = 65535
DESCRIPTION = (
    "Asks a real Exchange server, read-only, what no document tells, and compares the answers with "
    "what the operator was built on. Exit code 0: the operator can work there; 1: it cannot; "
    "2: the command line cannot be understood."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags; the password is never one of them."""
    parser.add_argument("--server", required=True, metavar="FQDN", help="the server to ask")
    parser.add_argument(
        "--username", required=True, metavar="NAME", help="CORP\\name or name@corp.example.com"
    )
    parser.add_argument(
        "--password-file",
        metavar="FILE",
        type=Path,
        help="a file with the password; without it the password is asked for",
    )
    parser.add_argument(
        "--transport", choices=("Kerberos", "NTLM"), default="Kerberos", help="default: Kerberos"
    )
    parser.add_argument("--scheme", choices=tuple(PORTS), default="HTTPS", help="default: HTTPS")
    parser.add_argument(
        "--host-script",
        choices=("Streamed", "Installed"),
        default="Streamed",
        help="default: Streamed; Installed: the signed file on the server",
    )
    parser.add_argument(
        "--port", type=_port, metavar="NUMBER", help="default: 5986 for HTTPS, 5985 for HTTP"
    )
    parser.add_argument(
        "--ca-file", metavar="FILE", type=Path, help="CA certificates (PEM) to trust besides"
    )
    parser.add_argument(
        "--probe", action="store_true", help="also invoke the monitoring probe (changes nothing)"
    )
    parser.add_argument(
        "--idle", action="store_true", help="also wait three minutes, to see what idling does"
    )
    parser.add_argument("--output", choices=FORMS, default="text", help="default: text, for people")


def _port(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if not 1 <= number <= _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, 1 to {_LAST_PORT}")
    return number
