"""What a plan waits for before the operator performs it: a mode, an approval, a change window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from exchange_push_operator.core import approval, change_windows
from exchange_push_operator.core.config import ManagementPolicy, PushConfig
from exchange_push_operator.core.timestamps import utc_text


@dataclass(frozen=True, slots=True)
class Leave:
    """What the resource says of its changes.

    ``approved``: whether spec.approvedPlan names this plan; None where it is not asked. ``opening``
    is when the next change window opens; None while one is open, and where there is none.
    """

    policy: str = ManagementPolicy.MANAGE.value
    suspended: bool = False
    plan: str = ""
    named: str | None = None
    approved: bool | None = None
    opening: datetime | None = None

    @property
    def given(self) -> bool:
        """Whether the operator performs the plan at its next look."""
        observed = self.policy == ManagementPolicy.OBSERVE.value
        return not (observed or self.suspended or self.approved is False or self.opening)

    def document(self) -> Mapping[str, Any]:
        """For programs; names are stable."""
        return {
            "managementPolicy": self.policy,
            "suspended": self.suspended,
            "approvedPlan": self.named,
            "approved": self.approved,
            "nextOpening": utc_text(self.opening) if self.opening else None,
        }

    def told(self) -> Iterator[str]:
        """For people: what has to be, and what is to be done for it."""
        if self.policy == ManagementPolicy.OBSERVE.value:
            yield "Not performed: managementPolicy is Observe."
        if self.suspended:
            yield "Not performed: the resource is suspended."
        if self.approved is not None:
            yield self._approval()
        if self.opening is not None:
            yield f"When: not before the change window that opens at {utc_text(self.opening)}."
        if self.given:
            yield "When: at the operator's next look."

    def _approval(self) -> str:
        if self.approved:
            return "Approval: stands; spec.approvedPlan names this plan."
        named = f"spec.approvedPlan names {self.named}" if self.named else "none"
        if not self.plan:
            return f"Approval: {named}; what approves this plan the cluster knows: plan NAME."
        return f"Approval: {named}; to approve this plan, set spec.approvedPlan to {self.plan}."


def asked(config: PushConfig, plan: str, now: datetime) -> Leave:
    """For a plan of that hash, "" where the hash is not known."""
    windows = config.change_windows
    closed = not change_windows.is_open(windows, now)
    return Leave(
        policy=config.management.value,
        suspended=config.suspended,
        plan=plan,
        named=config.approved_plan,
        approved=config.approved_plan == plan if approval.needed(config) else None,
        opening=change_windows.next_opening(windows, now) if closed else None,
    )
