"""Deletion: what is undone, what stays, what is waited for and for how long.

docs/deletion.md has the same as a table. Whatever is not asked for leaves everything as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from exchange_push_operator.core.config import ABANDON, FINALIZER, SUSPENDED
from exchange_push_operator.reconcile import Outcome
from exchange_push_operator.reconcile.deletion import DEADLINE
from lab.exchange.build import add_auth_certificate
from lab.exchange.faults import set_fault
from lab.in_process import OLDER, Lab, Operator, lab
from lab.microsoft365.sample import CLIENT, FABRIKAM

pytestmark = pytest.mark.lab

DISABLE = {"deletionPolicy": "Disable"}
RETAIN = {"deletionPolicy": "Retain"}
OVERDUE = DEADLINE + timedelta(seconds=1)


def ready(spec: dict[str, Any] | None = None) -> tuple[Lab, Operator]:
    outside = lab(spec or DISABLE)
    operator = outside.operator()
    operator.run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    return outside, operator


def cmdlets(outside: Lab) -> list[str]:
    return [change.cmdlet for change in outside.organization.changes]


def told(outcomes: list[Outcome]) -> list[tuple[str, str]]:
    return [(event.type, event.reason) for outcome in outcomes for event in outcome.events]


def forget_the_certificate(outside: Lab) -> None:
    """Two others follow: the first makes ours the previous one, the second forgets it."""
    for _ in range(2):
        outside.administrator(
            "Set-AuthConfig",
            CertificateThumbprint=add_auth_certificate(outside.organization),
            Force=True,
            Confirm=False,
        )


def reach_nobody(outside: Lab) -> None:
    set_fault(outside.organization, "down", value=True)


def lose_the_secret(outside: Lab) -> None:
    del outside.secrets["fabrikam-exchange"]


def withdraw_the_policy(outside: Lab) -> None:
    outside.policy = {}


def lose_the_tenant(outside: Lab) -> None:
    outside.resource["spec"]["tenant"]["domain"] = "nobody.example"


def refuse_the_cmdlet(outside: Lab) -> None:
    set_fault(outside.organization, "denied_cmdlets", ["Disable-PushNotificationProxy"])


def hide_the_proxy(outside: Lab) -> None:
    set_fault(outside.organization, "proxy_look", "nothing")


def test_retain_leaves_no_finalizer_and_nobody_is_waited_for() -> None:
    outside, _ = ready(RETAIN)
    before = outside.outside()
    outside.delete()
    assert outside.deleted  # by the API server alone
    assert outside.outside() == before


def test_the_finalizer_is_there_before_anything_is_changed() -> None:
    outside = lab(DISABLE)
    outcome = outside.operator().step()
    assert outcome.finalizer is True
    assert outside.microsoft365.requests() == ()
    assert cmdlets(outside) == []


@pytest.mark.parametrize("how", ["suspended", "read-only"])
def test_who_changes_nothing_puts_no_finalizer_on(how: str) -> None:
    outside = lab({**DISABLE, "suspend": how == "suspended"})
    Operator(outside, read_only=how == "read-only").run()
    assert "finalizers" not in outside.resource["metadata"]


def test_the_proxy_is_switched_off_and_the_key_in_use_stays_with_an_event() -> None:
    outside, operator = ready()
    keys, exchange = outside.key_credentials(), outside.exchange()
    outside.delete()
    outcomes = operator.run()
    assert outside.deleted
    assert outside.exchange()["proxy"]["enabled"] is False
    assert outside.key_credentials() == keys
    assert told(outcomes) == [("Normal", "ProxyDisabled"), ("Normal", "LeftInPlace")]
    assert "AuthConfig names its certificate" in outcomes[-1].events[-1].message
    for untouched in ("authConfig", "authServers", "partnerApplications"):
        assert outside.exchange()[untouched] == exchange[untouched]


def test_our_key_goes_once_its_certificate_is_named_nowhere_and_the_others_stay() -> None:
    outside, operator = ready()
    forget_the_certificate(outside)
    outside.delete()
    outcomes = operator.run()
    assert outside.deleted
    assert len(outside.key_credentials()) == 1
    assert ("Normal", "KeyCredentialRemoved") in told(outcomes)
    assert ("Normal", "LeftInPlace") not in told(outcomes)


def test_a_key_that_our_identity_may_not_write_is_the_administrators() -> None:
    outside, operator = ready()
    forget_the_certificate(outside)
    keys = outside.key_credentials()
    outside.microsoft365.grant(FABRIKAM, CLIENT, ["Application.Read.All"])
    outside.clock.forward(hours=2)  # the token that could write has ended
    outside.delete()
    outcomes = operator.run()
    assert outside.deleted
    assert outside.key_credentials() == keys
    assert "an administrator does it" in outcomes[-1].events[-1].message


def test_a_proxy_that_somebody_pointed_elsewhere_is_theirs() -> None:
    outside, operator = ready()
    outside.administrator(
        "Enable-PushNotificationProxy",
        Organization="contoso.com",
        Uri="https://push.contoso.com/",
        Confirm=False,
    )
    outside.delete()
    outcomes = operator.run()
    assert outside.deleted
    assert outside.exchange()["proxy"]["organization"] == "contoso.com"
    assert [event.reason for event in outcomes[-1].events] == ["LeftInPlace"] * 2


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (reach_nobody, "Deleting"),
        (lose_the_tenant, "Deleting"),
        (hide_the_proxy, "Deleting"),
        (lose_the_secret, "SecretNotFound"),
        (withdraw_the_policy, "NotAllowedByPolicy"),
        (refuse_the_cmdlet, "AccessDenied"),
    ],
)
def test_a_deletion_that_cannot_be_finished_waits_says_why_and_may_be_abandoned(
    trouble: Callable[[Lab], None], reason: str
) -> None:
    outside, operator = ready()
    trouble(outside)
    outside.delete()
    outcomes = operator.run()
    assert not outside.deleted
    assert outside.condition("Ready") == ("False", reason)
    stalled = reason != "Deleting"
    assert outside.condition("Stalled") == (("True", reason) if stalled else ("", ""))
    assert outside.condition("Reconciling") == (("", "") if stalled else ("True", "Deleting"))
    assert (("Warning", reason) in told(outcomes)) is stalled
    message = next(c["message"] for c in outside.status["conditions"] if c["type"] == "Ready")
    assert f"the annotation {ABANDON}=true lets it go as it is" in message

    outside.annotate(ABANDON, "true")
    assert told(operator.run()) == [("Warning", "Abandoned")]
    assert outside.deleted
    assert outside.exchange()["proxy"]["enabled"] is True


def test_only_true_abandons() -> None:
    outside, operator = ready()
    reach_nobody(outside)
    outside.delete()
    outside.annotate(ABANDON, "false")
    operator.run()
    assert not outside.deleted


@pytest.mark.parametrize("trouble", [reach_nobody, lose_the_tenant, hide_the_proxy])
def test_what_takes_longer_than_the_deadline_stalls_and_is_tried_on(
    trouble: Callable[[Lab], None],
) -> None:
    outside, operator = ready()
    trouble(outside)
    outside.delete()
    operator.run()
    outside.clock.forward(seconds=OVERDUE.total_seconds())
    outcome = operator.step()
    assert outside.condition("Stalled") == ("True", "DeletionTimedOut")
    assert outside.condition("Ready") == ("False", "DeletionTimedOut")
    assert outside.condition("Reconciling") == ("", "")
    assert [event.reason for event in outcome.events] == ["DeletionTimedOut"]
    assert outcome.requeue.kind == "stalled"
    assert operator.step().events == ()


def test_a_deletion_that_timed_out_ends_by_itself_once_it_can() -> None:
    outside, operator = ready()
    reach_nobody(outside)
    outside.delete()
    outside.clock.forward(seconds=OVERDUE.total_seconds())
    operator.run()
    set_fault(outside.organization, "down", value=False)
    operator.run()
    assert outside.deleted
    assert outside.exchange()["proxy"]["enabled"] is False


def test_a_long_retry_interval_does_not_put_the_deadline_off() -> None:
    outside, operator = ready({**DISABLE, "retryInterval": "1h"})
    reach_nobody(outside)
    outside.delete()
    outside.clock.forward(minutes=9)
    assert operator.step().requeue.retry_interval == 60


def test_a_reason_that_a_person_can_cure_is_not_covered_up_by_the_deadline() -> None:
    outside, operator = ready()
    lose_the_secret(outside)
    outside.delete()
    outside.clock.forward(seconds=OVERDUE.total_seconds())
    operator.run()
    assert outside.condition("Stalled") == ("True", "SecretNotFound")


def test_a_policy_that_becomes_retain_takes_the_finalizer_off() -> None:
    outside, operator = ready()
    assert outside.resource["metadata"]["finalizers"] == [FINALIZER]
    outside.edit(RETAIN)
    operator.run()
    assert "finalizers" not in outside.resource["metadata"]


@pytest.mark.parametrize("state", ["deleting", "suspended", "read-only", "unreachable"])
def test_retain_takes_the_finalizer_off_in_every_state(state: str) -> None:
    outside, operator = ready()
    outside.resource["spec"]["deletionPolicy"] = "Retain"
    if state == "deleting":
        outside.delete()
    elif state == "suspended":
        outside.annotate(SUSPENDED, "true")
    elif state == "unreachable":
        reach_nobody(outside)
    else:
        operator = Operator(outside, read_only=True)
    operator.run()
    assert "finalizers" not in outside.resource["metadata"]
    assert outside.exchange()["proxy"]["enabled"] is True


def test_a_suspended_resource_waits_until_it_is_resumed() -> None:
    outside, operator = ready()
    outside.annotate(SUSPENDED, "true")
    outside.delete()
    calls = operator.exchange.calls
    operator.run()
    assert not outside.deleted
    assert operator.exchange.calls == calls
    assert outside.condition("Ready") == ("Unknown", "Suspended")
    outside.annotate(SUSPENDED, "false")
    operator.run()
    assert outside.deleted
    assert outside.exchange()["proxy"]["enabled"] is False


def test_a_suspended_resource_may_be_abandoned() -> None:
    outside, operator = ready()
    outside.annotate(SUSPENDED, "true")
    outside.annotate(ABANDON, "true")
    outside.delete()
    operator.run()
    assert outside.deleted


def test_the_annotation_alone_does_nothing_before_the_deletion() -> None:
    outside, operator = ready()
    outside.annotate(ABANDON, "true")
    operator.run()
    assert outside.resource["metadata"]["finalizers"] == [FINALIZER]


def test_a_read_only_operator_undoes_nothing_and_says_so() -> None:
    outside, _ = ready()
    made = cmdlets(outside)
    outside.delete()
    Operator(outside, read_only=True).run()
    assert not outside.deleted
    assert cmdlets(outside) == made
    assert outside.condition("Ready") == ("False", "Deleting")
    outside.operator().run()
    assert outside.deleted


@pytest.mark.parametrize("trouble", [reach_nobody, lose_the_secret, withdraw_the_policy])
def test_what_has_never_claimed_an_organisation_has_nothing_to_undo(
    trouble: Callable[[Lab], None],
) -> None:
    outside = lab(DISABLE)
    trouble(outside)
    operator = outside.operator()
    operator.run()
    assert outside.resource["metadata"]["finalizers"] == [FINALIZER]
    outside.delete()
    assert told(operator.run()) == [("Normal", "NothingToUndo")]
    assert outside.deleted


@pytest.mark.parametrize("trouble", [None, reach_nobody, lose_the_secret])
def test_the_loser_of_a_conflict_has_nothing_to_undo(
    trouble: Callable[[Lab], None] | None,
) -> None:
    outside = lab(DISABLE)
    outside.peers = [OLDER]
    operator = outside.operator()
    operator.run()
    assert outside.condition("Stalled") == ("True", "ConflictingConfig")
    if trouble:
        trouble(outside)
    outside.delete()
    outcomes = operator.run()
    assert outside.deleted
    assert "other/first describes the same organization" in outcomes[-1].events[0].message
    assert cmdlets(outside) == []


def test_in_an_organisation_that_it_did_not_claim_nothing_is_undone() -> None:
    outside, operator = ready()
    outside.resource["status"]["organizationId"] = "22222222-2222-4222-8222-222222222222"
    made = cmdlets(outside)
    outside.delete()
    outcomes = operator.run()
    assert outside.deleted
    assert cmdlets(outside) == made
    assert "has changed nothing" in outcomes[-1].events[0].message


def test_the_older_one_that_goes_leaves_the_organisation_to_the_younger() -> None:
    outside, operator = ready()
    younger = replace(OLDER, created="2030-01-01T00:00:00Z")
    outside.peers = [younger]
    outside.delete()
    operator.run()
    assert outside.deleted
    assert outside.exchange()["proxy"]["enabled"] is False


def test_observe_has_no_finalizer_and_undoes_nothing() -> None:
    outside, operator = ready()
    outside.resource["spec"]["managementPolicy"] = "Observe"  # the API server wants Retain with it
    made = cmdlets(outside)
    operator.run()
    assert "finalizers" not in outside.resource["metadata"]
    outside.delete()
    assert outside.deleted
    assert cmdlets(outside) == made


def test_a_resource_that_cannot_be_read_says_so_and_may_be_abandoned() -> None:
    outside, operator = ready()
    outside.resource["spec"]["interval"] = "soon"
    outside.delete()
    operator.run()
    assert not outside.deleted
    assert outside.condition("Stalled") == ("True", "InvalidSpec")
    assert ABANDON in outside.status["conditions"][0]["message"]
    outside.annotate(ABANDON, "true")
    operator.run()
    assert outside.deleted


@pytest.mark.parametrize("fault", ["die_before_change", "die_after_change"])
def test_an_undoing_of_unknown_outcome_is_looked_at_again(fault: str) -> None:
    outside, operator = ready()
    set_fault(outside.organization, fault, 1)
    outside.delete()
    operator.run()
    assert outside.deleted
    assert outside.exchange()["proxy"]["enabled"] is False
