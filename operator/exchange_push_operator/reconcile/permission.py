"""Which planned steps may be performed now: what is approved, and inside of a change window."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from exchange_push_operator.core import approval, change_windows, refusals
from exchange_push_operator.core.approval import Approval
from exchange_push_operator.core.commands import GraphRequest
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.plan import Finding, Step, fails
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.timestamps import utc_text
from exchange_push_operator.reconcile.session import Session
from exchange_push_operator.reconcile.world import World


class Permission:
    """The permission of one pass. It is asked again before every step."""

    def __init__(self, config: PushConfig, world: World, steps: Sequence[Step]) -> None:
        """``steps`` are those of the first look."""
        self._config, self._world = config, world
        self.approval: Approval | None = approval.given(config, steps)

    def looked(self, steps: Sequence[Step]) -> None:
        """After another look: a step that the approved plan did not have voids the approval."""
        if self.approval is not None and not self.approval.covers(steps):
            self.approval = None

    def given(self, step: Step) -> bool:
        """Whether this step may begin now. One that has begun is finished, come what may."""
        safe = step.safety and self._world.safety_acts_outside_windows
        return (self._approved or step.completes) and (self._open or safe)

    def plan(self, steps: Sequence[Step]) -> tuple[str, str | None]:
        """The plan that these steps belong to, and the approved plan, if that is under way."""
        if self.approval is not None:
            return self.approval.plan, self.approval.plan
        return approval.hash_of(self._config.uid, self._config.status, steps), None

    def waits(self, steps: Sequence[Step]) -> Finding | None:
        """Whether one of these steps waits for approval, or for a window."""
        waiting = [step for step in steps if not self.given(step)]
        if not waiting:
            return None
        if not self._approved and not all(step.completes for step in waiting):
            named = self._config.approved_plan
            other = f", which names {named}" if named else ""
            return fails(Reason.AWAITING_APPROVAL, f"waits for spec.approvedPlan{other}")
        opening = change_windows.next_opening(self._config.change_windows, self._now)
        message = f"waits for the change window that opens at {utc_text(opening)}"
        return fails(Reason.OUTSIDE_WINDOW, message)

    def opens_in(self) -> timedelta | None:
        """How long a change waits for the next window; None where one is open."""
        if self._open:
            return None
        return change_windows.next_opening(self._config.change_windows, self._now) - self._now

    @property
    def _now(self) -> datetime:
        return self._world.clock()

    @property
    def _approved(self) -> bool:
        return self.approval is not None or not approval.needed(self._config)

    @property
    def _open(self) -> bool:
        return change_windows.is_open(self._config.change_windows, self._now)


def awaits_administrator(session: Session, step: Step) -> bool:
    """Whether our identity may only read the principal that the step would write."""
    if not isinstance(step.command, GraphRequest) or session.identity is None:
        return False
    return not refusals.may_write(session.config, session.identity)
