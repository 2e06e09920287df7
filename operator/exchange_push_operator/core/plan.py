"""What a stage found, and the steps that would mend it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from exchange_push_operator.core.commands import Cmdlet, GraphRequest
from exchange_push_operator.core.reasons import Reason


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition's worth of truth: ``status`` is True, False or Unknown."""

    status: str
    reason: Reason
    message: str


def holds(reason: Reason, message: str) -> Finding:
    """A stage that is as it should be."""
    return Finding("True", reason, message)


def fails(reason: Reason, message: str) -> Finding:
    """A fact that is not as it should be."""
    return Finding("False", reason, message)


def unknown(reason: Reason, message: str) -> Finding:
    """Something that could not be observed, or has to be waited for."""
    return Finding("Unknown", reason, message)


@dataclass(frozen=True, slots=True)
class Advisory:
    """What an administrator should know although nothing is broken."""

    type: str
    message: str


@dataclass(frozen=True, slots=True)
class Guard:
    """What a write to a list rests on.

    ``entries`` is what ``look`` answered when the plan was made: should it answer otherwise right
    before the write, the plan is void. ``may_go`` are the only keyIds that the write may drop,
    ``at_last`` those that a further try may drop as well.
    """

    look: GraphRequest
    entries: frozenset[str]
    may_go: frozenset[str]
    at_last: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Step:
    """One change: why, what, where, and the event it makes.

    ``server`` is where a cmdlet runs (None: on the server that speaks for the organisation).
    ``summary`` says what a GraphRequest changes; its body is too long to read. ``parts`` names each
    thing that it changes, so that a change that is undone again and again is known by it.
    ``fallbacks`` are tried in turn where Entra ID refuses ``command`` for an expired key.
    ``alone``: it mends one server, and it and the other steps do not rest on each other: it comes
    after them, whether or not one of them failed.
    ``safety``: without it something that works would stop working, so it may be performed outside
    of change windows. ``completes``: it is the second half of a change that was made, and needs no
    approval of its own. docs/approval.md lists both.
    """

    action: str
    target: str
    event: str
    command: Cmdlet | GraphRequest
    server: str | None = None
    summary: str = ""
    parts: tuple[str, ...] = ()
    guard: Guard | None = None
    fallbacks: tuple[GraphRequest, ...] = ()
    alone: bool = False
    safety: bool = False
    completes: bool = False

    @property
    def digest(self) -> str:
        """Twelve hex digits, the same for the same change however it is worded."""
        return _digest(_canonical(self))

    @property
    def key(self) -> str:
        """The same for the same change on the same server, whatever stands beside it."""
        return f"{self.server or '*'} {self.event} {self.target} {self.command}"

    @property
    def spelled_out(self) -> str:
        """What an administrator can run by hand: the cmdlet, or the call with its whole body."""
        if isinstance(self.command, Cmdlet) or self.command.body is None:
            return str(self.command)
        return f"{self.command} {json.dumps(self.command.body)}"

    @property
    def text(self) -> str:
        """The cmdlet or call as a person reads it."""
        return f"{self.command}{': ' if self.summary else ''}{self.summary}"


@dataclass(frozen=True, slots=True)
class Plan:
    """A stage's finding and its steps. Without steps there is nothing that we may do.

    ``later``: steps that are known beforehand and wait for others to be made. They are shown and
    approved with them, and performed once they are among ``steps``. ``dropped``: steps that were
    perhaps foreseen, and are not made and not planned: they have turned out not to be needed.
    ``unseen``: it could not be looked at, so that no steps say nothing.
    """

    finding: Finding
    steps: tuple[Step, ...] = ()
    advisories: tuple[Advisory, ...] = ()
    later: tuple[Step, ...] = ()
    dropped: tuple[Step, ...] = ()
    unseen: bool = False


def plan_hash(steps: Iterable[Step], since: str = "") -> str:
    """Twelve hex digits, the same for the same steps in the same order.

    ``since``: of which object it is, and when the last change before was made. The same steps are
    another plan after it, so that an approval is good for one time.
    """
    return _digest([*([since] if since else ()), *(_canonical(step) for step in steps)])


def _canonical(step: Step) -> list[Any]:
    calls = (step.command, *step.fallbacks)
    bodies = [_ordered(call.body) for call in calls if isinstance(call, GraphRequest)]
    return [step.server, str(step.command), *bodies]


def _ordered(value: Any) -> Any:
    """Without the order in which Microsoft Graph lists entries: it means nothing."""
    if isinstance(value, Mapping):
        return {name: _ordered(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return sorted((_ordered(item) for item in value), key=_text)
    return value


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _digest(value: Any) -> str:
    return hashlib.sha256(_text(value).encode()).hexdigest()[:12]
