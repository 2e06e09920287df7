"""Statuses that need no look: too long, suspended, refused, out of reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from answers import NOW, config
from exchange_push_operator.core import status
from exchange_push_operator.core.conditions import find
from exchange_push_operator.core.plan import fails, holds, unknown
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.stages import STAGES
from lab.resources import resource

OLD: dict[str, Any] = {
    "tenantId": "kept",
    "observedGeneration": 1,
    "serversReady": "2/2",
    "conditions": [
        {
            "type": type_,
            "status": value,
            "reason": "Old",
            "message": "old",
            "observedGeneration": 1,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        for type_, value in (("Ready", "True"), ("InSync", "True"), ("ProxyReady", "True"))
    ],
}


def again(**metadata: Any) -> dict[str, Any]:
    """The example in its second generation, with a status of the first."""
    return {**resource(generation=2, **metadata), "status": OLD}


def told(new: Mapping[str, Any], *types: str) -> list[tuple[str, str] | None]:
    found = [find(new, type_) for type_ in types]
    return [(c["status"], c["reason"]) if c else None for c in found]


SUMMARY = ("Ready", "InSync", "Reconciling", "Stalled")


def test_the_stages_have_the_conditions_that_are_declared() -> None:
    assert tuple(stage.condition for stage in STAGES) == status.STAGE_CONDITIONS


def test_a_pass_that_takes_its_time_is_progressing_and_keeps_what_was_known() -> None:
    new = status.progressing(again(), NOW)
    assert told(new, *SUMMARY) == [
        ("Unknown", "Progressing"),
        ("True", "Old"),
        ("True", "Progressing"),
        None,
    ]
    assert new["tenantId"] == "kept"
    assert new["observedGeneration"] == 2


def test_the_first_pass_has_no_status_to_keep() -> None:
    new = status.progressing(resource(), NOW)
    assert told(new, *SUMMARY)[0] == ("Unknown", "Progressing")


def test_a_suspended_resource_keeps_its_stages_with_their_own_generation() -> None:
    new = status.suspended(again(), NOW)
    assert told(new, *SUMMARY) == [("Unknown", "Suspended"), ("Unknown", "Suspended"), None, None]
    assert find(new, "ProxyReady") == OLD["conditions"][2]
    assert status.suspended({**again(), "status": new}, NOW) == new


@pytest.mark.parametrize(
    ("finding", "reconciling", "stalled"),
    [
        (fails(Reason.ACCESS_DENIED, "no"), None, ("True", "AccessDenied")),
        (fails(Reason.CHANGE_REFUSED, "no"), ("True", "ProgressingWithRetry"), None),
        (unknown(Reason.THROTTLED, "later"), ("True", "ProgressingWithRetry"), None),
    ],
    ids=["a person's matter", "a refusal that may pass", "throttled"],
)
def test_a_pass_that_ended_before_it_could_look(
    finding: Any, reconciling: object, stalled: object
) -> None:
    new = status.not_looked(again(), finding, NOW)
    assert told(new, *SUMMARY) == [
        (finding.status, finding.reason),
        ("Unknown", "NotObserved"),
        reconciling,
        stalled,
    ]
    assert told(new, "ProxyReady", "Verified") == [("True", "Old"), ("Unknown", "NotObserved")]
    assert "serversReady" not in new
    assert new["tenantId"] == "kept"


def test_where_nobody_answers_for_long_everything_is_unknown() -> None:
    new = status.out_of_reach(again(), "no route", Reason.UNREACHABLE, NOW)
    unreachable = ("Unknown", "Unreachable")
    assert told(new, "Ready", "InSync", *status.STAGE_CONDITIONS) == [unreachable] * 8
    assert told(new, "Reconciling", "Stalled") == [("True", "ProgressingWithRetry"), None]
    assert "serversReady" not in new  # it may be Entra ID alone that is away


def test_a_domain_of_no_tenant_is_a_fact_about_the_prerequisites() -> None:
    new = status.tenant_not_found(again(), NOW)
    fact = ("False", "TenantNotFound")
    waiting = ("Unknown", "WaitsForConfiguration")
    assert told(new, "Ready", "InSync") == [fact, ("Unknown", "NotObserved")]
    assert told(new, *status.STAGE_CONDITIONS) == [fact, *[waiting] * 5]
    assert "serversReady" not in new
    assert told(new, "Reconciling", "Stalled") == [None, None]


def test_a_request_to_look_is_echoed() -> None:
    annotations = {"exchangepush.dev/reconcile-requested-at": "2026-11-21T09:00:00Z"}
    new = status.suspended(again(annotations=annotations), NOW)
    assert new["lastHandledReconcileAt"] == "2026-11-21T09:00:00Z"
    assert "lastHandledReconcileAt" not in status.suspended(again(annotations=None), NOW)


def test_the_old_status_is_not_changed_in_place() -> None:
    before = config(status=OLD).status
    copied = {**before, "conditions": [dict(c) for c in before["conditions"]]}
    status.with_findings(again(), {"ProxyReady": holds(Reason.MET, "met")}, NOW)
    assert before == copied
