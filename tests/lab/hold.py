"""Hold the n-th call of the operator, so that it can be killed at that very moment.

A call is a request to the host on a server (`run`) or an HTTP request to Microsoft 365. Held
`before` its effect, it never happens: released, the process on the server dies and the connection
is dropped. Held `after`, it has happened and nobody gets the answer.
"""

from __future__ import annotations

import threading
from typing import Any

from lab.exchange.host import Host, Json, changes_something
from lab.exchange.shells import WinRMService
from lab.journal import Journal
from lab.microsoft365 import ConnectionCut, HttpRequest, HttpResponse, Microsoft365
from lab.microsoft365.clouds import Service

_LONGEST = 120.0  # seconds a call is held when nobody releases it


class Hold:
    """One switch for the whole lab: which call is held, and whether one is."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._number = 0
        self._when = ""
        self._changes = False
        self._matching = ""
        self._seen = 0
        self._held: str | None = None

    def arm(self, number: int, when: str, *, changes: bool, matching: str = "") -> None:
        """Hold call `number` from now on, counting from 1: of those whose name has `matching` in
        it, and only of changes, or of all calls. Raises: ValueError."""
        if when not in {"before", "after"} or number < 1:
            message = "hold: number is 1 or more, when is before or after"
            raise ValueError(message)
        with self._condition:
            self._number, self._when = number, when
            self._changes, self._matching = changes, matching
            self._seen, self._held = 0, None

    def release(self) -> None:
        """Let go what is held, and hold nothing more."""
        with self._condition:
            self._number, self._held = 0, None
            self._condition.notify_all()

    def state(self) -> dict[str, Any]:
        """`held` is what is held now, or null; `seen` how many calls have been counted."""
        with self._condition:
            return {"held": self._held, "seen": self._seen}

    def arrives(self, call: str, *, changes: bool) -> str:
        """A call comes in: `before` or `after` where this one is to be held, else nothing."""
        with self._condition:
            passes = (self._changes and not changes) or self._matching not in call
            if not self._number or passes:
                return ""
            self._seen += 1
            return self._when if self._seen == self._number else ""

    def wait(self, call: str) -> None:
        """Hold the call until it is released."""
        with self._condition:
            self._held = call
            self._condition.wait_for(lambda: self._held is None, _LONGEST)


class HeldHost(Host):
    """A host whose requests can be held."""

    __slots__ = ("hold", "journal")

    hold: Hold
    journal: Journal

    def _run(self, request: Json) -> Json | None:
        calls = request["calls"]
        name = f"{self.server.fqdn} {', '.join(str(call.get('cmdlet')) for call in calls)}"
        changes = any(changes_something(call) for call in calls)
        self.journal.note(self.client, name, changes=changes)
        when = self.hold.arrives(name, changes=changes)
        if when == "before":
            self.hold.wait(name)
            return None
        answer = super()._run(request)
        if when == "after":
            self.hold.wait(name)
            return None
        return answer


class HeldService(WinRMService):
    """A server whose hosts can be held."""

    hold: Hold
    journal: Journal

    def _host(self, version: str) -> Host:
        host = HeldHost(self.organization, self.server, self.accounts, self.counters, version)
        host.hold, host.journal = self.hold, self.journal
        return host


class Door:
    """The model of Microsoft 365 as the sockets see it: it can be held, and replaced."""

    def __init__(self, model: Microsoft365, hold: Hold, journal: Journal) -> None:
        self._model = model
        self._hold, self._journal = hold, journal
        self.local: dict[str, Service] = model.local

    def put(self, model: Microsoft365) -> None:
        """Another model behind the same ports."""
        model.local.update(self.local)
        self._model = model

    def handle(self, request: HttpRequest) -> HttpResponse:
        """As the model does. Raises what it raises."""
        name = f"{request.method} {request.name}{request.path}"
        changes = request.method == "PATCH"  # all that the operator sends
        self._journal.note(request.client, name, changes=changes)
        when = self._hold.arrives(name, changes=changes)
        if when == "before":
            self._hold.wait(name)
            raise ConnectionCut(applied=False)
        response = self._model.handle(request)
        if when == "after":
            self._hold.wait(name)
            raise ConnectionCut(applied=True)
        return response
