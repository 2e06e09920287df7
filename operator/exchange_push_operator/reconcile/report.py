"""From a walk to the status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from exchange_push_operator.core import credential_advice, organization
from exchange_push_operator.core.approval import needed
from exchange_push_operator.core.conditions import (
    IN_SYNC,
    READY,
    RECONCILING,
    STALLED_CONDITION,
    ready,
    stalled,
)
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.errors import Refused, Throttled
from exchange_push_operator.core.plan import (
    Advisory,
    Finding,
    Plan,
    Step,
    fails,
    holds,
    unknown,
)
from exchange_push_operator.core.reasons import (
    NOT_LOOKED_AT,
    NOTHING_MOVES,
    STALLED,
    WAITS_FOR_LEAVE,
    Reason,
)
from exchange_push_operator.core.schedule import Kind, Requeue
from exchange_push_operator.core.status import with_findings
from exchange_push_operator.reconcile.drifting import drifted
from exchange_push_operator.reconcile.events import events, follows, next_stage
from exchange_push_operator.reconcile.facts import facts
from exchange_push_operator.reconcile.judge import Plans, foreseen
from exchange_push_operator.reconcile.outcome import Outcome, requeue
from exchange_push_operator.reconcile.permission import awaits_administrator
from exchange_push_operator.reconcile.planned import planned
from exchange_push_operator.reconcile.session import Session
from exchange_push_operator.reconcile.walk import Walk, permitted


def report(
    resource: Mapping[str, Any], session: Session, result: Walk, now: datetime, *, passive: bool
) -> Outcome:
    """The outcome of a pass. ``passive``: by mode or setting, nothing was to be changed."""
    config = session.config
    told = {n: _waiting(session, result, p, passive=passive) for n, p in result.plans.items()}
    findings = list(told.values())
    failed = _failed(result)
    plan = planned(config, result, now)
    in_sync = _in_sync(session, result, plan.get("planHash", ""), passive=passive)
    counted = [failed, *findings] if failed else findings
    summary = ready(counted, observe_only=passive, success=_success(session, result))
    new: dict[str, Finding | None] = {
        READY: summary,
        IN_SYNC: in_sync,
        RECONCILING: _reconciling(summary, findings, failed, in_sync),
        STALLED_CONDITION: stalled(counted),
        **told,
    }
    status = with_findings(resource, new, now)
    status = facts(status, session, result, now)
    status.pop("planHash", None)
    own = credential_advice.advisories(config, session.certificate_ends, now)
    status |= {**plan, "advisories": _advisories(result.plans, own)}
    done = result.done
    drift = drifted(config) and not follows(status, done)
    return Outcome(
        status=status,
        requeue=_again(config, result, status, _kind(summary, new, status["servers"])),
        events=events(config.status, status, done, drift=drift),
        changes=tuple(f"{s.text} on {s.server}" if s.server else s.text for s in done),
        planned=tuple(permitted(result)),
        foreseen=tuple(foreseen(result.plans)),
    )


def _waiting(session: Session, result: Walk, plan: Plan, *, passive: bool) -> Finding:
    """The finding of a stage, and whom its change waits for."""
    finding = plan.finding
    if passive or not plan.steps:
        return finding
    if any(step.key in result.contended for step in plan.steps):
        return replace(finding, message=f"{finding.message}; {_quarrel(result)}")
    if any(awaits_administrator(session, step) for step in plan.steps):
        return replace(
            finding,
            message=f"{finding.message}; our identity may only read: an administrator makes the "
            "change in status.plannedChanges",
        )
    waits = result.permission.waits(plan.steps)
    return replace(finding, message=f"{finding.message}; {waits.message}") if waits else finding


def _failed(result: Walk) -> Finding | None:
    """A change that was refused for a person's sake stalls the resource."""
    if result.failure is None:
        return None
    _, error = result.failure
    if isinstance(error, Refused) and error.reason in STALLED:
        return fails(error.reason, str(error))
    return None


def _success(session: Session, result: Walk) -> str:
    config = session.config
    verified = result.plans["Verified"].finding.reason is Reason.PROBE_SUCCEEDED
    count = len(set(result.observed.answered) - organization.in_maintenance(result.observed))
    finding = result.plans["CertificateReady"].finding
    but = f"; but {finding.message}" if finding.reason is Reason.ROLL_OVER_WAITS else ""
    where = f"on {count} server{'' if count == 1 else 's'}{but}"
    if config.proxy.state.value != "Enabled":
        return f"the trust of {config.tenant.domain} is as declared {where}"
    words = "proxied and verified" if verified else "proxied, not verified,"
    return f"push notifications of {config.proxy.organization} are {words} {where}"


def _in_sync(session: Session, result: Walk, plan: str, *, passive: bool) -> Finding:
    remaining = result.remaining
    if result.failure is not None:
        refused = isinstance(result.failure[1], Refused)
        reason = Reason.CHANGE_REFUSED if refused else Reason.CHANGE_FAILED
        return fails(reason, str(result.failure[1]))
    if not remaining:
        return _nothing_planned(result)
    what = _words(step for _, step in remaining)
    if result.contended:
        return fails(Reason.CONTENDED, _quarrel(result))
    if any(step.key in result.tried for _, step in remaining):
        waited_for = result.waited_for(step for _, step in remaining)
        return unknown(Reason.SETTLING, f"{waited_for}: {what}")
    if not passive and all(awaits_administrator(session, step) for _, step in remaining):
        return fails(
            Reason.AWAITING_ADMINISTRATOR,
            "the identity of spec.tenant.credentials may only read; an administrator makes the "
            f"change in status.plannedChanges: {what}",
        )
    waits = None if passive else result.permission.waits([step for _, step in remaining])
    drift = fails(Reason.DRIFT_DETECTED, f"planned, not performed: {what}")
    whole = f": {_words(result.steps)}"
    return replace(waits, message=f"plan {plan} {waits.message}{whole}") if waits else drift


def _words(steps: Iterable[Step]) -> str:
    return "; ".join(f"{step.action} ({step.target})" for step in steps)


def _quarrel(result: Walk) -> str:
    held = [step for _, step in result.remaining if step.key in result.contended]
    what = _words(held)
    return (
        f"somebody else keeps changing this back, or something keeps it from working: {what}; "
        "after two changes within an hour it is left alone until that hour is over or spec is "
        "edited: find out who changes it, or what fails"
    )


def _nothing_planned(result: Walk) -> Finding:
    for plan in result.plans.values():
        if plan.finding.status == "Unknown" and plan.finding.reason in NOT_LOOKED_AT:
            return unknown(plan.finding.reason, plan.finding.message)
        if plan.finding.status == "False" and plan.finding.reason in NOTHING_MOVES:
            return unknown(Reason.NOT_OBSERVED, f"not compared: {plan.finding.message}")
        if plan.finding.status == "False" and plan.finding.reason is Reason.CHANGE_REFUSED:
            return plan.finding
        if plan.later:
            return unknown(Reason.SETTLING, plan.finding.message)
    return holds(Reason.NO_DRIFT, "nothing to change")


def _reconciling(
    summary: Finding, findings: list[Finding], failed: Finding | None, in_sync: Finding
) -> Finding | None:
    if failed is not None or stalled(findings) is not None or summary.status == "True":
        return None
    if summary.status == "False" and in_sync.reason in WAITS_FOR_LEAVE:
        return None
    return Finding("True", Reason.PROGRESSING_WITH_RETRY, summary.message)


def _advisories(plans: Plans, own: Iterable[Advisory]) -> list[dict[str, str]]:
    told = [advisory for plan in plans.values() for advisory in plan.advisories]
    found = {a.type: a.message for a in (*told, *own)}
    return [{"type": type_, "message": found[type_]} for type_ in sorted(found)]


def _kind(
    summary: Finding, new: Mapping[str, Finding | None], servers: list[dict[str, Any]]
) -> Kind:
    if new[STALLED_CONDITION] is not None:
        return "stalled"
    if any(row.get("reason") == Reason.SETTLING for row in servers):
        return "retry"
    in_sync = new[IN_SYNC]
    if in_sync is not None and in_sync.reason in WAITS_FOR_LEAVE and summary.status != "Unknown":
        return "steady"
    failed = in_sync is not None and in_sync.reason in (Reason.CHANGE_FAILED, Reason.CHANGE_REFUSED)
    return "retry" if failed or summary.status != "True" else "steady"


def _again(config: PushConfig, result: Walk, status: Mapping[str, Any], kind: Kind) -> Requeue:
    """When to look again: in time for the next window; at once for a plan approved beforehand."""
    plan, before = status.get("planHash"), config.status.get("planHash")
    if needed(config) and plan is not None and before != plan == config.approved_plan:
        kind = "now"
    coming = next_stage(status) not in ("", "NotDue")
    again = requeue(config, kind, _patience(result), coming=coming)
    opens_in = result.permission.opens_in() if result.steps else None
    return replace(again, no_later=opens_in.total_seconds()) if opens_in else again


def _patience(result: Walk) -> float:
    error = result.failure[1] if result.failure else None
    asked = (error.retry_after or 0.0) if isinstance(error, Throttled) else 0.0
    return max(asked, result.observed.patience())
