"""status.planHash: the same for the same steps on the same observation, whoever looks."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings

from any_organization import case
from lab.in_process import BY_SECRET, Lab, lab
from properties.plan_hashes import hashes
from properties.test_drift import DRIFTED, DRIFTS

pytestmark = pytest.mark.lab


def reversed_keys(value: Any) -> Any:
    """The same JSON with the fields of every object the other way round."""
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    if isinstance(value, list):
        return [reversed_keys(item) for item in value]
    return value


def test_another_replica_comes_to_the_same_hashes() -> None:
    """Sets and strings have another order in every process: PYTHONHASHSEED decides it."""
    cases = [case(number) for number in range(30)]
    told = pickle.dumps(cases)
    here = hashes(cases)
    assert len(set(here)) > 10
    for seed in ("0", "4711"):
        done = subprocess.run(
            [sys.executable, "-m", "properties.plan_hashes"],
            input=told,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        )
        assert done.stdout.decode().split() == here, f"PYTHONHASHSEED={seed}"


@settings(max_examples=8)
@given(DRIFTED)
def test_a_restart_and_the_order_of_fields_leave_what_is_published(
    drifts: list[Callable[[Lab], None]],
) -> None:
    outside = lab(BY_SECRET)
    outside.operator().run()
    outside.clock.forward(hours=2)
    outside.edit({**BY_SECRET, "managementPolicy": "Approve"})
    for drift in sorted(drifts, key=DRIFTS.index):
        drift(outside)
    operator = outside.operator()
    operator.run()
    published = outside.status
    assert published["planHash"]
    for again in (operator, outside.operator(), outside.operator()):
        outside.clock.forward(hours=1)
        outside.resource = reversed_keys(outside.resource)
        again.run()
        assert outside.status == published
