"""The part of status that is about changes: what is planned, by which hash, and what was made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from exchange_push_operator.core import by_hand, history
from exchange_push_operator.core.approval import (
    Planned,
    digest_of,
    hash_of,
    identifier,
    published,
)
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.history import Entry, Made
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.timestamps import utc_text
from exchange_push_operator.reconcile.judge import foreseen
from exchange_push_operator.reconcile.walk import Walk

_MOST = 32
_NAMES = ("stage", "target", "action")


def planned(config: PushConfig, result: Walk, now: datetime) -> dict[str, Any]:
    """``plannedChanges`` and ``history``; ``planHash`` while there is a plan."""
    result.permission.looked(result.steps)
    unseen, gone = _gone(config, result)
    over = not (result.steps or unseen)
    news = [*result.trail.told, *_spent(gone, result, utc_text(now), over=over)]
    told: dict[str, Any] = {
        "plannedChanges": [*_changes(result, config.tenant.cloud.graph), *unseen][:_MOST],
        "history": history.added(config.status.get("history") or (), news),
    }
    if not over:
        approval = None if not unseen and _all_made(result) else result.permission.approval
        told["planHash"] = approval.plan if approval else hash_of(config.uid, told, result.steps)
    return told


def _all_made(result: Walk) -> bool:
    """Whether all that is planned was made by this pass: not seen yet, or undone by somebody.

    Then the approval is spent. To make it once more is another plan.
    """
    made = {step.key for _, step in result.performed}
    return all(step.key in made for step in result.steps)


def _changes(result: Walk, graph: str) -> list[dict[str, Any]]:
    return [
        {
            "id": identifier(position, step),
            "stage": name,
            "target": step.target,
            "action": step.action,
            "command": by_hand.command(graph, step),
        }
        for position, (name, step) in enumerate(foreseen(result.plans)[:_MOST], start=1)
    ]


def _gone(config: PushConfig, result: Walk) -> tuple[list[Planned], list[Planned]]:
    """Changes of an approved plan that are not planned any more.

    First those of stages that could not be looked at: they still belong to it. Then the others.
    """
    if result.permission.approval is None:
        return [], []
    left = {step.digest for step in result.steps}
    gone = [change for digest, change in published(config.status).items() if digest not in left]
    known = [change for change in gone if change.get("stage") in result.plans]
    unseen = [change for change in known if result.plans[change["stage"]].unseen]
    return unseen, [change for change in known if change not in unseen]


def _spent(gone: Sequence[Planned], result: Walk, now: str, *, over: bool) -> list[Entry]:
    """What became of approved changes that are gone, and not by this pass.

    Made by one that was killed before it could say so, or by somebody else; or not needed. They are
    written down all the same: an approval is used up by what has happened, not by what we remember.
    What was only foreseen and drops out is told where nothing else of the plan is.
    """
    told = {tuple(map(entry.get, _NAMES)) for entry in result.trail.told}
    dropped = {step.digest for plan in result.plans.values() for step in plan.dropped}
    others = [change for change in gone if tuple(map(change.get, _NAMES)) not in told]
    made = [change for change in others if digest_of(change) not in dropped]
    if made or told or not over:
        return [history.entry(now, change, _came_to(change, result)) for change in made]
    return [history.entry(now, change, Made.NOT_NEEDED) for change in others[:1]]


def _came_to(change: Planned, result: Walk) -> Made:
    """Nobody has looked whether it is made where it is not wanted any more."""
    finding = result.plans[change["stage"]].finding
    return Made.NOT_NEEDED if finding.reason is Reason.NOT_MANAGED else Made.FOUND_MADE
