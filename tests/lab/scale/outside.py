"""Exchange and Microsoft 365 of many organisations, as a process that takes no time to speak of.

One organisation of the in-process lab answers for all, after the operator has made it ready; only
its GUID is another one for each resource. It is called through lab.scale.ports: what WinRM and TLS
cost is measured by `make bench-exchange`.
"""

from __future__ import annotations

import sys
import threading
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from multiprocessing.connection import Connection, Listener
from typing import Any

from exchange_push_operator.core.errors import PushError
from exchange_push_operator.core.organization import ORGANIZATION_CONFIG
from exchange_push_operator.core.ports import Answer, GraphAccess, Sensitive
from lab.exchange.in_process import InProcessExchange
from lab.in_process import lab
from lab.microsoft365.in_process import InProcessGraph, InProcessMetadata
from lab.microsoft365.sample import CLIENT, FABRIKAM, SECRET
from lab.scale.ports import KEY, Call, Door

_KEPT = 256  # answers
_ACCESS = GraphAccess(
    "https://login.microsoftonline.com", "https://graph.microsoft.com", FABRIKAM, CLIENT,
    Sensitive.of(SECRET), None, None, "secret@1",
)  # fmt: skip


class Outside:
    """Answers every call, one at a time: the model has no locks.

    The model is slower than the operator, and nothing is changed here. So the same question within
    the same second gets the same answer.
    """

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
        self._of_this_second = lru_cache(_KEPT)(self._answer)

    def answer(self, call: Call) -> Any:
        """What the port gives back; an error is an answer too."""
        with self._lock:
            self._lab.clock.now = datetime.now(UTC)
            try:
                found = self._of_this_second(int(time.time()), call.door, call.arguments)
            except PushError as error:
                return error
        return _renamed(call, found) if call.door == "exchange" else found

    def _answer(self, _second: int, door: Door, arguments: tuple[Any, ...]) -> Any:
        match door:
            case "exchange":
                server, batch = arguments
                return self._exchange.run(server, batch)
            case "graph":
                return self._graph.send(*arguments)
            case "identity":
                return self._graph.identity()
            case "metadata":
                return self._metadata.fetch(*arguments)

    def serve(self, address: str) -> None:
        """Answer for ever."""
        with Listener(address, "AF_UNIX", backlog=64, authkey=KEY) as listener:
            while True:
                connection = listener.accept()
                threading.Thread(target=self._talk, args=[connection], daemon=True).start()

    def _talk(self, connection: Connection[Any, Call]) -> None:
        try:
            while True:
                connection.send(self.answer(connection.recv()))
        except EOFError:
            connection.close()


def _renamed(call: Call, answers: tuple[Answer, ...]) -> tuple[Answer, ...]:
    """The answers with the GUID of the resource's own organisation."""
    _, batch = call.arguments
    guid = str(uuid.uuid5(uuid.NAMESPACE_DNS, call.account))
    return tuple(
        replace(answer, rows=tuple({**row, "Guid": guid} for row in answer.rows))
        if cmdlet == ORGANIZATION_CONFIG
        else answer
        for cmdlet, answer in zip(batch, answers, strict=False)
    )


if __name__ == "__main__":
    Outside().serve(sys.argv[1])
