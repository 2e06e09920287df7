"""A plan says what it waits for before the operator performs it, and what to do for that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from exchange_push_operator.plan.document import as_json
from exchange_push_operator.plan.manifest import in_place_of, read_manifest
from exchange_push_operator.plan.passive import Planned, look
from exchange_push_operator.plan.script import as_powershell
from exchange_push_operator.plan.text import THEN, as_text
from lab.in_process import BY_SECRET, Lab, lab

pytestmark = pytest.mark.lab

APPROVE = {**BY_SECRET, "managementPolicy": "Approve"}
# The lab's time begins on Saturday, 2026-11-21T09:00:00Z.
TONIGHT = {"days": ["Sat"], "start": "22:00", "duration": "6h", "timeZone": "Europe/Berlin"}
OPENS = "2026-11-21T21:00:00Z"


def planned(outside: Lab, resource: Any = None) -> Planned:
    return look(resource or outside.resource, outside.operator().world)


def leave(plan: Planned) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(as_json(plan))["leave"]
    return found


def test_a_plan_that_nothing_holds_up_is_performed_at_the_next_look() -> None:
    plan = planned(lab())
    assert "When: at the operator's next look." in as_text(plan)
    assert leave(plan) == {
        "managementPolicy": "Manage",
        "suspended": False,
        "approvedPlan": None,
        "approved": None,
        "nextOpening": None,
    }


def test_a_plan_without_approval_says_what_to_set() -> None:
    outside = lab(APPROVE)
    outside.operator().run()
    plan = planned(outside)
    assert plan.plan_hash == outside.status["planHash"]
    told = f"Approval: none; to approve this plan, set spec.approvedPlan to {plan.plan_hash}."
    assert told in as_text(plan)
    assert f"# {told}" in as_powershell(plan)
    assert leave(plan)["approved"] is False
    assert "next look" not in as_text(plan)


def test_what_a_plan_says_to_set_lets_the_operator_perform_it() -> None:
    outside = lab(APPROVE)
    operator = outside.operator()
    operator.run()
    outside.edit({**APPROVE, "approvedPlan": planned(outside).plan_hash})
    plan = planned(outside)
    assert "Approval: stands; spec.approvedPlan names this plan." in as_text(plan)
    assert (leave(plan)["approved"], leave(plan)["approvedPlan"]) == (True, plan.plan_hash)
    operator.run()
    assert outside.condition("AuthServerReady") == ("True", "UpToDate")


def test_an_approval_of_another_plan_is_named_and_does_not_count() -> None:
    outside = lab({**APPROVE, "approvedPlan": "0123456789ab"})
    outside.operator().run()
    text = as_text(planned(outside))
    assert "Approval: spec.approvedPlan names 0123456789ab; to approve this plan, set" in text


def drifted_again() -> Lab:
    """The same drift on another day: by what was changed last it is another plan."""
    outside = lab(BY_SECRET)
    outside.operator().run()
    outside.clock.forward(hours=2)
    outside.edit(APPROVE)
    outside.administrator("Set-AuthServer", Identity="MicrosoftSts", Enabled=False)
    outside.operator().run()
    return outside


def file_of(outside: Lab, folder: Path) -> Any:
    bare = {name: outside.resource[name] for name in ("apiVersion", "kind", "spec")}
    metadata = {name: outside.resource["metadata"][name] for name in ("name", "namespace")}
    file = folder / "pushconfig.yaml"
    file.write_text(yaml.safe_dump({**bare, "metadata": metadata}), "utf-8")
    return read_manifest(file)


def test_a_file_over_a_stored_resource_has_the_hash_of_the_cluster(tmp_path: Path) -> None:
    outside = drifted_again()
    assert outside.status["history"]
    applied = in_place_of(outside.resource, file_of(outside, tmp_path))
    assert planned(outside, applied).plan_hash == outside.status["planHash"]


def test_a_file_alone_claims_no_hash_for_the_cluster_alone_knows_what_was_last(
    tmp_path: Path,
) -> None:
    outside = drifted_again()
    plan = planned(outside, file_of(outside, tmp_path))
    assert plan.steps
    assert json.loads(as_json(plan))["planHash"] is None
    assert "Approval: none; what approves this plan the cluster knows: plan NAME." in as_text(plan)


def test_outside_of_its_windows_the_next_opening_is_told() -> None:
    outside = lab({**BY_SECRET, "changeWindows": [TONIGHT]})
    plan = planned(outside)
    assert f"When: not before the change window that opens at {OPENS}." in as_text(plan)
    assert leave(plan)["nextOpening"] == OPENS
    outside.clock.forward(hours=13)
    plan = planned(outside)
    assert leave(plan)["nextOpening"] is None
    assert "When: at the operator's next look." in as_text(plan)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"managementPolicy": "Observe"}, "Not performed: managementPolicy is Observe."),
        ({"suspend": True}, "Not performed: the resource is suspended."),
    ],
)
def test_what_is_never_performed_says_so(spec: dict[str, Any], told: str) -> None:
    text = as_text(planned(lab({**BY_SECRET, **spec})))
    assert told in text
    assert "When:" not in text


def test_steps_that_wait_for_others_are_told_as_part_of_the_plan() -> None:
    outside = lab({**BY_SECRET, "certificate": {"policy": "Manage"}}, auth_certificate=False)
    operator = outside.operator()
    plan = next(p for p in plans(outside, operator) if p.waiting)
    text = as_text(plan)
    assert THEN in text
    assert text.splitlines()[0].startswith(
        f"exchange/fabrikam: {len(plan.steps) + len(plan.waiting)} changes, plan "
    )
    waits = [told["waits"] for told in json.loads(as_json(plan))["plannedChanges"]]
    assert waits == [False] * len(plan.steps) + [True] * len(plan.waiting)
    script = as_powershell(plan)
    for _, step in plan.waiting:
        assert step.spelled_out in text
        assert step.spelled_out not in script
        assert step.target in script


def plans(outside: Lab, operator: Any) -> Any:
    """The plan before each of some approvals."""
    outside.edit({**outside.resource["spec"], "managementPolicy": "Approve"})
    for _ in range(4):
        operator.run()
        yield planned(outside)
        outside.edit({**outside.resource["spec"], "approvedPlan": outside.status["planHash"]})
