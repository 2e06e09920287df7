"""Conditions: the Ready summary, and the list as the API server keeps it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from answers import NOW
from exchange_push_operator.core.conditions import find, following, ready, render, stalled
from exchange_push_operator.core.plan import Finding, fails, holds, unknown
from exchange_push_operator.core.reasons import LEAVE_READY_ALONE, STALLED, Reason

LATER = NOW + timedelta(hours=1)
MET = holds(Reason.MET, "met")
EXPIRED = fails(Reason.EXPIRED, "expired")
MISSING = fails(Reason.KEY_MISSING, "missing")
DENIED = fails(Reason.ACCESS_DENIED, "denied")
SETTLING = unknown(Reason.SETTLING, "settling")
UNREACHABLE = unknown(Reason.UNREACHABLE, "unreachable")
THROTTLED = unknown(Reason.THROTTLED, "throttled")
UNSEEN = unknown(Reason.NOT_OBSERVED, "unseen")
GONE = fails(Reason.SERVICE_GONE, "gone")
NO_PROBE = unknown(Reason.PROBE_NOT_AVAILABLE, "no probe")
RESTING = unknown(Reason.IN_MAINTENANCE, "resting")

MANAGED: list[tuple[str, list[Finding], tuple[str, str, str]]] = [
    ("all holds", [MET, MET], ("True", "Succeeded", "well done")),
    ("the first fact decides", [MET, EXPIRED, MISSING], ("False", "Expired", "expired")),
    ("a fact before what is not known", [SETTLING, MISSING], ("False", "KeyMissing", "missing")),
    ("a person's matter before a fact", [EXPIRED, DENIED], ("False", "AccessDenied", "denied")),
    ("settling is progressing", [MET, SETTLING], ("Unknown", "Progressing", "settling")),
    ("maintenance is progressing", [RESTING], ("Unknown", "Progressing", "resting")),
    ("out of reach says so", [MET, UNREACHABLE], ("Unknown", "Unreachable", "unreachable")),
    ("throttled says so", [THROTTLED, UNREACHABLE], ("Unknown", "Throttled", "throttled")),
    ("a look that failed", [UNSEEN], ("Unknown", "Progressing", "unseen")),
    ("a service that is gone leaves it alone", [MET, GONE], ("True", "Succeeded", "well done")),
    ("a missing probe leaves it alone", [MET, NO_PROBE], ("True", "Succeeded", "well done")),
    ("but nothing else", [EXPIRED, GONE, NO_PROBE], ("False", "Expired", "expired")),
]
LOOKED = "looked at everything and changed nothing; see InSync and status.plannedChanges"
OBSERVED: list[tuple[str, list[Finding], tuple[str, str, str]]] = [
    ("drift is no fault", [EXPIRED, MISSING], ("True", "ObservationSucceeded", LOOKED)),
    ("settling is no fault", [SETTLING, RESTING], ("True", "ObservationSucceeded", LOOKED)),
    ("a person's matter is one", [DENIED], ("False", "AccessDenied", "denied")),
    ("a look that failed is Unknown", [EXPIRED, UNSEEN], ("Unknown", "Progressing", "unseen")),
    ("out of reach", [EXPIRED, UNREACHABLE], ("Unknown", "Unreachable", "unreachable")),
    ("throttled", [THROTTLED], ("Unknown", "Throttled", "throttled")),
]


@pytest.mark.parametrize(
    ("findings", "expected"), [row[1:] for row in MANAGED], ids=[row[0] for row in MANAGED]
)
def test_ready(findings: list[Finding], expected: tuple[str, str, str]) -> None:
    found = ready(findings, observe_only=False, success="well done")
    assert (found.status, found.reason.value, found.message) == expected


@pytest.mark.parametrize(
    ("findings", "expected"), [row[1:] for row in OBSERVED], ids=[row[0] for row in OBSERVED]
)
def test_ready_of_a_resource_that_only_observes(
    findings: list[Finding], expected: tuple[str, str, str]
) -> None:
    found = ready(findings, observe_only=True, success="well done")
    assert (found.status, found.reason.value, found.message) == expected


@pytest.mark.parametrize("reason", sorted(STALLED))
def test_what_waits_for_a_person_is_stalled(reason: Reason) -> None:
    assert stalled([EXPIRED, fails(reason, "act")]) == Finding("True", reason, "act")
    assert stalled([unknown(reason, "perhaps")]) is None


def test_what_may_pass_by_itself_is_not_stalled() -> None:
    assert stalled([EXPIRED, SETTLING, MET]) is None
    assert not STALLED & LEAVE_READY_ALONE


def condition(type_: str, status: str = "True", **changes: Any) -> dict[str, Any]:
    return {
        "type": type_,
        "status": status,
        "reason": "Met",
        "message": "met",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        **changes,
    }


def types(conditions: list[Any]) -> list[str]:
    return [c["type"] for c in conditions]


def test_a_new_condition_is_written_in_full() -> None:
    assert render([], {"Ready": MET}, 3, NOW) == [
        {
            "type": "Ready",
            "status": "True",
            "reason": "Met",
            "message": "met",
            "observedGeneration": 3,
            "lastTransitionTime": "2026-11-21T09:00:00Z",
        }
    ]


def test_the_transition_time_moves_with_the_status_only() -> None:
    old = [condition("Ready")]
    (same,) = render(old, {"Ready": holds(Reason.SUCCEEDED, "other words")}, 2, LATER)
    assert same["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    assert (same["reason"], same["message"]) == ("Succeeded", "other words")
    assert same["observedGeneration"] == 2
    (moved,) = render(old, {"Ready": unknown(Reason.MET, "met")}, 2, LATER)
    assert moved["lastTransitionTime"] == "2026-11-21T10:00:00Z"


def test_a_status_that_follows_another_one_than_it_was_made_from_keeps_its_times() -> None:
    made_from = [condition("Ready"), condition("InSync"), condition("ProxyReady")]
    findings = {"Ready": MET, "InSync": SETTLING, "ProxyReady": MET, "Verified": MET}
    new = {"conditions": render(made_from, findings, 1, LATER), "tenantId": "kept"}
    shown = condition("Ready", "Unknown", lastTransitionTime="2026-11-21T09:30:00Z")
    waiting = condition("InSync", "Unknown", lastTransitionTime="2026-11-21T09:30:00Z")
    stored = {"conditions": [shown, waiting, condition("ProxyReady")]}

    told = following(stored, new, LATER)

    times = {c["type"]: c["lastTransitionTime"] for c in told["conditions"]}
    assert times == {
        "Ready": "2026-11-21T10:00:00Z",  # Unknown in between, so it is True since now
        "InSync": "2026-11-21T09:30:00Z",  # Unknown already
        "ProxyReady": "2026-01-01T00:00:00Z",
        "Verified": "2026-11-21T10:00:00Z",
    }
    assert told["tenantId"] == "kept"
    assert following({"conditions": told["conditions"]}, told, LATER) == told
    assert following({}, {"observedGeneration": 1}, LATER) == {"observedGeneration": 1}


def test_nothing_moves_where_nothing_changed() -> None:
    new = {"Ready": MET, "InSync": EXPIRED}
    before = render([], new, 1, NOW)
    assert render(before, new, 1, LATER) == before


def test_the_summary_comes_first_and_the_stages_in_their_order() -> None:
    new = {"Ready": MET, "Stalled": MET, "InSync": MET, "ZStage": MET, "AStage": MET}
    assert types(render([], new, 1, NOW)) == ["Ready", "InSync", "Stalled", "ZStage", "AStage"]


def test_conditions_that_are_not_written_keep_their_place() -> None:
    old = [condition(t) for t in ("Ready", "InSync", "ZStage", "AStage")]
    rendered = render(old, {"Ready": MET, "Reconciling": MET}, 2, NOW)
    assert types(rendered) == ["Ready", "InSync", "Reconciling", "ZStage", "AStage"]
    assert [c["observedGeneration"] for c in rendered] == [2, 1, 2, 1, 1]


def test_conditions_of_others_stay_as_they_are() -> None:
    foreign = condition("example.com/Audited", message="theirs", extra="field")
    rendered = render([foreign, condition("Ready")], {"Ready": EXPIRED}, 2, NOW)
    assert rendered[-1] == foreign
    assert types(rendered) == ["Ready", "example.com/Audited"]


def test_a_condition_is_removed_that_is_no_longer_true() -> None:
    old = [condition("Ready"), condition("Stalled")]
    assert types(render(old, {"Stalled": None}, 1, NOW)) == ["Ready"]
    assert types(render([], {"Stalled": None}, 1, NOW)) == []


def test_a_message_has_an_end() -> None:
    (made,) = render([], {"Ready": fails(Reason.EXPIRED, "x" * 5000)}, 1, NOW)
    assert len(made["message"]) == 1024


def test_a_condition_is_found_by_its_type() -> None:
    status = {"conditions": [condition("Ready")]}
    assert find(status, "Ready") == condition("Ready")
    assert find(status, "InSync") is None
    assert find({}, "Ready") is None
    assert find({"conditions": None}, "Ready") is None
