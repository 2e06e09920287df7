"""One replica: it watches always, works while it leads, and ends when it does not lead any more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from exchange_push_operator.core.config import PLURAL
from exchange_push_operator.core.errors import PushError
from exchange_push_operator.handlers.controller import Controller
from exchange_push_operator.handlers.lease import Election
from exchange_push_operator.handlers.vitals import Vitals

_LOG = logging.getLogger(__name__)

GRACE = 20.0
_SHORT_GRACE = 2.0  # where another replica will lead in five seconds


@dataclass(slots=True)
class Ended:
    """How it came to its end: whether all passes did, and whether the lease was lost."""

    passes: bool = True
    lost: bool = False
    error: PushError | None = None


class Replica:
    """``election`` is None where nobody else can be there. ``brake`` tells passes to stop."""

    def __init__(
        self,
        controller: Controller,
        vitals: Vitals,
        election: Election | None,
        brake: Callable[[], None],
        grace: float = GRACE,
    ) -> None:
        """Nothing runs before ``start``. ``over`` is set when the process ought to end.

        ``grace``: seconds that the passes get which run when it is stopped.
        """
        self.controller, self.over = controller, asyncio.Event()
        self.ended = Ended()
        self._vitals, self._election, self._brake = vitals, election, brake
        self._grace = grace
        self._tasks: list[asyncio.Task[None]] = []

    def asked(self, path: str, query: Mapping[str, str]) -> None:
        """The API server is asked for a list, a further part of it, or for a watch."""
        watching = "watch" in query
        self._vitals.asked(path, watching=watching)
        if not path.endswith(f"/{PLURAL}"):
            return
        if watching:
            self.controller.listed(_namespace(path))
        elif "continue" not in query:
            self.controller.listing(_namespace(path))

    async def start(self) -> None:
        """Take events in from now on; work as soon as we lead."""
        self.controller.start(standby=True)
        self._tasks = [
            asyncio.create_task(self._vitals.beat(), name="beat"),
            asyncio.create_task(self._lead(), name="election"),
        ]

    async def stop(self) -> None:
        """End the passes, then let another replica lead.

        The lease is renewed until the last pass is over. It is not given back while one hangs in a
        call: what that still does must be over before anybody else writes.
        """
        self._brake()
        grace = min(self._grace, _SHORT_GRACE) if self.ended.lost else self._grace
        self.ended.passes = await self.controller.stop(grace)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._election and self.ended.passes:
            await self._election.release()
        self.over.set()  # whoever waits for it would hold kopf up for five seconds

    async def _lead(self) -> None:
        election = self._election
        if election is None:
            self.controller.work()
            return
        try:
            await election.acquire()
            self.controller.work()
            await election.keep()
            self.ended.lost = True
        except PushError as error:  # of acquire
            self.ended.error = error
        except Exception:  # noqa: BLE001 - whatever it was, the process has to end
            # Else this one would live on, look healthy, and never lead again.
            _LOG.exception("a bug ended the election; please report it")
            self.ended.lost = True
        self._brake()
        self.over.set()


def _namespace(path: str) -> str | None:
    """The namespace that is listed or watched; None for all."""
    parts = path.split("/")
    return parts[-2] if "namespaces" in parts else None
