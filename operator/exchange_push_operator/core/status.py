"""Statuses that need no look: too long, suspended, refused. The full one is in reconcile.report."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from exchange_push_operator.core.conditions import (
    IN_SYNC,
    READY,
    RECONCILING,
    STALLED_CONDITION,
    find,
    render,
)
from exchange_push_operator.core.config import RECONCILE_REQUESTED_AT
from exchange_push_operator.core.plan import Finding, fails, unknown
from exchange_push_operator.core.reasons import STALLED, Reason
from exchange_push_operator.core.tenant import MADE_ANEW

STAGE_CONDITIONS = (
    "PrerequisitesMet",
    "CertificateReady",
    "AuthServerReady",
    "PrincipalCredentialReady",
    "ProxyReady",
    "Verified",
)
NOT_YET = "not looked at yet"


def progressing(resource: Mapping[str, Any], now: datetime) -> Mapping[str, Any]:
    """What a pass shows that takes its time."""
    deleting = "deletionTimestamp" in resource["metadata"]
    message = "looking at Exchange and Entra ID"
    if deleting:
        message = "deletion: looking at what is to be undone in Exchange and Entra ID"
    reason = Reason.DELETING if deleting else Reason.PROGRESSING
    new: dict[str, Finding | None] = {
        READY: unknown(Reason.PROGRESSING, message),
        RECONCILING: Finding("True", reason, message),
        STALLED_CONDITION: None,
    }
    in_sync = find(resource.get("status") or {}, IN_SYNC) or {}
    if in_sync.get("reason") == Reason.SUSPENDED:  # it was resumed
        new[IN_SYNC] = unknown(Reason.NOT_OBSERVED, NOT_YET)
    return with_findings(resource, new, now)


def suspended(resource: Mapping[str, Any], now: datetime) -> Mapping[str, Any]:
    """One write: the stage conditions stay as they are, with their own observedGeneration."""
    message = "suspended by spec.suspend or the annotation exchangepush.dev/suspended"
    if "deletionTimestamp" in resource["metadata"]:
        message = f"deletion waits: {message}; resume it, or let it go by exchangepush.dev/abandon"
    return with_findings(
        resource,
        {
            READY: unknown(Reason.SUSPENDED, message),
            IN_SYNC: unknown(Reason.SUSPENDED, message),
            RECONCILING: None,
            STALLED_CONDITION: None,
        },
        now,
    )


def not_looked(resource: Mapping[str, Any], finding: Finding, now: datetime) -> Mapping[str, Any]:
    """A pass that ended before it could look: stalled by a person's matter, or out of reach.

    How many servers are ready is not known; the rows and the stage conditions are the last look's.
    """
    blocked = finding.status == "False" and finding.reason in STALLED
    new: dict[str, Finding | None] = {
        READY: finding,
        IN_SYNC: unknown(Reason.NOT_OBSERVED, f"not looked at: {finding.message}"),
        RECONCILING: None
        if blocked
        else Finding("True", Reason.PROGRESSING_WITH_RETRY, finding.message),
        STALLED_CONDITION: Finding("True", finding.reason, finding.message) if blocked else None,
    }
    return _uncounted(with_findings(resource, new, now))


def _uncounted(status: dict[str, Any]) -> Mapping[str, Any]:
    status.pop("serversReady", None)
    return status


def out_of_reach(
    resource: Mapping[str, Any], message: str, reason: Reason, now: datetime
) -> Mapping[str, Any]:
    """Nobody answers, and for long enough to say so: everything is Unknown, the count too."""
    finding = unknown(reason, message)
    new: dict[str, Finding | None] = dict.fromkeys((READY, IN_SYNC, *STAGE_CONDITIONS), finding)
    new[RECONCILING] = Finding("True", Reason.PROGRESSING_WITH_RETRY, message)
    new[STALLED_CONDITION] = None
    return _uncounted(with_findings(resource, new, now))


def tenant_not_found(resource: Mapping[str, Any], now: datetime) -> Mapping[str, Any]:
    """The domain is of no tenant: a fact about the first stage; no Secret was read."""
    domain = resource["spec"]["tenant"]["domain"]
    finding = fails(
        Reason.TENANT_NOT_FOUND,
        f"{domain} belongs to no tenant of this cloud; where spec.tenant.domain or cloud is "
        f"mistyped, {MADE_ANEW}; else enroll the organization in Microsoft 365 and verify the "
        "domain there",
    )
    waiting = unknown(Reason.WAITS_FOR_CONFIGURATION, "waits for PrerequisitesMet")
    new: dict[str, Finding | None] = dict.fromkeys(STAGE_CONDITIONS, waiting)
    new["PrerequisitesMet"] = finding
    new[READY] = finding
    new[IN_SYNC] = unknown(Reason.NOT_OBSERVED, f"not looked at: {finding.message}")
    new[RECONCILING] = new[STALLED_CONDITION] = None
    return _uncounted(with_findings(resource, new, now))


def with_findings(
    resource: Mapping[str, Any], new: Mapping[str, Finding | None], now: datetime
) -> dict[str, Any]:
    """The old status with other conditions, for the current generation.

    Every condition is there from the first write on: what has not been looked at is Unknown.
    """
    status = dict(resource.get("status") or {})
    generation = resource["metadata"]["generation"]
    not_yet = unknown(Reason.NOT_OBSERVED, NOT_YET)
    unseen = [name for name in (IN_SYNC, *STAGE_CONDITIONS) if find(status, name) is None]
    ordered = {**dict.fromkeys(unseen, not_yet), **new}
    status["conditions"] = render(status.get("conditions") or (), ordered, generation, now)
    status["observedGeneration"] = generation
    requested = (resource["metadata"].get("annotations") or {}).get(RECONCILE_REQUESTED_AT)
    if requested:
        status["lastHandledReconcileAt"] = requested
    return status
