"""``selftest``: hold the interview, print the report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib.metadata import version

from exchange_push_operator.adapters.ca_bundle import ca_bundle
from exchange_push_operator.selftest.interview import Interview, Plan
from exchange_push_operator.selftest.report import FORMS, judged
from exchange_push_operator.workstation import exchange
from exchange_push_operator.workstation.asking import ask_at_terminal


def run(
    options: argparse.Namespace,
    *,
    ask: exchange.Ask = ask_at_terminal,
    hold: Callable[[Plan], Interview] = Interview,
) -> int:
    """Hold the interview and print the report; the exit code.

    Raises: SpecError: a file that cannot be read.
    """
    access = exchange.access(options, ask)
    with ca_bundle(options.ca_file) as ca_path:
        plan = Plan(options.server, access, ca_path, probe=options.probe, idle=options.idle)
        report = judged(hold(plan).hold(), version("exchange-push-operator"))
    sys.stdout.write(FORMS[options.output](report))
    return report.exit_code
