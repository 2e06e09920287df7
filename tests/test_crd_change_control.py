"""approvedPlan and changeWindows as the API server takes and refuses them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from crd_lab import EXAMPLE, installed_crd
from lab.control_plane import ControlPlane

pytestmark = pytest.mark.lab

NAMESPACE = "crd-change-control"
WINDOW = {"days": ["Sat", "Sun"], "start": "22:00", "duration": "6h", "timeZone": "Europe/Berlin"}
APPROVE = {"managementPolicy": "Approve", "approvedPlan": "6f2c41d09b7e"}


@pytest.fixture(scope="module")
def api(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    with installed_crd(control_plane, NAMESPACE) as installed:
        yield installed


def answer(api: ControlPlane, **spec: Any) -> str:
    """What kubectl says of a resource with this at the top of its spec."""
    body = copy.deepcopy(EXAMPLE)
    body["metadata"] = {"name": "asked", "namespace": NAMESPACE}
    body["spec"].update(spec)
    told = api.run_kubectl(
        "create", "--dry-run=server", "-f", "-", input=json.dumps(body), check=False
    )
    return told.stdout + told.stderr


def window(**item: Any) -> dict[str, Any]:
    changed = {**WINDOW, **item}
    return {"changeWindows": [{key: value for key, value in changed.items() if value is not None}]}


@pytest.mark.parametrize(
    "spec",
    [
        APPROVE,
        {**APPROVE, "managementPolicy": "Manage"},  # one field lets it work without approval
        window(),
        window(days=["Mon"], start="00:00", duration="15m", timeZone="UTC"),
        window(duration="168h", timeZone="America/Argentina/Buenos_Aires"),
        window(timeZone="Etc/GMT+12"),
        {"changeWindows": [WINDOW] * 14},
    ],
    ids=str,
)
def test_it_takes(api: ControlPlane, spec: dict[str, Any]) -> None:
    assert "created (server dry run)" in answer(api, **spec)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"approvedPlan": "6F2C41D09B7E"}, "spec.approvedPlan"),
        ({"approvedPlan": "6f2c"}, "spec.approvedPlan"),
        ({**APPROVE, "deletionPolicy": "Disable"}, "set deletionPolicy to Retain"),
        ({"changeWindows": []}, "spec.changeWindows"),
        ({"changeWindows": [WINDOW] * 15}, "spec.changeWindows"),
        (window(days=[]), "spec.changeWindows[0].days"),
        (window(days=["Sat", "Sat"]), "spec.changeWindows[0].days"),
        (window(days=["Saturday"]), "spec.changeWindows[0].days[0]"),
        (window(start="24:00"), "spec.changeWindows[0].start"),
        (window(start="9:00"), "spec.changeWindows[0].start"),
        (window(duration="14m"), "a duration from 15m to 168h"),
        (window(duration="169h"), "a duration from 15m to 168h"),
        (window(duration="1d"), "spec.changeWindows[0].duration"),
        (window(timeZone="../zone"), "spec.changeWindows[0].timeZone"),
        *((window(**{name: None}), f"spec.changeWindows[0].{name}: Required") for name in WINDOW),
    ],
    ids=str,
)
def test_it_refuses_and_names_the_field(api: ControlPlane, spec: dict[str, Any], says: str) -> None:
    told = answer(api, **spec)
    assert "created" not in told
    assert says in told
