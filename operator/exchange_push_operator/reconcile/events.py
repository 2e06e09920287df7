"""The events of a pass: what changed, and what newly failed or begins to wait."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exchange_push_operator.core.conditions import READY, STALLED_CONDITION, find
from exchange_push_operator.core.events import Event
from exchange_push_operator.core.plan import Step
from exchange_push_operator.core.reasons import Reason


def events(
    old: Mapping[str, Any], new: Mapping[str, Any], done: list[Step], *, drift: bool = False
) -> tuple[Event, ...]:
    """What changed and what newly failed; nothing in a steady state."""
    told = [Event("Normal", step.event, f"{step.action}: {step.target}") for step in done]
    if done and drift:
        names = ", ".join(dict.fromkeys(step.event for step in done))
        told.append(Event("Normal", "DriftCorrected", f"what had changed was corrected: {names}"))
    adopted = new.get("certificate") or {}
    # The first look at the organisation has written the certificate down, and nothing else.
    met = find(old, "CertificateReady") is None or not old.get("certificate")
    if adopted.get("origin") == "Adopted" and met:
        told.append(
            Event("Normal", "CertificateAdopted", f"{adopted['thumbprint']} is used as it is")
        )
    if _rolled_over(old, new):
        message = f"{adopted['thumbprint']} is current, after {adopted['previous']['thumbprint']}"
        told.append(Event("Normal", "CertificateRolledOver", message))
    for condition in new["conditions"]:
        before = find(old, condition["type"]) or {}
        event = _transition(condition, before)
        if event is not None:
            told.append(event)
    return tuple(dict.fromkeys(told))


def _rolled_over(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether what was current is previous by now, whoever published the next one."""
    before, after = old.get("certificate") or {}, new.get("certificate") or {}
    known = before.get("thumbprint")
    return known is not None and (after.get("previous") or {}).get("thumbprint") == known


def _transition(condition: Mapping[str, Any], before: Mapping[str, Any]) -> Event | None:
    type_, status, reason = condition["type"], condition["status"], condition["reason"]
    if (before.get("status"), before.get("reason")) == (status, reason):
        return None
    if type_ == READY and status == "True":
        return Event("Normal", reason, condition["message"])
    newly_failed = reason == Reason.ROLL_OVER_WAITS or (status == "False" and type_ != READY)
    if newly_failed or (type_ == STALLED_CONDITION and status == "True"):
        return Event("Warning", reason, condition["message"])
    return None
