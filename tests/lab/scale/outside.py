"""Exchange and Microsoft 365 of many organisations, as a process that takes no time to speak of.

One organisation of the in-process lab answers for all, after the operator has made it ready; only
its GUID is another one for each resource. It is called through the operator's ports, over a local
socket: what WinRM and TLS cost is measured by `make bench-exchange`.
"""

from __future__ import annotations

import sys
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from multiprocessing.connection import Client, Connection, Listener
from typing import Any, Literal, TypeAlias

from exchange_push_operator.core.commands import Cmdlet, GraphRequest
from exchange_push_operator.core.errors import PushError
from exchange_push_operator.core.organization import ORGANIZATION_CONFIG
from exchange_push_operator.core.ports import (
    Answer,
    ExchangeAccess,
    GraphAccess,
    Identity,
    Sensitive,
)
from lab.exchange.in_process import InProcessExchange
from lab.in_process import lab
from lab.microsoft365.in_process import InProcessGraph, InProcessMetadata
from lab.microsoft365.sample import CLIENT, FABRIKAM, SECRET

_KEY = b"local"
_ACCESS = GraphAccess(
    "https://login.microsoftonline.com", "https://graph.microsoft.com", FABRIKAM, CLIENT,
    Sensitive.of(SECRET), None, None, "secret@1",
)  # fmt: skip

Door: TypeAlias = Literal["exchange", "graph", "identity", "metadata"]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a port; ``account`` is that of the resource."""

    door: Door
    account: str
    arguments: tuple[Any, ...]


class Outside:
    """Answers every call, one at a time: the model has no locks."""

    def __init__(self) -> None:
        """Make the organisation, and let the operator make it ready."""
        self._lab = lab()
        self._lab.clock.now = datetime.now(UTC)
        self._lab.operator().run()
        assert self._lab.condition("Ready")[0] == "True", self._lab.status
        self._exchange = InProcessExchange(self._lab.organization)
        self._metadata = InProcessMetadata(self._lab.microsoft365)
        self._graph = InProcessGraph(self._lab.microsoft365, _ACCESS)
        self._lock = threading.Lock()

    def answer(self, call: Call) -> Any:
        """What the port gives back; an error is an answer too."""
        with self._lock:
            self._lab.clock.now = datetime.now(UTC)
            try:
                return self._answer(call)
            except PushError as error:
                return error

    def _answer(self, call: Call) -> Any:
        match call.door:
            case "exchange":
                server, batch, changes = call.arguments
                answers = self._exchange.run(server, batch, changes=changes)
                return tuple(
                    _renamed(answer, call.account) if cmdlet == ORGANIZATION_CONFIG else answer
                    for cmdlet, answer in zip(batch, answers, strict=False)
                )
            case "graph":
                return self._graph.send(*call.arguments)
            case "identity":
                return self._graph.identity()
            case "metadata":
                return self._metadata.fetch(*call.arguments)

    def serve(self, address: str) -> None:
        """Answer for ever."""
        with Listener(address, "AF_UNIX", backlog=64, authkey=_KEY) as listener:
            while True:
                connection = listener.accept()
                threading.Thread(target=self._talk, args=[connection], daemon=True).start()

    def _talk(self, connection: Connection[Any, Call]) -> None:
        try:
            while True:
                connection.send(self.answer(connection.recv()))
        except EOFError:
            connection.close()


def _renamed(answer: Answer, account: str) -> Answer:
    guid = str(uuid.uuid5(uuid.NAMESPACE_DNS, account))
    return replace(answer, rows=tuple({**row, "Guid": guid} for row in answer.rows))


class Ports:
    """The operator's side: a connection for each thread."""

    def __init__(self, address: str) -> None:
        """Connects when it is first used."""
        self._address = address
        self._of_thread = threading.local()

    def call(self, door: Door, account: str, *arguments: Any) -> Any:
        """Ask and wait. Raises: what the port raises."""
        if not hasattr(self._of_thread, "connection"):
            self._of_thread.connection = Client(self._address, "AF_UNIX", authkey=_KEY)
        self._of_thread.connection.send(Call(door, account, arguments))
        found = self._of_thread.connection.recv()
        if isinstance(found, PushError):
            raise found
        return found

    def exchange(self, access: ExchangeAccess) -> FarExchange:
        """The port Exchange of one resource."""
        return FarExchange(self, access.username)

    def graph(self, access: GraphAccess) -> FarGraph:
        """The port Graph of one resource."""
        return FarGraph(self, access.client_id)

    def fetch(self, url: str) -> Mapping[str, Any] | None:
        """The port Metadata."""
        found: Mapping[str, Any] | None = self.call("metadata", "", url)
        return found


@dataclass(frozen=True, slots=True)
class FarExchange:
    """Fills the port ``Exchange``."""

    ports: Ports
    account: str

    def run(
        self, server: str, batch: Sequence[Cmdlet], *, changes: bool = False
    ) -> tuple[Answer, ...]:
        """See the port."""
        found: tuple[Answer, ...] = self.ports.call(
            "exchange", self.account, server, batch, changes
        )
        return found


@dataclass(frozen=True, slots=True)
class FarGraph:
    """Fills the port ``Graph``."""

    ports: Ports
    account: str

    def identity(self, *, since: datetime | None = None) -> Identity:
        """See the port; nothing is ever granted here, so any token will do."""
        del since
        found: Identity = self.ports.call("identity", self.account)
        return found

    def send(self, request: GraphRequest) -> Mapping[str, Any]:
        """See the port."""
        found: Mapping[str, Any] = self.ports.call("graph", self.account, request)
        return found


if __name__ == "__main__":
    Outside().serve(sys.argv[1])
