"""The product's Exchange port straight on the model: no sockets, and cuts wherever a test wants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, TypeAlias

from exchange_push_operator.adapters.allow_list import check
from exchange_push_operator.adapters.exchange_session import raise_for_session
from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.errors import (
    OutcomeUnknown,
    PushError,
    Refused,
    Throttled,
    Unreachable,
)
from exchange_push_operator.core.ports import Answer
from exchange_push_operator.core.reasons import Reason
from lab.exchange.organization import ACCOUNT, Organization
from lab.exchange.runner import invoke
from lab.exchange.server import Server

Hook: TypeAlias = Callable[[str, Sequence[Cmdlet], bool], None]


def _nothing(server: str, batch: Sequence[Cmdlet], changes: bool) -> None:  # noqa: FBT001 - as the port
    del server, batch, changes


@dataclass
class InProcessExchange:
    """``before`` and ``after`` may raise anything: the call is cut before or after its effect."""

    organization: Organization
    account: str = ACCOUNT
    before: Hook = _nothing
    after: Hook = _nothing
    calls: int = 0
    calls_by_server: dict[str, int] = field(default_factory=dict)
    requests: list[tuple[str, tuple[str, ...], bool]] = field(default_factory=list)

    def run(
        self, server: str, batch: Sequence[Cmdlet], *, changes: bool = False
    ) -> tuple[Answer, ...]:
        """See the port, and the adapter over WinRM: it checks and raises the same.

        The host of a server that nobody knows is Unreachable. A lost answer is not asked for
        again here: what the adapter would still recover is already OutcomeUnknown.
        """
        for command in batch:
            check(command, changes=changes)
        self.calls += 1
        self.calls_by_server[server] = self.calls_by_server.get(server, 0) + 1
        self.requests.append((server, tuple(str(cmdlet) for cmdlet in batch), changes))
        self.before(server, batch, changes)
        target = self._reach(server, changes=changes)
        answers = self._answers(target, batch, changes=changes)
        self.after(server, batch, changes)
        self._lose(target, changes=changes)
        raise_for_session(server, self.account, batch, answers, changes=changes)
        return answers

    def _reach(self, name: str, *, changes: bool) -> Server:
        try:
            server = self.organization.server(name)
        except KeyError:
            _unreachable(name, "no such host")
        faults = server.faults
        if faults.down:
            _unreachable(name, "connection refused")
        if faults.unauthorized:
            message = f"{name}: the user name or the password is wrong"
            raise Refused(Reason.ACCESS_DENIED, message)
        if faults.quota:
            message = f"{name}: the quota of remote shells is used up"
            raise Throttled(message, 300.0)
        if changes and server.uses_up("die_before_change"):
            raise _lost(name, changes=changes)
        return server

    def _answers(
        self, server: Server, batch: Sequence[Cmdlet], *, changes: bool
    ) -> tuple[Answer, ...]:
        answers: list[Answer] = []
        with self.organization.lock:
            self.organization.begin(server)
            for cmdlet in batch:
                if server.faults.stuck_cmdlet == cmdlet.name:
                    raise _lost(server.fqdn, changes=changes)
                answers.append(self._answer(server, cmdlet))
                if changes and answers[-1].error is not None:
                    break
        return tuple(answers)

    def _answer(self, server: Server, cmdlet: Cmdlet) -> Answer:
        parameters = dict(cmdlet.parameters)
        outcome = invoke(self.organization, server, cmdlet.name, parameters, self.account)
        return Answer(outcome.rows, outcome.error)

    def _lose(self, server: Server, *, changes: bool) -> None:
        if (changes and server.uses_up("die_after_change")) or server.uses_up("lost_answers"):
            raise _lost(server.fqdn, changes=changes)


def _unreachable(name: str, why: str) -> NoReturn:
    message = f"{name}: {why}"
    raise Unreachable(message)


def _lost(name: str, *, changes: bool) -> PushError:
    if changes:
        return OutcomeUnknown(f"{name}: the answer to a change was lost")
    return Unreachable(f"{name}: no answer")
