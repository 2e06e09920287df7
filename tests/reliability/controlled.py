"""Tells a story of change control, and judges every write by what status and spec say then."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from exchange_push_operator.core.commands import Cmdlet, GraphRequest
from exchange_push_operator.core.ports import (
    Answer,
    Exchange,
    ExchangeAccess,
    Fence,
    Graph,
    GraphAccess,
    Identity,
)
from exchange_push_operator.reconcile import Outcome
from lab.in_process import BY_SECRET, Operator
from lab.resources import merged
from reliability.any_control import Round, Story, somebody, spec_of
from reliability.any_story import SERVERS
from reliability.told import PAUSE, Killed, Telling, nothing_moved

_MOST_PASSES = 40


class Control(Telling):
    """``manages``: the same story without any control, for comparison."""

    def __init__(self, story: Story, *, manages: bool) -> None:
        super().__init__(story.start.lab(), story.faults, 0)
        self.story, self.manages = story, manages
        self.round = story.rounds[0]
        self.published: list[str | None] = []
        self.under: str | None = None
        self.used: list[str | None] = []
        self.written: list[str] = []

    def tell(self) -> None:
        """All rounds; then a person approves every plan, until nothing moves any more.

        At last the same drift comes twice, the second time under the approval of the first.
        """
        operator: Operator = self.operator()
        changes: tuple[str, ...] = ()
        for now in self.story.rounds:
            self.round, changes = now, changes if now.again else now.changes
            for change in changes:
                somebody(self.outside, change)
            self._edit()
            for _ in range(2):  # a plan is published by one pass, and performed by the next
                operator = self._pass(operator)
                self._edit()
            operator = self.operator() if self.round.killed else operator
            self.outside.clock.forward(hours=self.round.hours)
        for at, change in self.story.meanwhile:
            if at >= self.calls:  # so that it comes in both tellings
                somebody(self.outside, change)
        self._cure()
        self.round = replace(self.round, person="approves", lasts=0)
        self.rest(operator)
        for _ in range(2):
            somebody(self.outside, "disable_auth_server")
            self.outside.clock.forward(hours=2)
            self._pass(self._pass(operator))
            self.rest(operator)

    def end(self) -> Mapping[str, Any]:
        """What the story ends in. Of a proxy that is off nobody knows what it was last."""
        found = self.outside.outside()
        return found if found["proxy"][0] else {**found, "proxy": "disabled"}

    def rest(self, operator: Operator) -> Outcome:
        """Whatever is published is approved, until nothing moves."""
        outcomes: list[Outcome] = []
        for _ in range(_MOST_PASSES):
            self.outside.clock.forward(seconds=PAUSE)
            while not self.is_open():
                self.outside.clock.forward(hours=1)
            outcomes.append(operator.step())
            self._passed()
            if self._asks():
                self._edit()
            elif len(outcomes) > 2 and nothing_moved(outcomes[-3:]):
                return outcomes[-1]
        message = f"no rest: {[one.changes for one in outcomes]}, {outcomes[-1].status}"
        raise AssertionError(message)

    def operator(self) -> Operator:
        """A new life."""
        return _Controlled(self)

    def call(self) -> None:
        """Before each remote call."""
        for at, change in () if self.cured else self.story.meanwhile:
            if at == self.calls:
                somebody(self.outside, change)
        super().call()

    def judge(self, command: str, server: str) -> None:
        """Before a write: was it published, approved, and is a window open?"""
        self.written.append(command)
        if self.manages:
            return
        spec, status = self.outside.resource["spec"], self.outside.status
        completes = command.startswith("Enable-ExchangeCertificate")
        if completes:
            assert any(one.startswith("New-ExchangeCertificate") for one in self.written)
        else:
            named = self.under = spec.get("approvedPlan")
            assert named, f"{command} without approval"
            assert named == status.get("planHash"), f"{command} by {named}, published: {status}"
            assert named not in self.used, f"{command} by {named}, which was used up"
            assert any(_is(change, command, server) for change in status["plannedChanges"]), (
                f"{command} on {server} is not in {status['plannedChanges']}"
            )
        safe = completes and self.story.safety_acts
        assert safe or self.is_open(), f"{command} at {self.outside.clock()}, {self.round.window}"

    def is_open(self) -> bool:
        """Whether a change may begin."""
        window = self.round.window
        return window is None or window.is_open(self.outside)

    def _passed(self) -> None:
        """After a pass: what is published, and whether a plan is over."""
        plan = self.outside.status.get("planHash")
        if self.under and self.under != plan:
            self.used.append(self.under)
            self.under = None
        if plan:
            self.published.append(plan)

    def _asks(self) -> bool:
        """Whether another plan is published than the one that was approved."""
        named = self.outside.resource["spec"].get("approvedPlan")
        return not self.manages and self.outside.status.get("planHash") not in (None, named)

    def _pass(self, operator: Operator) -> Operator:
        try:
            operator.step()
        except Killed:
            operator = self.operator()
        self._passed()
        return operator

    def _edit(self) -> None:
        listed = [{"name": name} for name in SERVERS[: self.story.start.listed]]
        spec = merged(
            merged(BY_SECRET, spec_of(self.round.edit)), {"exchange": {"servers": listed}}
        )
        if not self.manages:
            spec = merged(spec, self._control(self.round))
        self.outside.edit(spec)

    def _control(self, now: Round) -> dict[str, Any]:
        windows = [now.window.spec()] if now.window else []
        plan = self._named(now.person)
        named = {"approvedPlan": plan} if plan else {}
        return {"managementPolicy": "Approve", "changeWindows": windows, **named}

    def _named(self, person: str) -> str | None:
        if person == "names an old plan":
            return (self.used or self.published or [None])[-1]
        if person == "mistypes":
            return "0123456789ab"
        return self.outside.status.get("planHash") if person == "approves" else None


def _is(change: Mapping[str, Any], command: str, server: str) -> bool:
    """Whether a published change is this write; a call by the keys that it carries."""
    published = str(change["command"])
    if command.startswith("Restart-"):
        return published == command and server in f"{change['target']} {change['action']}"
    if not command.startswith("PATCH"):
        return published == command
    call, _, body = command.partition(" {")
    keys = [key["keyId"] for key in json.loads("{" + body)["keyCredentials"]]
    return published.startswith(call) and all(key in published for key in keys)


class _Controlled(Operator):
    """An operator whose writes are judged."""

    def __init__(self, control: Control) -> None:
        story = control.story
        super().__init__(control.outside, before=control.call, safety_acts=story.safety_acts)
        self.control = control

    def _exchange(self, access: ExchangeAccess, _wanted: Fence) -> Exchange:
        del access
        return _Exchange(self.exchange, self.control)

    def _graph(self, access: GraphAccess) -> Graph:
        return _Graph(super()._graph(access), self.control)


@dataclass
class _Exchange:
    exchange: Exchange
    control: Control

    def run(
        self, server: str, batch: Sequence[Cmdlet], *, changes: bool = False
    ) -> tuple[Answer, ...]:
        if not changes:
            return tuple(self.exchange.run(server, batch))
        (sent,) = batch
        plain = tuple(one for one in sent.parameters if one[0] != "DomainController")
        self.control.judge(str(replace(sent, parameters=plain)), server)
        try:
            return tuple(self.exchange.run(server, batch, changes=True))
        finally:
            self.control.outside.clock.forward(minutes=self.control.round.lasts)


@dataclass
class _Graph:
    graph: Graph
    control: Control

    def send(self, request: GraphRequest) -> Mapping[str, Any]:
        if request.method != "GET":
            self.control.judge(f"{request} {json.dumps(request.body)}", "")
        return self.graph.send(request)

    def identity(self, *, since: datetime | None = None) -> Identity:
        return self.graph.identity(since=since)
