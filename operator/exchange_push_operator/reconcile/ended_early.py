"""Passes that end before they could look: nobody answers, somebody refuses, there is no tenant."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from exchange_push_operator.core import status
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.errors import PushError, Throttled
from exchange_push_operator.core.plan import fails
from exchange_push_operator.core.reasons import STALLED, Reason
from exchange_push_operator.reconcile import deletion
from exchange_push_operator.reconcile.events import events
from exchange_push_operator.reconcile.grace import within_grace
from exchange_push_operator.reconcile.judge import finding_of
from exchange_push_operator.reconcile.outcome import Outcome, requeue
from exchange_push_operator.reconcile.world import Memory, World


def no_tenant(resource: Mapping[str, Any], config: PushConfig, now: datetime) -> Outcome:
    """A fact about the first stage; what is being deleted waits."""
    if config.deleting:
        finding = fails(Reason.TENANT_NOT_FOUND, f"{config.tenant.domain} is of no tenant")
        return deletion.waiting(resource, config, finding, now)
    new = status.tenant_not_found(resource, now)
    return Outcome(new, requeue(config, "retry"), events(config.status, new, []))


def ended_early(
    resource: Mapping[str, Any],
    config: PushConfig,
    world: World,
    memory: Memory,
    error: PushError,
) -> Outcome:
    """What is said: at once where a person must act, else once it has lasted for a while."""
    now = world.clock()
    if world.stopping():  # broken off by us, or by an edit: no news of the world
        return Outcome(config.status, requeue(config, "retry"))
    finding = finding_of(error)
    if config.deleting:
        return deletion.waiting(resource, config, finding, now)
    if finding.status == "False" and finding.reason in STALLED:
        memory.unreachable_since = None
        new = status.not_looked(resource, finding, now)
        return Outcome(new, requeue(config, "stalled"), events(config.status, new, []))
    pause = (error.retry_after or 0.0) if isinstance(error, Throttled) else 0.0
    again = requeue(config, "retry", pause)
    if within_grace(config, world, memory, now):
        return Outcome(config.status, again)
    reason = Reason.THROTTLED if isinstance(error, Throttled) else Reason.UNREACHABLE
    new = status.out_of_reach(resource, str(error), reason, now)
    return Outcome(new, again, events(config.status, new, []))
