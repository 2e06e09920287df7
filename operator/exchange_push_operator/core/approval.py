"""Approval: which steps of a plan spec.approvedPlan lets through.

A plan is approved as a whole, by the hash that status has published. From then on each of its
steps may be performed, in this pass and in later ones; those that are made already drop out. A
step that the plan did not have voids the approval before anything else is written. Nothing is
remembered but status, so a restart changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from exchange_push_operator.core.config import ManagementPolicy, PushConfig
from exchange_push_operator.core.history import last_change
from exchange_push_operator.core.plan import Step, plan_hash

Planned: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Approval:
    """``plan`` is the approved plan; ``steps`` are the digests of what it lets through."""

    plan: str
    steps: frozenset[str]

    def covers(self, steps: Iterable[Step]) -> bool:
        """Whether all of these belong to the plan, or complete a change of it."""
        return all(step.completes or step.digest in self.steps for step in steps)


def needed(config: PushConfig) -> bool:
    """Whether nothing may be changed that nobody has approved."""
    return config.management is ManagementPolicy.APPROVE


def given(config: PushConfig, steps: Sequence[Step]) -> Approval | None:
    """The approval for the steps of a first look, by spec and by what status has published.

    None where there is none: no or another plan is named, or a step is there that it did not have.
    """
    plan = config.approved_plan
    if not needed(config) or plan is None or config.status.get("planHash") != plan:
        return None
    approval = Approval(plan, frozenset(published(config.status)))
    if approval.covers(steps):
        return approval
    # Status shows the first steps of a long plan; the hash is of all of them.
    whole = Approval(plan, frozenset(step.digest for step in steps))
    return whole if hash_of(config.uid, config.status, steps) == plan else None


def hash_of(uid: str, status: Mapping[str, Any], steps: Iterable[Step]) -> str:
    """The hash of a plan of one object that follows the last change in its ``status``.

    An object that is made anew begins without a history: an approval of the old one is none.
    """
    return plan_hash(steps, f"{uid} {last_change(status)}")


def identifier(position: int, step: Step) -> str:
    """The id of a planned change: its place, its event, and the digest that it is known by."""
    return f"{position:02d}-{step.event}.{step.digest}"


def published(status: Mapping[str, Any]) -> Mapping[str, Planned]:
    """The planned changes of a status by their digests."""
    planned = status.get("plannedChanges") or ()
    return {digest_of(change): change for change in planned}


def digest_of(change: Planned) -> str:
    """What ``identifier`` has put into the id of a planned change."""
    return str(change["id"]).rpartition(".")[2]
