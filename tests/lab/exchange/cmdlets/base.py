"""What every cmdlet gets, and how one is declared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from lab.exchange.directory import View
from lab.exchange.failures import bad_value, controller_away, not_found, would_prompt
from lab.exchange.organization import Organization
from lab.exchange.server import Server

Row: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class Call:
    """One cmdlet being run on one server."""

    organization: Organization
    server: Server
    account: str
    parameters: Mapping[str, Any]
    changed: bool = field(default=False)

    @property
    def view(self) -> View:
        """The directory as this server sees it, or as the domain controller asked for does."""
        return View(self.organization.directory, self.controller)

    @property
    def controller(self) -> str:
        """The domain controller asked for, else this server's own, else another one that is up.

        Raises: CmdletFailed.
        """
        named = self.text("DomainController").lower()
        own = [self.server, *self.organization.servers.values()]
        down = self.organization.switches.controllers_down
        up = [server.controller for server in own if server.controller not in down]
        if not up or (named and named not in up):
            raise controller_away(self.server, named or self.server.controller)
        return named or up[0]

    def write(self) -> View:
        """The directory, to be changed through the same controller."""
        self.changed = True
        return View(self.organization.directory, self.controller)

    def text(self, name: str, default: str = "") -> str:
        value = self.parameters.get(name)
        return default if value is None else str(value)

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self.parameters.get(name)
        return default if value is None else bool(value)

    def has(self, name: str) -> bool:
        return self.parameters.get(name) is not None

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.parameters.get(name) or ()
        return (value,) if isinstance(value, str) else tuple(value)

    def prompt(self, question: str) -> None:
        """Ask a person, who is not there. Raises: CmdletFailed."""
        raise would_prompt(self.server, question)

    def other_server(self, name: str) -> Server:
        """The server that a parameter names; this one without a name. Raises: CmdletFailed."""
        if not name:
            return self.server
        try:
            return self.organization.server(name)
        except KeyError:
            raise not_found(self.server, name) from None

    def limited(self, name: str, length: int) -> str:
        """A text with a greatest length. Raises: CmdletFailed."""
        value = self.text(name)
        if len(value) > length:
            raise bad_value(self.server, name, f"{len(value)} > {length}")
        return value


@dataclass(frozen=True, slots=True)
class Rule:
    """A cmdlet: its name, what it does, its parameters, and where it exists."""

    name: str
    does: Callable[[Call], list[Row]]
    parameters: frozenset[str]
    required: tuple[str, ...] = ()
    exists: Callable[[Server], bool] = lambda _: True


def rule(
    name: str,
    does: Callable[[Call], list[Row]],
    parameters: str = "",
    *,
    required: str = "",
    exists: Callable[[Server], bool] = lambda _: True,
) -> Rule:
    """Declare a cmdlet; parameters are words."""
    return Rule(name, does, frozenset(parameters.split()), tuple(required.split()), exists)
