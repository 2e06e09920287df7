"""The command line of ``selftest``."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from exchange_push_operator.adapters.ca_bundle import ca_bundle
from exchange_push_operator.core.errors import SpecError
from exchange_push_operator.core.ports import ExchangeAccess, Sensitive
from exchange_push_operator.selftest.interview import Interview, Plan
from exchange_push_operator.selftest.report import FORMS, judged

_PORTS = {"HTTPS": 5986, "HTTP": 5985}
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
    parser.add_argument("--scheme", choices=tuple(_PORTS), default="HTTPS", help="default: HTTPS")
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
    parser.add_argument(
        "--output", choices=tuple(FORMS), default="text", help="default: text, for people"
    )


def _port(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if not 1 <= number <= _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, 1 to {_LAST_PORT}")
    return number


def run(
    options: argparse.Namespace,
    *,
    ask: Callable[[str], str] = getpass.getpass,
    hold: Callable[[Plan], Interview] = Interview,
) -> int:
    """Hold the interview and print the report; the exit code.

    Raises: SpecError: a file that cannot be read.
    """
    access = ExchangeAccess(
        transport=options.transport,
        scheme=options.scheme,
        port=options.port or _PORTS[options.scheme],
        username=options.username,
        password=Sensitive.of(_password(options, ask)),
        ca_pem=None,
        version="",
        host_installed=options.host_script == "Installed",
    )
    with ca_bundle(options.ca_file) as ca_path:
        plan = Plan(options.server, access, ca_path, probe=options.probe, idle=options.idle)
        report = judged(hold(plan).hold(), version("exchange-push-operator"))
    sys.stdout.write(FORMS[options.output](report))
    return report.exit_code


def _password(options: argparse.Namespace, ask: Callable[[str], str]) -> str:
    if options.password_file is None:
        return ask(f"Password of {options.username}: ")
    try:
        text: str = options.password_file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"--password-file {options.password_file}: cannot be read as UTF-8 text"
        raise SpecError(message) from error
    return text.removesuffix("\n").removesuffix("\r")
