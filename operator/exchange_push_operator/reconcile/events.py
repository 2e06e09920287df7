"""What is told of a pass as Kubernetes events: transitions only, nothing in a steady state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exchange_push_operator.core.conditions import READY, STALLED_CONDITION, find
from exchange_push_operator.core.events import NORMAL, WARNING, Event
from exchange_push_operator.core.plan import Step
from exchange_push_operator.core.reasons import WAITS_FOR_LEAVE, Reason
from exchange_push_operator.core.status import NOT_YET

_AWAY = frozenset({Reason.UNREACHABLE, Reason.THROTTLED})
_ROLL_OVER = frozenset(
    {"CertificateStaged", "CertificateDateMoved", "CertificatePublished", "KeyCredentialRemoved"}
)


def events(
    old: Mapping[str, Any], new: Mapping[str, Any], done: list[Step], *, drift: bool = False
) -> tuple[Event, ...]:
    """What changed and what newly failed; nothing in a steady state."""
    told = [Event(NORMAL, step.event, f"{step.action}: {step.target}") for step in done]
    if done and drift:
        names = ", ".join(dict.fromkeys(step.event for step in done))
        told.append(Event(NORMAL, "DriftCorrected", f"what had changed was corrected: {names}"))
    adopted = new.get("certificate") or {}
    # The first look at the organisation has written the certificate down, and nothing else.
    known = find(old, "CertificateReady")
    met = known is None or known["message"] == NOT_YET or not old.get("certificate")
    if adopted.get("origin") == "Adopted" and met:
        told.append(
            Event(NORMAL, "CertificateAdopted", f"{adopted['thumbprint']} is used as it is")
        )
    if _rolled_over(old, new):
        message = f"{adopted['thumbprint']} is current, after {adopted['previous']['thumbprint']}"
        told.append(Event(NORMAL, "CertificateRolledOver", message))
    told += _asked_for(old, new)
    for condition in new["conditions"]:
        before = find(old, condition["type"]) or {}
        event = _transition(condition, before)
        if event is not None:
            told.append(event)
    return tuple(dict.fromkeys(told))


def _asked_for(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Event]:
    """What a person did to the resource itself, besides editing its spec."""
    told, handled = [], new.get("lastHandledReconcileAt")
    if handled and handled != old.get("lastHandledReconcileAt"):
        told.append(Event(NORMAL, "ReconcileRequestHandled", "looked at, as asked by annotation"))
    before, now = (find(status, READY) or {} for status in (old, new))
    if before.get("reason") == Reason.SUSPENDED and now.get("reason") != Reason.SUSPENDED:
        told.append(Event(NORMAL, "Resumed", "no longer suspended"))
    return told


def follows(status: Mapping[str, Any], done: list[Step]) -> bool:
    """Whether changes belong to a roll-over: what follows its calendar corrects nobody."""
    under_way = next_stage(status) not in ("", "Staged", "NotDue")
    return under_way or any(step.event in _ROLL_OVER for step in done)


def next_stage(status: Mapping[str, Any]) -> str:
    """How far the next certificate is; "" where there is none."""
    coming = (status.get("certificate") or {}).get("next") or {}
    return str(coming.get("stage", ""))


def _rolled_over(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether what was current is previous by now, whoever published the next one."""
    before, after = old.get("certificate") or {}, new.get("certificate") or {}
    known = before.get("thumbprint")
    return known is not None and (after.get("previous") or {}).get("thumbprint") == known


def _transition(condition: Mapping[str, Any], before: Mapping[str, Any]) -> Event | None:
    type_, status, reason = condition["type"], condition["status"], condition["reason"]
    if (before.get("status"), before.get("reason")) == (status, reason):
        return None
    if type_ == READY and (status == "True" or reason == Reason.SUSPENDED):
        return Event(NORMAL, reason, condition["message"])
    newly_failed = reason == Reason.ROLL_OVER_WAITS or (status == "False" and type_ != READY)
    out_of_reach = type_ == READY and status == "Unknown" and reason in _AWAY
    if newly_failed or out_of_reach or (type_ == STALLED_CONDITION and status == "True"):
        kind = NORMAL if reason in WAITS_FOR_LEAVE else WARNING
        return Event(kind, reason, condition["message"])
    return None
