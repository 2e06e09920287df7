"""What happens to keys under every fault of Microsoft Graph: looked at before it is repeated."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from exchange_push_operator.core.commands import GraphRequest
from exchange_push_operator.core.ports import GraphAccess, Identity
from lab.in_process import BY_SECRET, Lab, lab
from lab.microsoft365.directory import KeyCredential
from lab.microsoft365.sample import principal

pytestmark = pytest.mark.lab


def failing(status: int, **more: Any) -> dict[str, Any]:
    return {"status": status, "times": 1, "method": "PATCH", **more}


WRITES: dict[str, tuple[str, Any]] = {
    "none": ("read_lag", 0),
    "429 with Retry-After": ("graph_failure", failing(429, retryAfter=20)),
    "429 without": ("graph_failure", failing(429)),
    "503 with Retry-After": ("graph_failure", failing(503, retryAfter=20)),
    "503 without": ("graph_failure", failing(503)),
    "500": ("graph_failure", failing(500)),
    "502": ("graph_failure", failing(502)),
    "504": ("graph_failure", failing(504)),
    "reset before": ("graph_failure", failing(0)),
    "reset after it was applied": ("reset_after_patch", 1),
    "409": ("concurrency_violation", 1),
}
LAGS = (0, 4)
IDS = {"the id that we chose": False, "an id of its own": True}
MATRIX = list(itertools.product(WRITES, LAGS, IDS))


def entries(outside: Lab) -> list[KeyCredential]:
    return list(principal(outside.microsoft365).keys)


def writes(outside: Lab) -> list[str]:
    return [line for line in outside.microsoft365.requests() if line.startswith("PATCH")]


@pytest.mark.parametrize(
    ("write", "lag", "chosen"),
    MATRIX,
    ids=[f"{write}, lag {lag}, {chosen}" for write, lag, chosen in MATRIX],
)
def test_one_key_is_added_and_every_other_stays(write: str, lag: int, chosen: str) -> None:
    outside = lab(BY_SECRET)
    before = entries(outside)
    outside.microsoft365.set_fault("read_lag", lag)
    outside.microsoft365.set_fault("assign_own_key_id", IDS[chosen])
    outside.microsoft365.set_fault(*WRITES[write])
    operator = outside.operator()
    for _ in range(30):
        operator.step()
        outside.clock.forward(seconds=30)
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert all(key in entries(outside) for key in before)
    (ours,) = (key for key in entries(outside) if key not in before)
    assert ours.sha1.hex().upper() == outside.status["certificate"]["thumbprint"]
    applied = write in {"none", "reset after it was applied"}
    assert len(writes(outside)) == (1 if applied else 2)


@pytest.mark.parametrize("retry_after", [5, 90, 600])
def test_a_write_is_not_repeated_sooner_than_graph_asks(retry_after: int) -> None:
    outside = lab()
    outside.microsoft365.set_fault("graph_failure", failing(429, retryAfter=retry_after))
    outcomes = outside.operator().run(most=2)
    assert outcomes[-1].requeue.at_least == retry_after
    assert len(writes(outside)) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 0])
def test_a_read_that_fails_is_no_empty_list(status: int) -> None:
    outside = lab()
    operator = outside.operator()
    operator.step()
    fault = {"status": status, "times": None, "method": "GET"}
    outside.microsoft365.set_fault("graph_failure", fault)
    for _ in range(4):
        operator.step()
        outside.clock.forward(minutes=4)
    assert writes(outside) == []
    assert outside.condition("PrincipalCredentialReady")[0] == "Unknown"
    outside.microsoft365.set_fault("graph_failure", None)
    operator.run()
    assert len(writes(outside)) == 1
    assert outside.condition("Ready") == ("True", "Succeeded")


def test_a_read_back_that_fails_takes_nothing_back() -> None:
    """The change is made; the next look tells."""
    outside = lab()

    def lost_after_the_write() -> None:
        if writes(outside) and not outside.microsoft365.faults["graph_failure"]:
            outside.microsoft365.set_fault("graph_failure", {"status": 503, "times": 1})

    operator = outside.operator(after=lost_after_the_write)
    operator.step()
    operator.step()
    outside.microsoft365.set_fault("graph_failure", None)
    outside.operator().run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert len(writes(outside)) == 1


@pytest.mark.parametrize(
    ("switch", "value", "reason"),
    [
        ("first_party_locked", True, "PrincipalLocked"),
        ("instance_property_lock", True, "PrincipalLocked"),
        ("app_policy", "CredentialTypeNotAllowedAsPerAppPolicy", "BlockedByTenantPolicy"),
        ("app_policy", "CredentialInvalidLifetimeAsPerAppPolicy", "BlockedByTenantPolicy"),
        ("max_keys", 1, "TooManyKeys"),
        ("conditional_access", True, "AccessDenied"),
    ],
    ids=["403 by design", "property lock", "kind", "lifetime", "too many keys", "blocked"],
)
def test_a_refusal_is_named_and_forgotten_once_it_is_cured(
    switch: str, value: Any, reason: str
) -> None:
    outside = lab()
    outside.microsoft365.set_fault(switch, value)
    operator = outside.operator()
    operator.run()
    assert outside.condition("Stalled") == ("True", reason)
    outside.microsoft365.set_fault(switch, None)
    outside.clock.forward(minutes=10)
    operator.run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert outside.condition("Stalled") == ("", "")


def test_a_tenant_without_exchange_online_is_named() -> None:
    outside = lab()
    outside.microsoft365.set_fault("not_provisioned", value=True)
    outside.operator().run()
    assert outside.condition("PrincipalCredentialReady") == ("False", "PrincipalNotFound")
    assert writes(outside) == []


def test_a_display_name_that_entra_id_drops_is_not_fought_over() -> None:
    outside = lab()
    outside.microsoft365.set_fault("drop_display_name", value=True)
    operator = outside.operator()
    operator.run()
    holder = principal(outside.microsoft365)
    holder.keys = tuple(replace(key, display_name=None) for key in holder.keys)
    for _ in range(3):
        operator.step()
    assert len(writes(outside)) == 1
    assert outside.condition("Ready") == ("True", "Succeeded")


def test_one_key_is_added_although_graph_tells_no_more_of_it_than_its_id() -> None:
    outside = lab(BY_SECRET)
    operator = outside.operator()
    real = operator.world.graph

    class Hiding:
        def __init__(self, access: GraphAccess) -> None:
            self.graph = real(access)

        def identity(self, *, since: datetime | None = None) -> Identity:
            return self.graph.identity(since=since)

        def send(self, request: GraphRequest) -> Mapping[str, Any]:
            answer = dict(self.graph.send(request))
            hidden = {"key": None, "customKeyIdentifier": None}
            listed = answer.get("keyCredentials") or ()
            return {**answer, "keyCredentials": [{**entry, **hidden} for entry in listed]}

    operator.world = replace(operator.world, graph=Hiding)
    before = len(entries(outside))
    for _ in range(4):
        operator.run()
        outside.clock.forward(hours=2)
    assert len(entries(outside)) == before + 1
    assert len(writes(outside)) == 1
    assert outside.condition("Ready") == ("True", "Succeeded")


SILENT = {"status": 503, "times": None, "method": "GET"}


def test_a_short_silence_of_graph_is_no_news_and_is_asked_again_soon() -> None:
    outside = lab()
    operator = outside.operator()
    operator.run()
    before = outside.status
    outside.microsoft365.set_fault("graph_failure", SILENT)
    outside.clock.forward(minutes=70)

    for _ in range(4):
        outcome = operator.step()
        assert outcome.requeue.kind == "retry"
        outside.clock.forward(minutes=1)

    assert outside.status == before
    outside.clock.forward(minutes=2)
    operator.step()
    assert outside.condition("PrincipalCredentialReady") == ("Unknown", "Unreachable")
    assert outside.condition("Ready") == ("Unknown", "Unreachable")
    assert outside.condition("InSync") == ("Unknown", "Unreachable")


def test_what_is_wrong_elsewhere_is_mended_while_graph_is_silent() -> None:
    outside = lab()
    operator = outside.operator()
    operator.run()
    outside.microsoft365.set_fault("graph_failure", SILENT)
    outside.administrator("Disable-PushNotificationProxy", Confirm=False)
    outside.clock.forward(minutes=70)

    outcome = operator.step()

    assert any("Enable-PushNotificationProxy" in one for one in outcome.changes)
    assert outside.condition("Ready") == ("True", "Succeeded")


def test_a_look_is_not_repeated_sooner_than_graph_asks() -> None:
    outside = lab()
    operator = outside.operator()
    operator.run()
    throttled = {"status": 429, "times": None, "method": "GET", "retryAfter": 600}
    outside.microsoft365.set_fault("graph_failure", throttled)

    assert operator.step().requeue.at_least == 600
