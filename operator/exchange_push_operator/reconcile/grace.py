"""A short silence is not news: conditions stay as they were for some minutes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from exchange_push_operator.core.conditions import find
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.plan import Advisory, Finding, Plan
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.reconcile.judge import Plans
from exchange_push_operator.reconcile.session import Session
from exchange_push_operator.reconcile.world import Memory, World
from exchange_push_operator.stages import prerequisites, verification

_SILENT = (Reason.UNREACHABLE, Reason.THROTTLED)
# Servers that are away have a grace period of their own, and a probe is an answer.
_OTHERS = {prerequisites.STAGE.condition, verification.STAGE.condition}


def within_grace(config: PushConfig, world: World, memory: Memory, now: datetime) -> bool:
    """Whether the conditions stay as they were, from the first silence on."""
    known = find(config.status, "Ready")
    if known is None or known.get("observedGeneration") != config.generation:
        return False
    if known["reason"] in (*_SILENT, Reason.PROGRESSING, Reason.SUSPENDED):
        return False
    memory.unreachable_since = memory.unreachable_since or now
    return now - memory.unreachable_since < world.unreachable_grace


def bridged(plans: Plans, session: Session, memory: Memory, now: datetime) -> Plans:
    """The plans, with the findings and advisories of before where Microsoft is silent.

    ``memory.unreachable_since`` tells afterwards whether it is.
    """
    config = session.config
    silent = [name for name, plan in plans.items() if plan.finding.reason in _SILENT]
    silent = [name for name in silent if name not in _OTHERS]
    if not silent:
        memory.unreachable_since = None
        return plans
    if not within_grace(config, session.world, memory, now):
        return plans
    told = tuple(Advisory(a["type"], a["message"]) for a in config.status.get("advisories") or ())
    return {**plans, **{name: _as_before(config, name, plans[name], told) for name in silent}}


def _as_before(config: PushConfig, name: str, plan: Plan, told: tuple[Advisory, ...]) -> Plan:
    known = find(config.status, name)
    if known is None or known.get("observedGeneration") != config.generation:
        return plan
    finding = Finding(known["status"], Reason(known["reason"]), known["message"])
    return replace(plan, finding=finding, advisories=told)
