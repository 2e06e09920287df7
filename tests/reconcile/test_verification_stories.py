"""Verification as it happens: probes, second opinions, health managers, lives of the operator."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from answers import EX1, EX2, EX3
from lab.exchange.directory import PushProxy
from lab.exchange.faults import set_fault
from lab.exchange.runner import administrator
from lab.in_process import Lab, Operator, lab

pytestmark = pytest.mark.lab

RESTART = "Restart-Service"
THREE = {"exchange": {"servers": [{"name": name} for name in (EX1, EX2, EX3)]}}


def ready(spec: dict[str, Any] | None = None, **options: Any) -> tuple[Lab, Operator]:
    outside = lab(spec, **options)
    operator = outside.operator()
    operator.run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    return outside, operator


def tomorrow(outside: Lab, operator: Operator) -> None:
    """The next pass in which every server is probed again."""
    outside.clock.forward(hours=25)
    operator.step()


def asked(operator: Operator, name: str) -> list[str]:
    """The servers on which a cmdlet was run."""
    return [
        server
        for server, batch, _ in operator.exchange.requests
        for text in batch
        if text.startswith(name)
    ]


def row(outside: Lab, name: str = EX1) -> dict[str, Any]:
    found: dict[str, Any] = next(r for r in outside.status["servers"] if r["name"] == name)
    return found


def restarted(outside: Lab) -> list[str]:
    return [c.server for c in outside.organization.changes if c.cmdlet == RESTART]


# the proxy, as far as it can be seen


def test_a_proxy_that_was_never_configured_is_enabled() -> None:
    outside = lab()
    outside.organization.view().remove(PushProxy, PushProxy().name)
    for look in ("nothing", "asked", "object"):
        set_fault(outside.organization, "proxy_look", look)
        outside.operator(read_only=True).run()
        assert outside.condition("ProxyReady") == ("False", "Disabled")
    outside.operator().run()
    assert outside.condition("Ready") == ("True", "Succeeded")


@pytest.mark.parametrize("look", ["asked", "nothing"])
@pytest.mark.parametrize("state", ["Enabled", "Disabled"])
def test_a_proxy_that_is_not_shown_as_it_is_stored_is_not_written_to(look: str, state: str) -> None:
    outside = lab({"proxy": {"state": state}})
    set_fault(outside.organization, "proxy_look", look)
    outside.operator().run()
    assert outside.condition("ProxyReady") == ("Unknown", "NotObserved")
    written = {change.cmdlet for change in outside.organization.changes}
    assert not any("PushNotificationProxy" in name for name in written)


def test_a_directory_that_cannot_be_read_leaves_microsofts_own_way() -> None:
    outside = lab()
    set_fault(outside.organization, "directory_unreadable", value=True)
    outside.operator().run()
    assert outside.condition("Ready") == ("True", "Succeeded")


def test_a_look_that_shows_the_wish_for_the_state_does_not_make_it_ready() -> None:
    """The one case that no look can tell: only the probe does."""
    outside, operator = ready()
    outside.administrator("Disable-PushNotificationProxy", Confirm=False)
    set_fault(outside.organization, "proxy_look", "edited")
    tomorrow(outside, operator)
    outside.clock.forward(hours=1)
    operator.run()
    assert outside.condition("Ready")[0] == "False"


# why a probe fails


@pytest.mark.parametrize("culture", ["en-US", "de-DE", "zh-CN"])
@pytest.mark.parametrize(
    ("fault", "value", "reason"),
    [
        ("outbound_blocked", True, "NoConnection"),
        ("push_component_inactive", True, "ComponentInactive"),
        ("health_manager_stopped", True, "HealthManagerStopped"),
        ("clock_skew", 7200.0, "ClockDiffers"),
    ],
)
def test_a_trouble_of_one_server_is_named_in_any_language(
    fault: str, value: Any, reason: str, culture: str
) -> None:
    outside, operator = ready()
    set_fault(outside.organization, "culture", culture)
    set_fault(outside.organization, fault, value, server=EX1)
    tomorrow(outside, operator)
    assert outside.condition("Verified") == ("False", reason)
    assert (row(outside)["probe"], row(outside)["reason"]) == ("Failed", reason)
    assert row(outside, EX2)["probe"] == "Succeeded"


@pytest.mark.parametrize(
    ("status", "reason"), [(401, "PushUnauthorized"), (403, "PushForbidden"), (503, "ProbeFailed")]
)
def test_a_push_service_at_fault_is_told_from_a_token_at_fault(status: int, reason: str) -> None:
    outside, operator = ready()
    outside.microsoft365.set_fault("push_failure", {"status": status})
    tomorrow(outside, operator)
    assert outside.condition("Verified") == ("False", reason)
    assert row(outside)["probeError"].endswith("Test-OAuthConnectivity: Success")


def test_a_probe_that_keeps_failing_is_told_once() -> None:
    outside, operator = ready()
    outside.microsoft365.set_fault("push_failure", {"status": 403})
    tomorrow(outside, operator)
    told = outside.status
    outside.clock.forward(minutes=10)
    outcome = operator.step()
    assert outside.status == told
    assert outcome.events == ()


def test_a_second_opinion_is_asked_where_a_probe_failed_and_nowhere_else() -> None:
    outside, operator = ready()
    operator.exchange.requests.clear()
    set_fault(outside.organization, "push_component_inactive", value=True, server=EX2)
    tomorrow(outside, operator)
    assert asked(operator, "Test-OAuthConnectivity") == [EX2]


def test_a_second_opinion_that_is_not_granted_is_done_without() -> None:
    outside, operator = ready()
    set_fault(outside.organization, "denied_cmdlets", ["Test-OAuthConnectivity"])
    outside.microsoft365.set_fault("push_failure", {"status": 401})
    tomorrow(outside, operator)
    assert outside.condition("Verified") == ("False", "PushUnauthorized")
    assert "Test-OAuthConnectivity" not in row(outside)["probeError"]


# health managers


def test_health_managers_are_restarted_one_after_the_other_each_when_the_last_has_loaded() -> None:
    outside = lab(THREE, servers=3)
    set_fault(outside.organization, "probe_warmup", 100)
    operator = outside.operator()
    seen = []
    for _ in range(12):
        operator.step()
        seen.append(len(restarted(outside)))
        outside.clock.forward(seconds=60)
    assert restarted(outside) == [EX1, EX2, EX3]
    assert all(after - before <= 1 for before, after in pairwise(seen))
    assert seen.count(1) >= 2
    assert outside.condition("Ready") == ("True", "Succeeded")


def test_no_health_manager_is_restarted_twice_for_one_change_also_by_a_new_life() -> None:
    outside = lab(THREE, servers=3)
    set_fault(outside.organization, "probe_warmup", 100)
    for _ in range(12):
        outside.operator().step()
        outside.clock.forward(seconds=60)
    assert restarted(outside) == [EX1, EX2, EX3]
    assert outside.condition("Ready") == ("True", "Succeeded")


def test_a_health_manager_that_is_young_enough_is_left_alone() -> None:
    outside, operator = ready()
    before = restarted(outside)
    outside.microsoft365.set_fault("push_failure", {"status": 403})
    tomorrow(outside, operator)
    outside.clock.forward(minutes=10)
    operator.step()
    assert restarted(outside) == before


# lives of the operator


@pytest.mark.parametrize(("chance", "hours"), [(0.0, 24), (0.25, 18), (0.99, 1)])
def test_after_a_start_a_success_counts_as_a_probe_at_a_random_point(
    chance: float, hours: int
) -> None:
    outside, _ = ready()
    outside.clock.forward(hours=100)
    outside.operator().step()
    operator = outside.operator(chance=chance)
    passed = 0
    while not asked(operator, "Invoke-MonitoringProbe"):
        operator.step()
        outside.clock.forward(hours=1)
        passed += 1
    assert passed - 1 == hours


def test_after_a_start_nothing_is_probed_at_once_however_old_the_condition_is() -> None:
    outside, _ = ready()
    outside.clock.now += timedelta(days=30)
    operator = outside.operator()
    operator.step()
    assert asked(operator, "Invoke-MonitoringProbe") == []


def test_a_change_voids_what_status_says_also_in_the_first_pass_of_a_life() -> None:
    outside, _ = ready()
    outside.clock.forward(hours=2)
    administrator(outside.organization).run(
        "Set-AuthServer", Identity="MicrosoftSts", Enabled=False
    )
    operator = outside.operator()
    operator.run()
    assert set(asked(operator, "Invoke-MonitoringProbe")) == {EX1, EX2}
