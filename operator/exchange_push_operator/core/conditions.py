"""Conditions: the Ready summary, and the list as the API server keeps it.

Rules: kstatus and the Kubernetes API conventions; docs/reference.md has the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from exchange_push_operator.core.plan import Finding, fails, holds, unknown
from exchange_push_operator.core.reasons import (
    LEAVE_READY_ALONE,
    NOT_LOOKED_AT,
    STALLED,
    Reason,
)
from exchange_push_operator.core.timestamps import utc_text

READY = "Ready"
IN_SYNC = "InSync"
RECONCILING = "Reconciling"
STALLED_CONDITION = "Stalled"
_FIRST = (READY, IN_SYNC, RECONCILING, STALLED_CONDITION)
_LONGEST_MESSAGE = 1024

Condition = Mapping[str, Any]


def stalled(findings: Iterable[Finding]) -> Finding | None:
    """The first finding that waits for a person, as the Stalled condition."""
    found = next((f for f in findings if f.status == "False" and f.reason in STALLED), None)
    return Finding("True", found.reason, found.message) if found else None


def ready(findings: Sequence[Finding], *, observe_only: bool, success: str) -> Finding:
    """One condition out of all stages.

    Observing is successful as long as looking works, whatever it finds. Otherwise the first fact
    that is not as it should be decides, then the first that is not known.
    """
    blocked = stalled(findings)
    if blocked is not None:
        return fails(blocked.reason, blocked.message)
    counted = [f for f in findings if f.reason not in LEAVE_READY_ALONE]
    if observe_only:
        as_declared = all(finding.status == "True" for finding in counted)
        counted = [f for f in counted if f.reason in NOT_LOOKED_AT]
        if not counted:
            return holds(Reason.OBSERVATION_SUCCEEDED, _observed(as_declared=as_declared))
    for finding in counted:
        if finding.status == "False":
            return finding
    for finding in counted:
        if finding.status == "Unknown":
            return unknown(_waiting(finding.reason), finding.message)
    return holds(Reason.SUCCEEDED, success)


def _observed(*, as_declared: bool) -> str:
    rest = "all is as declared" if as_declared else "see InSync and status.plannedChanges"
    return f"looked at everything and changed nothing; {rest}"


def _waiting(reason: Reason) -> Reason:
    return reason if reason in (Reason.UNREACHABLE, Reason.THROTTLED) else Reason.PROGRESSING


def render(
    old: Sequence[Condition],
    new: Mapping[str, Finding | None],
    generation: int,
    now: datetime,
) -> list[Condition]:
    """The new list: conditions in ``new`` are set or (None) removed, all others stay as they are.

    lastTransitionTime moves with status only.
    """
    before = {condition["type"]: condition for condition in old}
    rendered = {type_: c for type_, c in before.items() if type_ not in new}
    for type_, finding in new.items():
        if finding is not None:
            rendered[type_] = _condition(type_, finding, before.get(type_), generation, now)
    order = {type_: position for position, type_ in enumerate(dict.fromkeys((*_FIRST, *new)))}
    return sorted(rendered.values(), key=lambda c: order.get(c["type"], len(order)))


def _condition(
    type_: str, finding: Finding, before: Condition | None, generation: int, now: datetime
) -> Condition:
    same = before is not None and before["status"] == finding.status
    return {
        "type": type_,
        "status": finding.status,
        "reason": str(finding.reason),
        "message": finding.message[:_LONGEST_MESSAGE],
        "observedGeneration": generation,
        "lastTransitionTime": before["lastTransitionTime"] if before and same else utc_text(now),
    }


def following(old: Mapping[str, Any], new: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """A status as it follows another than the one that it was made from.

    lastTransitionTime moves where a condition's status does, and there alone.
    """
    conditions = [_following(find(old, c["type"]), c, now) for c in new.get("conditions") or ()]
    return {**new, "conditions": conditions} if conditions else dict(new)


def _following(before: Condition | None, after: Condition, now: datetime) -> Condition:
    if before is None:
        return after
    then, moved = before["lastTransitionTime"], before["status"] != after["status"]
    if not moved:
        return {**after, "lastTransitionTime": then}
    late = after["lastTransitionTime"] <= then
    return {**after, "lastTransitionTime": utc_text(now)} if late else after


def find(status: Mapping[str, Any], type_: str) -> Condition | None:
    """A condition of a status by its type."""
    return next((c for c in status.get("conditions") or () if c["type"] == type_), None)
