"""The operator killed (SIGKILL) in the middle of a call, and started again (safety rule 5)."""

from __future__ import annotations

from typing import Any

import pytest

from end_to_end.looking import assert_configured, assert_nothing_twice
from lab import wait
from lab.running import RunningLab

# All that it takes to configure a fresh organisation without a certificate.
CHANGES = (
    "New-ExchangeCertificate",
    "Set-AuthConfig",
    "New-AuthServer",
    "PATCH",
    "Enable-PushNotificationProxy",
    "Restart-Service",
)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("change", CHANGES)
def test_killed_in_a_change_and_started_again_it_ends_in_the_same_state(
    running_lab: RunningLab, change: str, when: str
) -> None:
    lab = running_lab
    lab.control.post("/reset", authCertificate=False)
    lab.control.post("/hold", matching=change, when=when, changes=True)
    lab.apply()
    wait.until(lambda: held_call(lab), 30, f"{change} to be held")

    lab.kill_operator()
    lab.control.post("/release")
    lab.start_operator(*lab.operator_flags)
    lab.wait_ready()

    assert_configured(lab)
    assert_nothing_twice(lab)


@pytest.mark.parametrize("number", [1, 2, 4])
def test_killed_while_it_looks_and_started_again_it_ends_in_the_same_state(
    running_lab: RunningLab, number: int
) -> None:
    lab = running_lab
    lab.control.post("/reset", authCertificate=False)
    lab.control.post("/hold", number=number, when="after", changes=False)
    lab.apply()
    wait.until(lambda: held_call(lab), 30, "a call to be held")

    lab.kill_operator()
    lab.control.post("/release")
    lab.start_operator(*lab.operator_flags)
    lab.wait_ready()

    assert_configured(lab)
    assert_nothing_twice(lab)


def held_call(lab: RunningLab) -> str:
    state: dict[str, Any] = lab.control.get("/hold")
    return str(state["held"] or "")
