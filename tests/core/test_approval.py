"""Approval: what spec.approvedPlan lets through, from spec and status alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from exchange_push_operator.core import approval
from exchange_push_operator.core.commands import GraphRequest, cmdlet
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.history import MOST, Made, added, entry, last_change
from exchange_push_operator.core.parse import parse
from exchange_push_operator.core.plan import Step, plan_hash
from lab.resources import resource

WHEN, LATER = "2026-11-21T09:00:00Z", "2026-11-21T10:00:00Z"


def step(name: str, **fields: Any) -> Step:
    fields = {"command": cmdlet("Set-AuthServer", Identity=name), **fields}
    return Step("Correct", name, "AuthServerCorrected", **fields)


A, B, C = step("a"), step("b"), step("c")
UID = parse(resource({})).uid


def status(*steps: Step, shown: int = 32, history: tuple[Any, ...] = ()) -> dict[str, Any]:
    told: dict[str, Any] = {
        "plannedChanges": [
            {"id": approval.identifier(n, s), "stage": "S", "target": s.target, "action": s.action}
            for n, s in enumerate(steps[:shown], start=1)
        ],
        "history": list(history),
    }
    return {**told, "planHash": approval.hash_of(UID, told, steps)}


def asked(told: dict[str, Any], plan: str | None = None, mode: str = "Approve") -> PushConfig:
    spec = {"managementPolicy": mode, "approvedPlan": plan or told["planHash"]}
    return replace(parse(resource(spec)), status=told)


def test_the_plan_that_is_published_and_named_is_approved() -> None:
    given = approval.given(asked(status(A, B)), [A, B])
    assert given is not None
    assert given.covers([A, B])


def test_another_plan_is_not() -> None:
    assert approval.given(asked(status(A, B), plan="0" * 12), [A, B]) is None


def test_where_no_approval_is_asked_for_none_is_given_and_the_audit_names_none() -> None:
    for mode in ("Manage", "Observe"):
        assert approval.given(asked(status(A, B), mode=mode), [A, B]) is None


def test_a_plan_that_was_named_before_it_was_published_is_not_yet() -> None:
    assert approval.given(asked({}, plan=plan_hash([A, B])), [A, B]) is None


def test_what_is_left_of_an_approved_plan_is_still_approved() -> None:
    assert approval.given(asked(status(A, B)), [B]) is not None


def test_a_step_that_the_plan_did_not_have_voids_it() -> None:
    assert approval.given(asked(status(A, B)), [A, B, C]) is None
    given = approval.given(asked(status(A, B)), [A, B])
    assert given is not None
    assert not given.covers([B, C])


def test_the_same_cmdlet_with_another_value_is_another_step() -> None:
    other = replace(A, command=cmdlet("Set-AuthServer", Identity="a", Enabled=True))
    assert approval.given(asked(status(A)), [other]) is None


def test_a_plan_that_is_too_long_for_status_is_approved_by_its_hash() -> None:
    assert approval.given(asked(status(A, B, C, shown=2)), [A, B, C]) is not None
    assert approval.given(asked(status(A, B, C, shown=2)), [A, B, step("d")]) is None


def test_what_completes_a_change_needs_no_approval_of_its_own() -> None:
    assert approval.given(asked(status(A)), [A, replace(C, completes=True)]) is not None


def test_an_approval_is_good_for_one_time() -> None:
    made = entry(WHEN, {"stage": "S", "target": "a", "action": "Correct"}, Made.SUCCEEDED)
    again = status(A, history=(made,))
    assert again["planHash"] != status(A)["planHash"]
    assert approval.given(asked(again, plan=status(A)["planHash"]), [A]) is None


def test_the_hash_is_the_same_in_whatever_order_graph_lists_its_entries() -> None:
    def patch(*names: str) -> Step:
        body = {"keyCredentials": [{"keyId": name, "usage": "Verify"} for name in names]}
        return step("p", command=GraphRequest("PATCH", "servicePrincipals/p", body))

    assert plan_hash([patch("1", "2")]) == plan_hash([patch("2", "1")])
    assert plan_hash([patch("1", "2")]) != plan_hash([patch("1", "3")])


def test_the_forms_that_a_write_may_fall_back_to_are_approved_with_it() -> None:
    other = GraphRequest("PATCH", "servicePrincipals/p", {"keyCredentials": []})
    assert plan_hash([A]) != plan_hash([replace(A, fallbacks=(other,))])


def change(target: str, outcome: Made, when: str = WHEN) -> Any:
    return entry(when, {"stage": "S", "target": target, "action": "Correct"}, outcome)


def test_the_history_has_the_last_ten_changes_the_newest_first() -> None:
    told = added([], [change(str(n), Made.SUCCEEDED) for n in range(12)])
    assert [item["target"] for item in told] == [str(n) for n in range(11, 1, -1)]
    assert len(told) == MOST


def test_a_change_that_fails_again_and_again_is_told_once_with_its_first_time() -> None:
    told = added([], [change("a", Made.FAILED), change("b", Made.FAILED)])
    assert added(told, [change("a", Made.FAILED, LATER), change("b", Made.FAILED, LATER)]) == told


def test_a_change_that_is_made_twice_is_told_twice() -> None:
    told = added([], [change("a", Made.SUCCEEDED), change("a", Made.SUCCEEDED, LATER)])
    assert [item["time"] for item in told] == [LATER, WHEN]
    assert last_change({"history": told}) == LATER


def test_what_a_look_has_shown_takes_the_place_of_an_unknown_outcome() -> None:
    told = added([change("b", Made.SUCCEEDED), change("a", Made.UNKNOWN)], ())
    told = added(told, [change("a", Made.FOUND_MADE, LATER)])
    assert [(item["target"], item["outcome"], item["time"]) for item in told] == [
        ("b", "Succeeded", WHEN),
        ("a", "FoundMade", WHEN),
    ]
