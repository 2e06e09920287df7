"""The audit: one entry for every write to Exchange and Entra ID. docs/audit.md has its fields.

It is written when the write is over, and before anything else is done. Where the answer was lost
a second entry follows once a look has shown what came of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from exchange_push_operator.core import history
from exchange_push_operator.core.before_after import State
from exchange_push_operator.core.commands import Cmdlet, GraphRequest
from exchange_push_operator.core.errors import OutcomeUnknown, PushError
from exchange_push_operator.core.history import Entry, Made
from exchange_push_operator.core.plan import Step
from exchange_push_operator.core.request_id import one_write
from exchange_push_operator.core.timestamps import utc_text
from exchange_push_operator.reconcile.session import Session
from exchange_push_operator.reconcile.world import Memory


@dataclass(slots=True)
class Written:
    """What the writer says of its write: the state that it leaves."""

    after: State | None = None


class Trail:
    """The audit of one pass."""

    def __init__(self, session: Session, memory: Memory) -> None:
        """Nothing has been written yet; what an earlier pass does not know is in ``memory``."""
        self._session, self._memory = session, memory
        self.told: list[Entry] = []
        self._plan: Mapping[str, str | None] = {}
        self._stages: Mapping[str, str] = {}

    def planned(
        self, steps: Iterable[tuple[str, Step]], plan: str, approved: str | None = None
    ) -> None:
        """The plan that the next writes belong to: each step with the condition of its stage."""
        self._plan = {"plan_hash": plan, "approved_plan": approved}
        self._stages = {step.key: stage for stage, step in steps}

    @contextmanager
    def writing(
        self, step: Step, where: str, command: Cmdlet | GraphRequest, before: State | None
    ) -> Iterator[Written]:
        """Around one write: the one request that is sent inside."""
        made, told = Written(), {**self._about(step), **_call(where, command), "before": before}
        with one_write() as identifier:
            told["request_id"] = identifier
            try:
                yield made
            except OutcomeUnknown as error:
                self._memory.unanswered[step.key] = told
                self._tell(told, Made.UNKNOWN, error=str(error))
                raise
            except PushError as error:
                self._tell(told, Made.FAILED, error=str(error))
                raise
            except Exception as error:
                # A bug of ours, before the write or after it: the line is there all the same.
                self._memory.unanswered[step.key] = told
                self._tell(told, Made.UNKNOWN, error=f"a bug ended it: {type(error).__name__}")
                raise
            self._tell(told, Made.SUCCEEDED, after=made.after)

    def looked(self, was_made: Callable[[str, str], bool | None]) -> None:
        """After a look; ``was_made`` says of a stage's step, by its key, whether it is done.

        None: it is not known yet.
        """
        for key, told in list(self._memory.unanswered.items()):
            made = was_made(told["stage"], key)
            if made is not None:
                del self._memory.unanswered[key]
                self._tell(told, Made.FOUND_MADE if made else Made.FOUND_NOT_MADE)

    def _about(self, step: Step) -> dict[str, Any]:
        config = self._session.config
        is_cmdlet = isinstance(step.command, Cmdlet)
        return {
            "uid": config.uid,
            "generation": config.generation,
            **self._plan,
            "stage": self._stages[step.key],
            "event": step.event,
            "action": step.action,
            "target": step.target,
            "acting": _exchange(self._session) if is_cmdlet else _entra(self._session),
        }

    def _tell(
        self,
        told: Mapping[str, Any],
        outcome: Made,
        *,
        after: State | None = None,
        error: str | None = None,
    ) -> None:
        entry = {**told, "after": after, "outcome": outcome.name.lower(), "error": error}
        self._session.world.audit(entry)
        now = utc_text(self._session.world.clock())
        self.told.append(history.entry(now, told, outcome))


def _exchange(session: Session) -> Mapping[str, str]:
    return {"exchange": session.account}


def _entra(session: Session) -> Mapping[str, str]:
    credentials = session.config.tenant.credentials
    acting = {"tenant_id": session.tenant_id}
    if credentials is not None:
        acting["client_id"] = credentials.client_id
        if credentials.service_account is not None:
            acting["service_account"] = credentials.service_account
    return acting


def _call(where: str, command: Cmdlet | GraphRequest) -> dict[str, Any]:
    if isinstance(command, Cmdlet):
        return {"server": where, "cmdlet": command.name, "parameters": dict(command.parameters)}
    path = f"/v1.0/{command.path}"
    return {"server": where, "method": command.method, "path": path, "body": command.body}
