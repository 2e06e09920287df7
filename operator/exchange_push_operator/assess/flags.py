"""The flags of ``assess``. Nothing heavy is imported for them: every command reads all flags."""

from __future__ import annotations

import argparse
from pathlib import Path

from exchange_push_operator.core.clouds import CLOUDS

DESCRIPTION = (
    "Tells, read-only, what state the trust of an Exchange organization with Microsoft 365 is in, "
    "what will go wrong and when, and what to do. Needs no cluster. Exit code 0: fine; 1: needs "
    "attention; 2: broken, or it could not be looked at."
)
FORMS = ("text", "markdown", "json")
PORTS = {"HTTPS": 5986, "HTTP": 5985}
_LAST_PORT = 65535


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags; a password is never one of them."""
    _exchange(parser.add_argument_group("Exchange"))
    _entra(parser.add_argument_group("Entra ID (left out: what is there is not seen)"))
    parser.add_argument("--output", choices=FORMS, default="text", help="default: text")
    parser.add_argument(
        "--write",
        metavar="FILE",
        type=Path,
        help="also write the resource that describes the organization; an existing file is kept",
    )


def _exchange(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--server", required=True, metavar="FQDN", help="the server to ask first")
    group.add_argument(
        "--username", required=True, metavar="NAME", help="CORP\\name or name@corp.example.com"
    )
    proof = group.add_mutually_exclusive_group()
    proof.add_argument(
        "--password-file",
        metavar="FILE",
        type=Path,
        help="a file with the password; without it the password is asked for",
    )
    proof.add_argument("--keytab", metavar="FILE", type=Path, help="a keytab, in its place")
    _connection(group)


def _connection(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--transport", choices=("Kerberos", "NTLM"), default="Kerberos", help="default: Kerberos"
    )
    group.add_argument("--scheme", choices=tuple(PORTS), default="HTTPS", help="default: HTTPS")
    group.add_argument(
        "--port", type=_port, metavar="NUMBER", help="default: 5986 for HTTPS, 5985 for HTTP"
    )
    group.add_argument(
        "--host-script",
        choices=("Streamed", "Installed"),
        default="Streamed",
        help="default: Streamed; Installed: the signed file on the servers",
    )
    group.add_argument(
        "--ca-file", metavar="FILE", type=Path, help="CA certificates (PEM) to trust besides"
    )


def _entra(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--tenant", metavar="DOMAIN", help="a domain of the tenant; looked up at Microsoft"
    )
    group.add_argument("--cloud", choices=tuple(CLOUDS), default="Global", help="default: Global")
    group.add_argument("--client-id", metavar="ID", help="an application that may read the keys")
    group.add_argument(
        "--client-certificate", metavar="FILE", type=Path, help="its certificate (PEM)"
    )
    group.add_argument(
        "--client-key",
        metavar="FILE",
        type=Path,
        help="the certificate's key (PEM); default: in the file of the certificate",
    )


def _port(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if not 1 <= number <= _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, 1 to {_LAST_PORT}")
    return number
