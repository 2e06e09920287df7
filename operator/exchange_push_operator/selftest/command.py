"""``selftest``: hold the interview, print the report."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable
from importlib.metadata import version

from exchange_push_operator.adapters.ca_bundle import ca_bundle
from exchange_push_operator.core.errors import SpecError
from exchange_push_operator.core.ports import ExchangeAccess, Sensitive
from exchange_push_operator.selftest.flags import PORTS
from exchange_push_operator.selftest.interview import Interview, Plan
from exchange_push_operator.selftest.report import FORMS, judged


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
        port=options.port or PORTS[options.scheme],
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
