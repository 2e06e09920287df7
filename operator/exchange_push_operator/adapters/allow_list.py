"""What may be sent to a server: ``powershell/allowlist.json``, which drives host.ps1 as well."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files

from exchange_push_operator.core.commands import Cmdlet, Value

# How a date travels. host.ps1 has the same pattern.
DATE = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,7})?(Z|\+00:00)"
)


class NotAllowed(ValueError):
    """The program asks for something that allowlist.json does not have."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What allowlist.json says of one cmdlet. A type is a name, or the values that are allowed."""

    changes: bool
    parameters: Mapping[str, str | Sequence[str]]


@cache
def allow_list() -> Mapping[str, Rule]:
    """The cmdlets that may be sent, by name."""
    return {
        name: Rule(bool(entry.get("changes")), entry["parameters"])
        for name, entry in json.loads(text()).items()
    }


def check(command: Cmdlet, *, changes: bool) -> None:
    """Refuse what must never leave the operator.

    Raises: NotAllowed: an unknown cmdlet or parameter, a value of the wrong type, or a cmdlet
    that changes something among the looks (``-WhatIf`` makes a look of it).
    """
    rule = allow_list().get(command.name)
    if rule is None:
        message = f"{command.name} is not in allowlist.json"
        raise NotAllowed(message)
    for name, value in command.parameters:
        if name not in rule.parameters or not _fits(value, rule.parameters[name]):
            message = f"{command.name} -{name} is not in allowlist.json with this type or value"
            raise NotAllowed(message)
    if rule.changes and not changes and ("WhatIf", True) not in command.parameters:
        message = f"{command.name} changes something and was sent as a look"
        raise NotAllowed(message)


def text() -> str:
    """The document itself, as it stands in the host script."""
    return (files("exchange_push_operator") / "powershell" / "allowlist.json").read_text("ascii")


def _is_date(value: Value) -> bool:
    """ISO 8601 in UTC, of a day that there is."""
    if not isinstance(value, str) or not DATE.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


# The types that a parameter can have in allowlist.json; Set-Argument in host.ps1 knows the same.
TYPES: Mapping[str, Callable[[Value], bool]] = {
    "string": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: type(value) is int and -(2**31) <= value < 2**31,
    "strings": lambda value: (
        isinstance(value, tuple) and all(isinstance(one, str) for one in value)
    ),
    "date": _is_date,
}


def _fits(value: Value, kind: str | Sequence[str]) -> bool:
    return TYPES[kind](value) if isinstance(kind, str) else value in kind
