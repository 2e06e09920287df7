"""The flags that several commands share. Every command reads all flags, so they import little."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from exchange_push_operator.setting_values import file, folder, proxy

USERNAME = "--username"
CERTIFICATE, KEY, SECRET = "--client-certificate", "--client-key", "--client-secret-file"
PORTS = {"HTTPS": 5986, "HTTP": 5985}
FORMS = ("text", "markdown", "json")
_LAST_PORT = 65535

T = TypeVar("T")


def add_account(group: argparse._ArgumentGroup, *, required: bool) -> None:
    """Who signs in to Exchange, and what proves it. A password is never a flag."""
    group.add_argument(
        USERNAME,
        required=required,
        metavar="NAME",
        help="to Exchange: CORP\\name or name@corp.example.com",
    )
    proof = group.add_mutually_exclusive_group()
    proof.add_argument(
        "--password-file",
        metavar="FILE",
        type=Path,
        help="a file with its password; without it the password is asked for",
    )
    proof.add_argument("--keytab", metavar="FILE", type=Path, help="its keytab, in place of that")


def add_server(parser: argparse.ArgumentParser, help_text: str) -> argparse._ArgumentGroup:
    """A server of Exchange, and how to sign in to it; the group that these flags are in."""
    group = parser.add_argument_group("Exchange")
    group.add_argument("--server", required=True, metavar="FQDN", help=help_text)
    add_account(group, required=True)
    add_connection(group)
    return group


def add_report(parser: argparse.ArgumentParser) -> None:
    """In what form a report is printed."""
    parser.add_argument(
        *("-o", "--output"), choices=FORMS, default="text", help="default: text, for people"
    )


def add_connection(group: argparse._ArgumentGroup) -> None:
    """What a resource has in spec.exchange.connection."""
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


def add_application(group: argparse._ArgumentGroup) -> None:
    """What proves an application to Entra ID. A secret is never a flag."""
    proof = group.add_mutually_exclusive_group()
    proof.add_argument(CERTIFICATE, metavar="FILE", type=Path, help="its certificate (PEM)")
    proof.add_argument(SECRET, metavar="FILE", type=Path, help="or a file with its client secret")
    group.add_argument(
        KEY,
        metavar="FILE",
        type=Path,
        help="the certificate's key (PEM); default: in the file of the certificate",
    )


def add_network(group: argparse._ArgumentGroup) -> None:
    """What the operator is told by its installer, of the network that the command runs in."""
    add_authorities(group)
    group.add_argument(
        "--entra-proxy", type=read_by(proxy), metavar="URL", help="HTTP proxy for Microsoft"
    )
    group.add_argument(
        "--entra-proxy-credentials",
        type=read_by(folder),
        metavar="FOLDER",
        help="folder with its username and password; its address then begins with https",
    )


def add_authorities(group: argparse._ArgumentGroup) -> None:
    """Whom to trust."""
    group.add_argument(
        "--ca-file",
        type=read_by(file),
        metavar="FILE",
        help="CA certificates (PEM) to trust besides",
    )


def read_by(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Argparse repeats a value that is a ValueError; one may hold a password."""

    def parsed(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parsed


def _port(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if not 1 <= number <= _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, 1 to {_LAST_PORT}")
    return number
