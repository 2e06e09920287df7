"""The Lua of argocd/ in Lua 5.1 with no more libraries than Argo CD gives it.

`make e2e-gitops` puts the same cases before Argo CD itself.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from lupa.lua51 import LuaRuntime

from lab.resources import ROOT

KIND = ROOT / "argocd" / "resource_customizations" / "exchangepush.dev" / "ExchangePushConfig"
GIVEN = {"assert", "ipairs", "next", "os", "pairs", "require", "table", "tostring", "type"}
REQUESTED = "exchangepush.dev/reconcile-requested-at"


def load(path: str) -> Any:
    """A YAML file of the folder that goes upstream."""
    return yaml.safe_load((KIND / path).read_text("utf-8"))


HEALTH = load("health_test.yaml")["tests"]
ACTIONS = load("actions/action_test.yaml")


def run(script: str, resource: dict[str, Any]) -> Any:
    """What a script returns for an object."""
    lua = LuaRuntime(register_eval=False, register_builtins=False)
    for name in set(lua.globals()) - GIVEN:
        lua.globals()[name] = None
    lua.globals()["obj"] = lua.table_from(resource, recursive=True)
    return plain(lua.execute((KIND / script).read_text("utf-8")))


def plain(value: Any) -> Any:
    """Lua's tables as Python's: keys 1, 2, ... make a list."""
    if not hasattr(value, "items"):
        return value
    items = {key: plain(item) for key, item in value.items()}
    return list(items.values()) if 1 in items else items


def health(resource: dict[str, Any]) -> dict[str, str]:
    """Status and message."""
    found: dict[str, str] = run("health.lua", resource)
    return found


def condition(resource: dict[str, Any], type_: str) -> dict[str, Any]:
    """A condition of an object, to change it."""
    found: dict[str, Any] = next(c for c in resource["status"]["conditions"] if c["type"] == type_)
    return found


@pytest.mark.parametrize("case", HEALTH, ids=lambda case: case["inputPath"])
def test_a_recorded_object_has_the_health_that_argo_cd_itself_gives_it(case: Any) -> None:
    assert health(load(case["inputPath"])) == case["healthStatus"]


@pytest.mark.parametrize("case", HEALTH, ids=lambda case: case["inputPath"])
def test_a_recorded_object_has_the_health_that_its_name_begins_with(case: Any) -> None:
    name = case["inputPath"].removeprefix("testdata/")
    assert case["healthStatus"]["status"] == name.partition("_")[0].partition(".")[0].capitalize()


def test_every_recorded_object_is_a_case() -> None:
    recorded = {f"testdata/{path.name}" for path in (KIND / "testdata").glob("*.yaml")}
    assert recorded == {case["inputPath"] for case in HEALTH}


def test_a_condition_of_another_generation_does_not_count() -> None:
    resource = load("testdata/healthy.yaml")
    condition(resource, "Ready")["observedGeneration"] -= 1
    assert health(resource)["status"] == "Progressing"


@pytest.mark.parametrize(
    ("reason", "status"),
    [("Unreachable", "Degraded"), ("Throttled", "Progressing"), ("Progressing", "Progressing")],
)
def test_of_all_that_is_unknown_unreachable_alone_is_degraded(reason: str, status: str) -> None:
    resource = load("testdata/healthy.yaml")
    condition(resource, "Ready").update(status="Unknown", reason=reason, message="why")
    assert health(resource) == {"status": status, "message": "why"}


def test_a_pass_that_failed_and_is_tried_again_is_degraded() -> None:
    resource = load("testdata/degraded_retried.yaml")
    assert condition(resource, "Reconciling")["reason"] == "ProgressingWithRetry"
    assert health(resource)["status"] == "Degraded"


@pytest.mark.parametrize("reason", ["AwaitingApproval", "OutsideWindow"])
def test_drift_that_waits_for_a_person_or_a_window_is_degraded_and_says_so(reason: str) -> None:
    resource = load("testdata/healthy.yaml")
    condition(resource, "Ready").update(status="False", reason="Disabled", message="disabled")
    condition(resource, "InSync").update(status="False", reason=reason, message="plan 6f2c waits")
    message = f"disabled ({reason}: plan 6f2c waits)"
    assert health(resource) == {"status": "Degraded", "message": message}


def test_an_object_as_it_was_applied_is_progressing() -> None:
    resource = load("testdata/healthy.yaml")
    del resource["status"]
    assert health(resource)["status"] == "Progressing"


def test_what_is_stalled_and_suspended_is_suspended() -> None:
    resource = load("testdata/degraded_stalled.yaml")
    resource["spec"]["suspend"] = True
    assert health(resource)["status"] == "Suspended"


@pytest.mark.parametrize("case", ACTIONS["discoveryTests"], ids=lambda case: case["inputPath"])
def test_the_actions_that_make_sense_are_offered(case: Any) -> None:
    found = run("actions/discovery.lua", load(f"actions/{case['inputPath']}"))
    assert [{"name": name, **rest} for name, rest in sorted(found.items())] == sorted(
        case["result"], key=lambda one: str(one["name"])
    )


@pytest.mark.parametrize("case", ACTIONS["actionTests"], ids=lambda case: case["action"])
def test_an_action_changes_an_annotation_and_nothing_else(case: Any) -> None:
    before = load(f"actions/{case['inputPath']}")
    wanted = load(f"actions/{case['expectedOutputPath']}")
    found = run(f"actions/{case['action']}/action.lua", copy.deepcopy(before))
    for one in (found, wanted):
        if REQUESTED in one["metadata"]["annotations"]:
            one["metadata"]["annotations"][REQUESTED] = "a time"
    assert with_lists(found, wanted) == wanted
    assert found["spec"] == before["spec"]


def with_lists(found: Any, wanted: Any) -> Any:
    """Lua cannot tell an empty list from an empty map: take the wanted one."""
    if isinstance(found, dict):
        if not found and not wanted:
            return wanted
        return {key: with_lists(item, (wanted or {}).get(key)) for key, item in found.items()}
    return found


def test_an_action_works_on_an_object_without_annotations() -> None:
    resource = load("testdata/healthy.yaml")
    resource["metadata"].pop("annotations", None)
    found = run("actions/suspend/action.lua", resource)
    assert found["metadata"]["annotations"] == {"exchangepush.dev/suspended": "true"}
