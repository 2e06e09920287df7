"""The plugin's command line. kubectl runs ``kubectl-exchangepush`` for ``kubectl exchangepush``."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from exchange_push_operator.adapters import clock
from exchange_push_operator.adapters.kubernetes_person import Person
from exchange_push_operator.core.config import RECONCILE_REQUESTED_AT, SUSPENDED
from exchange_push_operator.core.errors import PushError, Refused, SpecError, Unreachable
from exchange_push_operator.core.timestamps import utc_text
from exchange_push_operator.kubectl.screen import draw
from exchange_push_operator.plan import flags as plan
from exchange_push_operator.settings import NAME, Parser
from exchange_push_operator.workstation.ending import ended
from exchange_push_operator.workstation.forms import table

_PROG = "kubectl exchangepush"
_WIDE = 1 << 20  # a pipe: nothing is cut
_NARROW = 40


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 1 for every error. ``plan``: 2 for changes."""
    given = _parser().understood(sys.argv[1:] if arguments is None else arguments)
    return ended(f"{_PROG} {given.command}", lambda: _done(given))


def _done(given: argparse.Namespace) -> int:
    if given.command == "plan":
        from exchange_push_operator.plan.command import run  # noqa: PLC0415 - heavy, and for it alone

        return run(given)
    try:
        person = Person(given.kubeconfig, given.context, given.namespace)
        text = _ACTS[given.command][1](person, given.name)
    except PushError as error:
        sys.stderr.write(f"{_PROG} {given.command}: {error}{_next(error)}\n")
        return 1
    sys.stdout.write(text)
    return 0


def _next(error: PushError) -> str:
    """What the API server's words leave out."""
    if isinstance(error, Refused):
        return "; ask for this right: docs/kubectl.md lists what each command needs"
    return "; is this the right kubeconfig and context?" if isinstance(error, Unreachable) else ""


def _status(person: Person, name: str) -> str:
    return draw(person.get(name), clock.now(), _width())


def _events(person: Person, name: str) -> str:
    rows = sorted(_row(event) for event in person.events(person.get(name)))
    if not rows:
        return "no events (the API server keeps them for an hour)\n"
    lines = table(("LAST SEEN", "TIMES", "TYPE", "REASON", "MESSAGE"), rows, _width())
    return "\n".join(lines) + "\n"


def _row(event: Mapping[str, Any]) -> tuple[str, ...]:
    series = event.get("series") or {}
    seen = series.get("lastObservedTime") or event.get("eventTime") or ""
    times = str(series.get("count", 1))
    return (
        seen[:19],
        times,
        event.get("type", ""),
        event.get("reason", ""),
        event.get("message", ""),
    )


def _suspend(person: Person, name: str) -> str:
    person.annotate(name, {SUSPENDED: "true"})
    return f"{person.namespace}/{name} suspended: nothing is looked at or changed\n"


def _resume(person: Person, name: str) -> str:
    changed = person.annotate(name, {SUSPENDED: None})
    if changed["spec"].get("suspend"):
        raise SpecError(
            f"{person.namespace}/{name}: spec.suspend is true; edit it where spec is kept"
        )
    return f"{person.namespace}/{name} resumed\n"


def _reconcile(person: Person, name: str) -> str:
    person.annotate(name, {RECONCILE_REQUESTED_AT: utc_text(clock.now())})
    look = f"{_PROG} status {name} -n {person.namespace}"
    return f"{person.namespace}/{name}: a pass is asked for; {look}\n"


_ACTS: Mapping[str, tuple[str, Callable[[Person, str], str]]] = {
    "status": ("stages, servers and dates on one screen", _status),
    "events": ("what happened to a resource, the newest last", _events),
    "suspend": (f"stop looking and changing, by annotation {SUSPENDED}", _suspend),
    "resume": ("take that annotation away", _resume),
    "reconcile": ("look now, by annotation", _reconcile),
}


def _parser() -> Parser:
    parser = Parser(
        prog=_PROG,
        description="Push-notification proxying of on-premises Exchange: plan, look, steer.",
        allow_abbrev=False,
    )
    parser.status = 1
    parser.add_argument("--version", action="version", version=version(NAME))
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add(commands, "plan", "print what would be changed", plan.add_arguments)
    for name, (help_text, _) in _ACTS.items():
        _add(commands, name, help_text, _add_name)
    return parser


def _add(
    commands: argparse._SubParsersAction[Parser],
    name: str,
    help_text: str,
    add_arguments: Callable[[Parser], None],
) -> None:
    description = plan.DESCRIPTION if name == "plan" else None
    parser = commands.add_parser(name, help=help_text, description=description, allow_abbrev=False)
    add_arguments(parser)


def _add_name(parser: Parser) -> None:
    parser.status = 1
    parser.set_defaults(parser=parser)
    parser.add_argument("name", type=plan.named, metavar="NAME", help="the ExchangePushConfig")
    plan.add_cluster_arguments(parser)


def _width() -> int:
    """Of the terminal, which is never so narrow that nothing can be told."""
    return max(_NARROW, shutil.get_terminal_size().columns) if sys.stdout.isatty() else _WIDE


if __name__ == "__main__":
    sys.exit(main())
