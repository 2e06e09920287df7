"""The part of status that is about changes: what is planned, by which hash, and what was made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from exchange_push_operator.core import by_hand, history
from exchange_push_operator.core.approval import Planned, hash_of, identifier, published
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.history import Entry, Made
from exchange_push_operator.core.timestamps import utc_text
from exchange_push_operator.reconcile.judge import foreseen
from exchange_push_operator.reconcile.walk import Walk

_MOST = 32


def planned(config: PushConfig, result: Walk, now: datetime) -> dict[str, Any]:
    """``plannedChanges`` and ``history``; ``planHash`` while there is a plan."""
    result.permission.looked(result.steps)
    unseen, made = _gone(config, result)
    told: dict[str, Any] = {
        "plannedChanges": [*_changes(result, config.tenant.cloud.graph), *unseen][:_MOST],
        "history": history.added(
            config.status.get("history") or (),
            [*result.trail.told, *_found_made(made, result, utc_text(now))],
        ),
    }
    if result.steps or unseen:
        approval = result.permission.approval
        told["planHash"] = approval.plan if approval else hash_of(told, result.steps)
    return told


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

    First those of stages that could not be looked at: they still belong to it. Then those that are
    made by now.
    """
    if result.permission.approval is None:
        return [], []
    known = [*result.steps, *(step for plan in result.plans.values() for step in plan.dropped)]
    left = {step.digest for step in known}
    gone = [change for digest, change in published(config.status).items() if digest not in left]
    unseen = [change for change in gone if result.plans[change["stage"]].unseen]
    return unseen, [change for change in gone if change not in unseen]


def _found_made(made: Sequence[Planned], result: Walk, now: str) -> list[Entry]:
    """Approved changes that are made by now, and not by this pass.

    By one that was killed before it could say so, or by somebody else. They are written down all
    the same: an approval is used up by what has happened, not by what we remember.
    """
    found = [history.entry(now, change, Made.FOUND_MADE) for change in made]
    names = ("stage", "target", "action")
    told = {tuple(entry[name] for name in names) for entry in result.trail.told}
    return [entry for entry in found if tuple(entry[name] for name in names) not in told]
