"""Looks as data, and what came back.

A stage says what it wants to look at; the reconciler sends all looks of a server in one request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from exchange_push_operator.core.commands import Cmdlet, GraphRequest, Row
from exchange_push_operator.core.errors import (
    CmdletFailed,
    PushError,
    Refused,
    SpecError,
    Throttled,
)
from exchange_push_operator.core.ports import Answer, Identity
from exchange_push_operator.core.reasons import Reason

ORGANIZATION = ""
"""In place of a server's name: asked on one server, true for the organisation."""


COMMAND_NOT_FOUND = "CommandNotFoundException"
"""What PowerShell says of a cmdlet that is not in the session."""


def _no_cmdlets(_server: str) -> tuple[Cmdlet, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Looks:
    """What to look at: once for the organisation, on each listed server, in Graph, in public."""

    organization: tuple[Cmdlet, ...] = ()
    server: Callable[[str], tuple[Cmdlet, ...]] = _no_cmdlets
    graph: tuple[GraphRequest, ...] = ()
    metadata: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Observations:
    """Every answer of one round; a look that failed raises its error where it is read.

    ``away`` holds the listed servers that did not answer. ``period`` is when the servers were
    asked, from the first question to the last answer. ``identity`` is None where the resource
    does not sign in to Entra ID.
    """

    tenant_id: str
    cmdlets: Mapping[tuple[str, Cmdlet], Answer] = field(default_factory=dict)
    away: Mapping[str, PushError] = field(default_factory=dict)
    answered: tuple[str, ...] = ()
    graph_answers: Mapping[GraphRequest, Mapping[str, Any] | PushError] = field(
        default_factory=dict
    )
    documents: Mapping[str, Mapping[str, Any] | PushError | None] = field(default_factory=dict)
    identity: Identity | None = None
    period: tuple[datetime, datetime] | None = None
    # What `once` keeps; `replace` starts with nothing kept.
    kept: dict[tuple[object, ...], Any] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def primary(self) -> str:
        """The server that spoke for the organisation: the first that answered."""
        return self.answered[0]

    def organization(self, look: Cmdlet) -> tuple[Row, ...]:
        """Rows of an organisation-wide look.

        Raises: Refused (no right to the cmdlet), CmdletFailed.
        """
        return self.server(ORGANIZATION, look)

    def server(self, name: str, look: Cmdlet) -> tuple[Row, ...]:
        """Rows of a look on a server. Raises as ``organization``."""
        answer = self.cmdlets[name, look]
        if answer.error is not None:
            raise not_permitted(look, answer.error)
        return answer.rows

    def graph(self, request: GraphRequest) -> Mapping[str, Any]:
        """The body of a Graph look. Raises what the look raised."""
        answer = self.graph_answers[request]
        if isinstance(answer, PushError):
            raise answer
        return answer

    def document(self, url: str) -> Mapping[str, Any] | None:
        """A public document; None where the service has none. Raises what the look raised."""
        answer = self.documents[url]
        if isinstance(answer, PushError):
            raise answer
        return answer

    def refusals(self) -> Iterable[Refused | SpecError]:
        """What a person must act on, whichever look ran into it, in a stable order."""
        errors: list[object] = [self.away[name] for name in sorted(self.away)]
        errors += self.graph_answers.values()
        return (error for error in errors if isinstance(error, Refused | SpecError))

    def patience(self) -> float:
        """The longest pause in seconds that Microsoft asked for."""
        answers = [*self.graph_answers.values(), *self.documents.values()]
        asked = [answer.retry_after for answer in answers if isinstance(answer, Throttled)]
        return max((seconds or 0.0 for seconds in asked), default=0.0)


P = ParamSpec("P")
R = TypeVar("R")


def once(
    read: Callable[Concatenate[Observations, P], R],
) -> Callable[Concatenate[Observations, P], R]:
    """Read the same answers once: many stages want what a server says of itself."""

    @wraps(read)
    def kept(observed: Observations, /, *args: P.args, **kwargs: P.kwargs) -> R:
        key = (read, *args, *kwargs.values())
        if key not in observed.kept:
            observed.kept[key] = read(observed, *args, **kwargs)
        found: R = observed.kept[key]
        return found

    return kept


def not_permitted(command: Cmdlet, error: CmdletFailed) -> PushError:
    """Tell a cmdlet that RBAC does not grant from one that failed.

    Exchange leaves cmdlets without a role out of the session, so PowerShell does not find them.
    """
    if error.kind == COMMAND_NOT_FOUND:
        return Refused(
            Reason.ACCESS_DENIED,
            f"{command.name} is not granted to the account of "
            "spec.exchange.connection.credentialsSecretRef; "
            f"assign a management role that has it (Get-ManagementRole -Cmdlet {command.name})",
        )
    return error


def merge(looks: Iterable[Looks]) -> Looks:
    """One set of looks out of many; what several stages want is asked once."""
    looks = tuple(looks)

    def server(name: str) -> tuple[Cmdlet, ...]:
        return _unique(command for look in looks for command in look.server(name))

    return Looks(
        organization=_unique(command for look in looks for command in look.organization),
        server=server,
        graph=tuple(dict.fromkeys(request for look in looks for request in look.graph)),
        metadata=tuple(dict.fromkeys(url for look in looks for url in look.metadata)),
    )


def _unique(commands: Iterable[Cmdlet]) -> tuple[Cmdlet, ...]:
    return tuple(dict.fromkeys(commands))
