"""A certificate that is to be valid at once: its key first, then it, then what signs with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from answers import (
    AUTH,
    EX1,
    EX2,
    FABRIKAM,
    NEXT,
    NOW,
    SIGNING_SERVICES,
    advised,
    auth_config,
    component,
    config,
    days,
    entry,
    held,
    local,
    plan_of,
    seen,
    told,
)
from exchange_push_operator.core.certificate_store import LOCAL_CERTIFICATES
from exchange_push_operator.core.errors import GraphFailed, PushError, Throttled, Unreachable
from exchange_push_operator.core.looks import Observations
from exchange_push_operator.core.organization import AUTH_CONFIG, LOCAL_SERVER, component_states
from exchange_push_operator.core.ports import Identity
from exchange_push_operator.stages import principal_credential
from exchange_push_operator.stages.certificate import STAGE

ASSIGN = f"Set-AuthConfig -CertificateThumbprint '{AUTH.thumbprint}' -Force:$true -Confirm:$false"
WAITS = ("Unknown", "WaitsForKey", ())
GOES_ON = ("False", "NotFound", (ASSIGN,))
STORES = {name: {LOCAL_CERTIFICATES: [held(AUTH)]} for name in (EX1, EX2)}


# key first


def unassigned(keys: Sequence[Any] | PushError = (), **of_auth_config: Any) -> Observations:
    row = auth_config(None, **of_auth_config)
    return seen(organization={AUTH_CONFIG: [row]}, servers=STORES, keys=keys)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([], WAITS),
        ([entry(NEXT)], WAITS),
        ([entry(AUTH, endDateTime=days(-1))], WAITS),
        ([entry(AUTH)], GOES_ON),
        (Unreachable("no route"), WAITS),
        (Throttled("busy"), WAITS),
        (GraphFailed("no", status=403), GOES_ON),
        (GraphFailed("no such principal", status=404), GOES_ON),
    ],
    ids=[
        "holds nothing: it waits",
        "holds another one: it waits",
        "holds one that has expired: it waits",
        "holds it: it is assigned",
        "is out of reach for now: it waits",
        "is busy: it waits",
        "is not to be read: it does not wait",
        "does not exist: it does not wait",
    ],
)
def test_a_certificate_whose_principal(keys: Any, expected: object) -> None:
    assert told(plan_of(STAGE, config(), unassigned(keys))) == expected


def test_where_no_principal_is_managed_no_key_is_waited_for() -> None:
    asked = config({"principal": {"target": "None"}, "tenant": {"tenantId": FABRIKAM}})
    observed = seen(asked, organization={AUTH_CONFIG: [auth_config(None)]}, servers=STORES)
    assert told(plan_of(STAGE, asked, observed)) == GOES_ON


def test_an_identity_that_may_only_read_is_not_waited_for() -> None:
    reader = Identity(FABRIKAM, frozenset({"Application.Read.All"}))
    observed = replace(unassigned(), identity=reader)
    assert told(plan_of(STAGE, config(), observed)) == GOES_ON


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("ChangeRefused", GOES_ON),
        ("ChangeFailed", GOES_ON),
        ("Contended", GOES_ON),
        ("AwaitingAdministrator", GOES_ON),
        ("DriftDetected", WAITS),
        ("Settling", WAITS),
    ],
)
def test_exchange_without_a_certificate_is_worse_than_a_key_that_was_turned_down(
    reason: str, expected: object
) -> None:
    asked = config(status={"conditions": [{"type": "InSync", "status": "False", "reason": reason}]})
    assert told(plan_of(STAGE, asked, unassigned())) == expected


def test_the_principal_gets_the_key_of_the_certificate_that_is_to_be_assigned() -> None:
    (step,) = plan_of(principal_credential.STAGE, config(), unassigned()).steps
    assert step.summary.startswith(f"add {AUTH.thumbprint}")
    held_already = plan_of(principal_credential.STAGE, config(), unassigned([entry(AUTH)]))
    assert told(held_already) == ("True", "UpToDate", ())


def test_no_key_is_added_before_it_is_certain_which_certificate_it_is() -> None:
    several = {**STORES, EX1: {LOCAL_CERTIFICATES: [held(AUTH), held(NEXT)]}}
    row = {AUTH_CONFIG: [auth_config(None)]}
    for observed in (
        seen(organization=row, servers=several),
        seen(organization=row, servers=STORES, away=[EX2]),
    ):
        plan = plan_of(principal_credential.STAGE, config(), observed)
        assert told(plan) == ("Unknown", "WaitsForCertificate", ())


def test_one_that_is_staged_already_is_published_rather_than_another_assigned() -> None:
    stores = {name: {LOCAL_CERTIFICATES: [held(AUTH), held(NEXT)]} for name in (EX1, EX2)}
    row = auth_config(None, NextCertificateThumbprint=NEXT.thumbprint)
    observed = seen(organization={AUTH_CONFIG: [row]}, servers=stores, keys=[entry(NEXT)])
    command = "Set-AuthConfig -PublishCertificate:$true -Force:$true -Confirm:$false"
    assert told(plan_of(STAGE, config(), observed)) == ("False", "NotFound", (command,))


# restarts

CHANGED = "2026-11-21T08:55:00.0000000Z"
BEFORE, AFTER = "2026-11-21T08:54:59.0000000Z", "2026-11-21T08:55:00.0000000Z"
RESTARTS = (
    "Restart-Service -Name 'MSExchangeServiceHost'",
    "Restart-WebAppPool -Name 'MSExchangeOWAAppPool'",
    "Restart-WebAppPool -Name 'MSExchangeECPAppPool'",
)
VALID = ("True", "Valid", ())


def since(moment: str | None, **changes: Any) -> dict[str, Any]:
    return {**dict.fromkeys(SIGNING_SERVICES, moment), **changes}


def published(
    first: dict[str, Any], second: dict[str, Any], away: Sequence[str] = (), **of_auth_config: Any
) -> Observations:
    row = auth_config(**{"WhenChangedUTC": CHANGED, **of_auth_config})
    servers = {
        EX1: {LOCAL_SERVER: [local(EX1, **first)]},
        EX2: {LOCAL_SERVER: [local(EX2, **second)]},
    }
    return seen(organization={AUTH_CONFIG: [row]}, servers=servers, away=away)


def test_what_is_older_than_the_certificate_is_restarted_on_one_server_after_another() -> None:
    plan = plan_of(STAGE, config(), published(since(BEFORE), since(BEFORE)))
    assert told(plan) == ("False", "ServicesStale", RESTARTS)
    assert {step.server for step in plan.steps} == {EX1}
    assert all(step.alone for step in plan.steps)
    plan = plan_of(STAGE, config(), published(since(AFTER), since(BEFORE)))
    assert {step.server for step in plan.steps} == {EX2}
    assert told(plan_of(STAGE, config(), published(since(AFTER), since(AFTER)))) == VALID


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (since(AFTER, OwaPoolStartedUTC=BEFORE), RESTARTS[1:2]),
        (since(BEFORE, OwaPoolStartedUTC=None, EcpPoolStartedUTC=None), RESTARTS[:1]),
        (since(None), ()),
    ],
    ids=["only what is older", "not a pool that does not run", "nothing that does not run"],
)
def test_on_a_server_is_restarted(first: dict[str, Any], expected: tuple[str, ...]) -> None:
    plan = plan_of(STAGE, config(), published(first, since(AFTER)))
    assert tuple(step.text for step in plan.steps) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"WhenChangedUTC": "2026-11-21T08:00:00Z"},
        {"WhenChangedUTC": None},
        {"PreviousCertificateThumbprint": NEXT.thumbprint},
        {"NextCertificateThumbprint": AUTH.thumbprint},
    ],
    ids=["an hour ago", "nobody knows when", "by a roll-over", "with one to come"],
)
def test_nothing_is_restarted_for_a_change_of_auth_config(changes: dict[str, Any]) -> None:
    observed = published(since("2026-11-20T09:00:00Z"), since(BEFORE), **changes)
    assert told(plan_of(STAGE, config(), observed)) == VALID


def status(reason: str, thumbprint: str = AUTH.thumbprint) -> dict[str, Any]:
    ready = {"type": "CertificateReady", "status": "True", "reason": reason}
    return {"certificate": {"thumbprint": thumbprint}, "conditions": [ready]}


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (status("Valid"), "Valid"),
        ({"certificate": {"thumbprint": AUTH.thumbprint}}, "Valid"),
        (status("ServicesStale"), "ServicesStale"),
        (status("Settling"), "ServicesStale"),
        (status("Valid", NEXT.thumbprint), "ServicesStale"),
    ],
    ids=[
        "named it as valid: something else has changed",
        "named it when the organisation was met",
        "was not done with the restarts",
        "waited for one of them",
        "named another one",
    ],
)
def test_a_restart_where_status(before: dict[str, Any], expected: str) -> None:
    plan = plan_of(STAGE, config(status=before), published(since(BEFORE), since(BEFORE)))
    assert plan.finding.reason == expected


def test_a_server_whose_clock_is_behind_the_change_waits_or_would_be_restarted_again() -> None:
    behind = since(BEFORE, TimeUTC="2026-11-21T08:54:59Z")
    plan = plan_of(STAGE, config(), published(behind, since(BEFORE)))
    assert told(plan) == ("Unknown", "Settling", ())


def test_a_server_without_a_clock_is_left_alone() -> None:
    observed = published(since(BEFORE, TimeUTC=None), since(AFTER))
    assert told(plan_of(STAGE, config(), observed)) == VALID


def test_nothing_is_restarted_while_a_listed_server_is_away() -> None:
    plan = plan_of(STAGE, config(), published(since(BEFORE), since(BEFORE), away=[EX2]))
    assert told(plan) == VALID
    assert advised(plan) == {"RestartOwed"}


def test_nothing_is_restarted_where_the_user_says_never() -> None:
    asked = config({"certificate": {"restartServices": "Never"}})
    plan = plan_of(STAGE, asked, published(since(BEFORE), since(AFTER)))
    assert told(plan) == VALID
    assert advised(plan) == {"RestartOwed"}


def test_a_server_in_maintenance_is_not_restarted() -> None:
    row = auth_config(WhenChangedUTC=CHANGED)
    servers = {
        EX1: {
            LOCAL_SERVER: [local(EX1, **since(BEFORE))],
            component_states(EX1): [component(state="Inactive")],
        },
        EX2: {LOCAL_SERVER: [local(EX2, **since(BEFORE))]},
    }
    plan = plan_of(STAGE, config(), seen(organization={AUTH_CONFIG: [row]}, servers=servers))
    assert {step.server for step in plan.steps} == {EX2}


def test_the_time_of_the_operator_has_no_say() -> None:
    observed = published(since(BEFORE), since(BEFORE))
    later = NOW.replace(year=2027)
    assert plan_of(STAGE, config(), observed, later) == plan_of(STAGE, config(), observed)
