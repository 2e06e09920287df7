"""From a walk to the status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from exchange_push_operator.core import by_hand, credential_advice, organization
from exchange_push_operator.core.conditions import (
    IN_SYNC,
    READY,
    RECONCILING,
    STALLED_CONDITION,
    ready,
    stalled,
)
from exchange_push_operator.core.errors import Refused, Throttled
from exchange_push_operator.core.plan import (
    Advisory,
    Finding,
    Plan,
    fails,
    holds,
    plan_hash,
    unknown,
)
from exchange_push_operator.core.reasons import NOT_LOOKED_AT, NOTHING_MOVES, STALLED, Reason
from exchange_push_operator.core.schedule import Kind
from exchange_push_operator.core.status import with_findings
from exchange_push_operator.reconcile.events import events, follows, next_stage
from exchange_push_operator.reconcile.facts import facts
from exchange_push_operator.reconcile.judge import Plans
from exchange_push_operator.reconcile.outcome import Outcome, requeue
from exchange_push_operator.reconcile.session import Session
from exchange_push_operator.reconcile.walk import Walk, awaits_administrator, drifted, permitted

_MOST_PLANNED = 32


def report(
    resource: Mapping[str, Any], session: Session, result: Walk, now: datetime, *, passive: bool
) -> Outcome:
    """The outcome of a pass. ``passive``: by mode or setting, nothing was to be changed."""
    config = session.config
    told = {n: _waiting(session, result, p, passive=passive) for n, p in result.plans.items()}
    findings = list(told.values())
    failed = _failed(result)
    counted = [failed, *findings] if failed else findings
    summary = ready(counted, observe_only=passive, success=_success(session, result))
    new: dict[str, Finding | None] = {
        READY: summary,
        IN_SYNC: _in_sync(session, result, passive=passive),
        RECONCILING: _reconciling(summary, findings, failed),
        STALLED_CONDITION: stalled(counted),
        **told,
    }
    status = with_findings(resource, new, now)
    status = facts(status, session, result, now)
    remaining = [step for _, step in result.remaining]
    status["plannedChanges"] = _planned(result, config.tenant.cloud.graph)
    own = credential_advice.advisories(config, session.certificate_ends, now)
    status["advisories"] = _advisories(result.plans, own)
    status.pop("planHash", None)
    if remaining:
        status["planHash"] = plan_hash(remaining)
    done = result.done
    drift = drifted(config) and not follows(status, done)
    kind, coming = _kind(summary, new, status["servers"]), next_stage(status) not in ("", "NotDue")
    return Outcome(
        status=status,
        requeue=requeue(config, kind, _patience(result), coming=coming),
        events=events(config.status, status, done, drift=drift),
        changes=tuple(f"{s.text} on {s.server}" if s.server else s.text for s in done),
        planned=tuple(permitted(result)),
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
    return finding


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


def _in_sync(session: Session, result: Walk, *, passive: bool) -> Finding:
    remaining = result.remaining
    if result.failure is not None:
        refused = isinstance(result.failure[1], Refused)
        reason = Reason.CHANGE_REFUSED if refused else Reason.CHANGE_FAILED
        return fails(reason, str(result.failure[1]))
    if not remaining:
        return _nothing_planned(result)
    what = "; ".join(f"{step.action} ({step.target})" for _, step in remaining)
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
    return fails(Reason.DRIFT_DETECTED, f"planned, not performed: {what}")


def _quarrel(result: Walk) -> str:
    held = [step for _, step in result.remaining if step.key in result.contended]
    what = "; ".join(f"{step.action} ({step.target})" for step in held)
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
    return holds(Reason.NO_DRIFT, "nothing to change")


def _reconciling(
    summary: Finding, findings: list[Finding], failed: Finding | None
) -> Finding | None:
    if failed is not None or stalled(findings) is not None or summary.status == "True":
        return None
    return Finding("True", Reason.PROGRESSING_WITH_RETRY, summary.message)


def _planned(result: Walk, graph: str) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{position:02d}-{step.event}",
            "stage": name,
            "target": step.target,
            "action": step.action,
            "command": by_hand.command(graph, step),
        }
        for position, (name, step) in enumerate(result.remaining[:_MOST_PLANNED], start=1)
    ]


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
    failed = in_sync is not None and in_sync.reason in (Reason.CHANGE_FAILED, Reason.CHANGE_REFUSED)
    return "retry" if failed or summary.status != "True" else "steady"


def _patience(result: Walk) -> float:
    error = result.failure[1] if result.failure else None
    asked = (error.retry_after or 0.0) if isinstance(error, Throttled) else 0.0
    return max(asked, result.observed.patience())
