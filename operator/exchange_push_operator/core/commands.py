"""What can be asked of Exchange and of Microsoft Graph, as values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Ahead:
    """A date that is computed when the cmdlet is sent, by the clock of its server.

    So the same change is the same plan at every look, and no date has passed before it arrives.
    """

    span: timedelta

    def __str__(self) -> str:
        """As an administrator would type it."""
        return f"(Get-Date).AddMinutes({int(self.span.total_seconds() // 60)})"


_SINGLE_QUOTES = re.compile("['\u2018\u2019\u201a\u201b]")

Scalar: TypeAlias = str | int | bool
Value: TypeAlias = Scalar | tuple[str, ...] | Ahead
Row: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cmdlet:
    """One cmdlet with its parameters, as Microsoft spells them.

    Dates are ISO 8601 text in UTC; the host script turns them into dates on the server. Equal
    cmdlets are the same look, so a value can be the key under which its answer is kept.
    """

    name: str
    parameters: tuple[tuple[str, Value], ...] = ()

    def __str__(self) -> str:
        """The line an administrator would type."""
        return " ".join([self.name, *(_parameter(k, v) for k, v in self.parameters)])


def cmdlet(name: str, /, **parameters: Value) -> Cmdlet:
    """Spell a cmdlet: ``cmdlet("Get-AuthServer", Identity="MicrosoftSts")``."""
    return Cmdlet(name, tuple(parameters.items()))


def _parameter(name: str, value: Value) -> str:
    match value:
        case bool():
            return f"-{name}:${str(value).lower()}"
        case tuple():
            return f"-{name} @({', '.join(quoted(item) for item in value)})"
        case int() | Ahead():
            return f"-{name} {value}"
        case _:
            return f"-{name} {quoted(value)}"


def quoted(text: str) -> str:
    """A PowerShell literal: nothing is expanded in single quotes. Commands are never sent as text.

    PowerShell takes typographic quotes for the plain one (about_Quoting_Rules), so each is doubled.
    What cannot be seen is spelled out: it must neither move a cursor nor mislead who reads it.
    """
    doubled = _SINGLE_QUOTES.sub(lambda found: found[0] * 2, text)
    if text.isprintable():
        return f"'{doubled}'"
    return "('" + "".join(c if c.isprintable() else _spelled(c) for c in doubled) + "')"


def _spelled(character: str) -> str:
    return f"' + [char]::ConvertFromUtf32(0x{ord(character):x}) + '"


@dataclass(frozen=True, slots=True)
class GraphRequest:
    """One call of Microsoft Graph v1.0. ``path`` is relative to ``/v1.0/``."""

    method: str
    path: str
    body: Mapping[str, Any] | None = field(default=None, hash=False)

    def __str__(self) -> str:
        """Method and path, as Microsoft's reference spells a call."""
        return f"{self.method} /v1.0/{self.path}"
