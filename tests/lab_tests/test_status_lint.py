"""The linter of our own status: each rule is broken once, and says so."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from answers import NOW
from exchange_push_operator.core import status as statuses
from exchange_push_operator.core.plan import Finding, fails, holds, unknown
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.status import STAGE_CONDITIONS
from lab.reason_table import legal
from lab.resources import resource
from lab.status_lint import RULES, BrokenRules, lint

LATER = NOW + timedelta(hours=1)
TRUE = dict(
    zip(STAGE_CONDITIONS, ("Met", "Valid", *["UpToDate"] * 3, "ProbeSucceeded"), strict=True)
)


def well(before: dict[str, Any] | None = None, **findings: Finding | None) -> dict[str, Any]:
    """A status without fault, with other findings."""
    new: dict[str, Finding | None] = {
        "Ready": holds(Reason.SUCCEEDED, "all is well on 2 servers"),
        "InSync": holds(Reason.NO_DRIFT, "nothing to change"),
        "Reconciling": None,
        "Stalled": None,
        **{type_: holds(Reason(reason), "well") for type_, reason in TRUE.items()},
        **findings,
    }
    return statuses.with_findings(before or resource(), new, NOW)


def known(**metadata: Any) -> dict[str, Any]:
    """The resource as it was an hour ago."""
    return {**resource(**metadata), "status": well()}


def condition(status: dict[str, Any], type_: str) -> dict[str, Any]:
    found: dict[str, Any] = next(c for c in status["conditions"] if c["type"] == type_)
    return found


def without(status: dict[str, Any], type_: str) -> dict[str, Any]:
    kept = [c for c in status["conditions"] if c["type"] != type_]
    return {**status, "conditions": kept}


def added(status: dict[str, Any], type_: str, **changes: Any) -> dict[str, Any]:
    return {
        **status,
        "conditions": [*status["conditions"], {**condition(well(), "Ready"), "type": type_}],
        **changes,
    }


def changed(type_: str, **fields: Any) -> dict[str, Any]:
    """The known status with one condition changed."""
    status = copy.deepcopy(well())
    condition(status, type_).update(fields)
    return status


def test_a_status_without_fault_breaks_nothing() -> None:
    assert lint(resource(), well()) == []


@pytest.mark.parametrize(
    "write",
    [
        lambda it: statuses.progressing(it, LATER),
        lambda it: statuses.suspended({**it, "spec": {**it["spec"], "suspend": True}}, LATER),
        lambda it: statuses.not_looked(it, fails(Reason.ACCESS_DENIED, "no"), LATER),
        lambda it: statuses.out_of_reach(it, "no answer", Reason.THROTTLED, LATER),
        lambda it: statuses.tenant_not_found(it, LATER),
    ],
    ids=["progressing", "suspended", "refused", "out of reach", "no tenant"],
)
@pytest.mark.parametrize("old", [None, well()], ids=["first", "later"])
def test_the_statuses_that_need_no_look_break_nothing(
    write: Callable[[dict[str, Any]], dict[str, Any]], old: dict[str, Any] | None
) -> None:
    before = {**resource(generation=2), **({"status": old} if old else {})}
    new = write(before)
    if condition(new, "Ready")["reason"] == "Suspended":
        before["spec"]["suspend"] = True
    assert lint(before, new) == []


STALLED = Finding("True", Reason.ACCESS_DENIED, "no")
RECONCILING = Finding("True", Reason.PROGRESSING, "looking")
SUSPENDED = unknown(Reason.SUSPENDED, "suspended")
GUID = "0f7c2a54-0000-4000-8000-9f61d7b3c8ff"
BROKEN: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("nothing changed", known(), well(), "nothing has changed"),
    (
        "other figures alone",
        known(),
        changed("Ready", message="all is well on 7 servers"),
        "figures alone",
    ),
    ("no Ready", resource(), without(well(), "Ready"), "there is no Ready"),
    ("no stage", resource(), without(well(), "Verified"), "there is no Verified"),
    (
        "abnormal, not True",
        resource(),
        well(Stalled=fails(Reason.ACCESS_DENIED, "no")),
        "Stalled is there and not True",
    ),
    (
        "both abnormal",
        resource(),
        well(Stalled=STALLED, Reconciling=RECONCILING),
        "Reconciling and Stalled at once",
    ),
    ("Ready, Stalled", resource(), well(Stalled=STALLED), "Ready does not say so"),
    (
        "Ready Unknown, Stalled",
        resource(),
        well(Stalled=STALLED, Ready=unknown(Reason.UNREACHABLE, "no answer")),
        "Ready does not say so",
    ),
    ("Ready, Reconciling", resource(), well(Reconciling=RECONCILING), "Ready while Reconciling"),
    (
        "False for no stage",
        resource(),
        well(Ready=fails(Reason.EXPIRED, "expired")),
        "the first stage that is False for None",
    ),
    (
        "False for another stage",
        resource(),
        well(
            Ready=fails(Reason.DISABLED, "disabled"),
            ProxyReady=fails(Reason.DISABLED, "disabled"),
            CertificateReady=fails(Reason.EXPIRED, "expired"),
        ),
        "the first stage that is False for Expired",
    ),
    ("a field missing", resource(), changed("Ready", message=""), "Ready has no message"),
    (
        "no moment",
        resource(),
        changed("Ready", lastTransitionTime="yesterday"),
        "lastTransitionTime is no moment",
    ),
    (
        "generation ahead",
        resource(),
        {**well(), "observedGeneration": 2},
        "observedGeneration 2, generation 1",
    ),
    (
        "generation back",
        {**resource(generation=3), "status": {**well(), "observedGeneration": 3}},
        {**well(), "observedGeneration": 2},
        "observedGeneration 2, generation 3",
    ),
    (
        "condition ahead",
        resource(generation=2),
        changed("ProxyReady", observedGeneration=2),
        "ProxyReady: observedGeneration 2, of the status 1",
    ),
    (
        "condition without generation",
        resource(),
        changed("ProxyReady", observedGeneration=0),
        "ProxyReady: observedGeneration 0",
    ),
    (
        "Ready behind",
        resource(generation=2),
        {**well(), "observedGeneration": 2},
        "Ready speaks of generation 1, the status of 2",
    ),
    (
        "time without status",
        known(),
        changed("ProxyReady", lastTransitionTime="2026-11-21T09:00:01Z"),
        "ProxyReady: lastTransitionTime from",
    ),
    ("no such reason", resource(), changed("InSync", reason="Fine"), "InSync=True/Fine is not"),
    (
        "reason of another condition",
        resource(),
        well(ProxyReady=holds(Reason.MET, "met")),
        "ProxyReady=True/Met is not",
    ),
    (
        "not known, said as a fact",
        resource(),
        well(ProxyReady=fails(Reason.UNREACHABLE, "no answer")),
        "ProxyReady=False/Unreachable is not",
    ),
    (
        "a fact, said as not known",
        resource(),
        well(CertificateReady=unknown(Reason.EXPIRED, "expired")),
        "CertificateReady=Unknown/Expired is not",
    ),
    ("foreign condition", resource(), added(well(), "Happy"), "Happy=True/Succeeded is not"),
    ("two lines", resource(), changed("Ready", message="one\ntwo"), "more than one line"),
    ("too long", resource(), changed("Ready", message="x" * 1025), "more than one line"),
    ("a date", resource(), changed("Ready", message="since 2026-11-21T09:00:00Z"), "has a date"),
    ("a time", resource(), changed("Ready", message="at 09:00"), "has a time"),
    ("an age", resource(), changed("Ready", message="seen 5 minutes ago"), "has an age"),
    ("a counter", resource(), changed("Ready", message="failed, attempt 3"), "has a counter"),
    ("how often", resource(), changed("Ready", message="refused 3 times"), "has a counter"),
    (
        "an id of a request",
        resource(),
        changed("Ready", message=f"refused (request id: {GUID})"),
        "has an id of a request",
    ),
    (
        "an advisory with a date",
        resource(),
        {**well(), "advisories": [{"type": "A", "message": "since 2026-11-21"}]},
        "advisories[A] has a date",
    ),
    ("a condition twice", resource(), added(well(), "Ready"), "conditions: Ready twice"),
    (
        "a server twice",
        resource(),
        {**well(), "servers": [{"name": "ex1"}, {"name": "ex1"}]},
        "servers: ex1 twice",
    ),
    (
        "advisories out of order",
        resource(),
        {**well(), "advisories": [{"type": t, "message": "m"} for t in "BA"]},
        "not sorted",
    ),
    ("suspended, unsaid", resource({"suspend": True}), well(), "suspended, and Ready is"),
    (
        "suspended by annotation, unsaid",
        resource(annotations={"exchangepush.dev/suspended": "true"}),
        well(),
        "suspended, and Ready is",
    ),
    (
        "said, not suspended",
        resource(),
        well(Ready=SUSPENDED, InSync=SUSPENDED),
        "not the shape of a suspended resource",
    ),
    (
        "half suspended",
        resource({"suspend": True}),
        well(Ready=SUSPENDED),
        "not the shape of a suspended resource",
    ),
    (
        "suspended and at work",
        resource({"suspend": True}),
        well(Ready=SUSPENDED, InSync=SUSPENDED, Reconciling=RECONCILING),
        "not the shape of a suspended resource",
    ),
    (
        "a stage moved while suspended",
        {**resource({"suspend": True}), "status": well()},
        well(Ready=SUSPENDED, InSync=SUSPENDED, Verified=unknown(Reason.NOT_OBSERVED, "no")),
        "Verified has moved while suspended",
    ),
]


@pytest.mark.parametrize(
    ("before", "status", "sentence"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_a_rule_that_is_broken(
    before: dict[str, Any], status: dict[str, Any], sentence: str
) -> None:
    assert sentence in "\n".join(lint(before, status))


def test_a_message_about_another_server_is_news() -> None:
    silent = unknown(Reason.UNREACHABLE, "ex11.corp.fabrikam.com: connection refused")
    other = unknown(Reason.UNREACHABLE, "ex12.corp.fabrikam.com: connection refused")
    assert lint({**resource(), "status": well(Ready=silent)}, well(Ready=other)) == []


def test_every_rule_is_broken_by_one_of_these() -> None:
    unbroken = [
        rule.__name__
        for rule in RULES
        if not any(list(rule(before, status)) for _, before, status, _ in BROKEN)
    ]
    assert unbroken == []


def test_the_page_of_reasons_allows_each_of_them_somewhere() -> None:
    assert {str(reason) for reason in Reason} == {reason for _, _, reason in legal()}


def test_what_a_door_notes_is_kept_until_it_is_taken() -> None:
    notes = BrokenRules()
    door = threading.Thread(target=notes.note, args=(known(), well()))
    door.start()
    door.join()
    assert notes.take() == ["fabrikam: a status was written although nothing has changed"]
    assert notes.take() == []
