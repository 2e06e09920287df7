"""Drift, counted once each: what changed although spec did not, and what was changed back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exchange_push_operator.core.conditions import IN_SYNC, find
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.reconcile.outcome import Drift
from exchange_push_operator.reconcile.walk import Walk
from exchange_push_operator.reconcile.world import Memory

_SETTLED = (Reason.NO_DRIFT, Reason.DRIFT_DETECTED)


def drift(config: PushConfig, memory: Memory, result: Walk) -> Drift:
    """What a walk found and mended; ``memory`` keeps what is still open.

    Losing the memory in a restart costs a count.
    """
    done = {name for name, step in result.made}
    remaining = {name for name, _ in result.remaining}
    found = (done | remaining) - memory.drifting - _known(config.status)
    detected = found if _was_settled(config) else set()
    still_open = (memory.drifting | detected) & (done | remaining)
    corrected = {name for name in still_open if name not in remaining}
    memory.drifting = still_open - corrected
    return Drift(tuple(sorted(detected)), tuple(sorted(corrected)))


def drifted(config: PushConfig) -> bool:
    """Whether a change corrects somebody's change: the spec is what it was when all was in sync."""
    in_sync = find(config.status, IN_SYNC) or {}
    known = in_sync.get("observedGeneration") == config.generation
    return known and in_sync.get("status") == "True"


def _known(status: Mapping[str, Any]) -> set[str]:
    return {planned["stage"] for planned in status.get("plannedChanges") or ()}


def _was_settled(config: PushConfig) -> bool:
    """Whether the last pass saw this very spec and left nothing of its own to be done."""
    in_sync = find(config.status, IN_SYNC) or {}
    known = in_sync.get("observedGeneration") == config.generation
    return known and in_sync.get("reason") in _SETTLED
