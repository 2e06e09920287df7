"""The operator's ports to Exchange and Microsoft 365, over a local socket to lab.scale.outside.

The operator imports nothing else of the lab: its memory and its processor time are measured.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Client, Connection
from typing import Any, Literal, TypeAlias

from exchange_push_operator.core.commands import Cmdlet, GraphRequest
from exchange_push_operator.core.errors import PushError
from exchange_push_operator.core.ports import Answer, ExchangeAccess, Fence, GraphAccess, Identity

KEY = b"local"
Door: TypeAlias = Literal["exchange", "graph", "identity", "metadata"]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a port; ``account`` is that of the resource."""

    door: Door
    account: str
    arguments: tuple[Any, ...]


class Ports:
    """The operator's side: as many connections as there are calls at the same time."""

    def __init__(self, address: str) -> None:
        """Connects when it is first used."""
        self._address = address
        self._idle: deque[Connection[Call, Any]] = deque()

    def call(self, door: Door, account: str, *arguments: Any) -> Any:
        """Ask and wait. Raises: what the port raises."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = Client(self._address, "AF_UNIX", authkey=KEY)
        connection.send(Call(door, account, arguments))
        found = connection.recv()
        self._idle.append(connection)
        if isinstance(found, PushError):
            raise found
        return found

    def exchange(self, access: ExchangeAccess, _wanted: Fence) -> FarExchange:
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
        """See the port; all is in order, so nothing is ever changed here."""
        assert not changes, batch
        found: tuple[Answer, ...] = self.ports.call("exchange", self.account, server, tuple(batch))
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
