"""The console command: reads the command line and does what it asks for.

Each command is imported when it is asked for: ``--help`` needs no framework, ``assess`` no cluster.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence

from exchange_push_operator import command_line
from exchange_push_operator.core.errors import SpecError
from exchange_push_operator.settings import NAME, read
from exchange_push_operator.workstation.ending import ended

# ruff: noqa: PLC0415 - see above


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 2 for what cannot be understood. ``run``: 0 after a clean stop, else 1."""
    given = command_line.parse(sys.argv[1:] if arguments is None else arguments)
    if given.command == "run":  # it has its own way with signals
        return _told(lambda: _run(given))
    return ended(NAME, lambda: _told(lambda: _LOOKS[given.command](given)))


def _told(command: Callable[[], int]) -> int:
    """What cannot be understood or done is one line and 2."""
    try:
        return command()
    except SpecError as error:
        sys.stderr.write(f"{NAME}: {error}\n")
        return 2


def _run(given: argparse.Namespace) -> int:
    from exchange_push_operator.operate import until_stopped

    return until_stopped(read(given))


def _assess(given: argparse.Namespace) -> int:
    from exchange_push_operator.assess import command

    return command.run(given)


def _plan(given: argparse.Namespace) -> int:
    from exchange_push_operator.plan import command

    return command.run(given)


def _selftest(given: argparse.Namespace) -> int:
    from exchange_push_operator.selftest import command

    return command.run(given)


def _host_script(given: argparse.Namespace) -> int:
    from exchange_push_operator.adapters.host_script import bootstrap, installer, script

    if given.sha256:
        text = bootstrap().sha256 + "\n"
    else:
        text = (installer() if given.installer else script()).decode("ascii")
    sys.stdout.write(text)
    return 0


_LOOKS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "assess": _assess,
    "plan": _plan,
    "selftest": _selftest,
    "host-script": _host_script,
}

if __name__ == "__main__":
    sys.exit(main())
