"""An administrator who runs the scripts of ``plan`` ends where the operator does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from answers import EX1
from exchange_push_operator.core.config import EXCHANGE_ONLINE
from exchange_push_operator.plan.passive import Planned, Verdict, look
from exchange_push_operator.plan.script import as_powershell
from lab.exchange.build import add_auth_certificate, let_auth_certificate_end
from lab.exchange.runner import administrator
from lab.in_process import Lab, lab
from lab.microsoft365.directory import KeyCredential
from lab.microsoft365.in_process import workstation_graph
from lab.microsoft365.sample import CONTOSO, FABRIKAM, principal
from lab.network.ca import self_signed
from plan.administrator import Administrator, Stopped

pytestmark = pytest.mark.lab

MOST_SCRIPTS = 12


def planned(outside: Lab) -> Planned:
    """A plan made anew, as the command makes it."""
    return look(outside.resource, outside.operator().world)


def by_hand(outside: Lab) -> list[str]:
    """Plan, run the script, plan again, until nothing is left; the lines that were typed."""
    person = Administrator(outside, EX1, workstation_graph(outside.microsoft365))
    for _ in range(MOST_SCRIPTS):
        plan = planned(outside)
        assert plan.in_the_way == ()
        if plan.verdict is Verdict.NOTHING_TO_DO:
            return person.typed
        person.run(as_powershell(plan))
        outside.clock.forward(seconds=1)
    pytest.fail(f"not done after {MOST_SCRIPTS} scripts: {person.typed}")


def from_nothing() -> Lab:
    return lab(auth_certificate=False)


def with_a_certificate() -> Lab:
    return lab()


def with_a_certificate_that_a_server_lacks() -> Lab:
    outside = lab(auth_certificate=False)
    thumbprint = add_auth_certificate(outside.organization, servers=(EX1,))
    administrator(outside.organization).run(
        "Set-AuthConfig", CertificateThumbprint=thumbprint, Force=True
    )
    return outside


def undone_by_somebody() -> Lab:
    outside = lab()
    outside.operator().run()
    outside.clock.forward(hours=2)
    outside.administrator("Disable-PushNotificationProxy", Confirm=False)
    outside.administrator(
        "Set-PartnerApplication", Identity="Exchange Online", Enabled=False, Confirm=False
    )
    outside.microsoft365.remove_keys(
        FABRIKAM, EXCHANGE_ONLINE, outside.status["principalCredential"]["keyId"]
    )
    return outside


def with_a_certificate_that_ends_soon() -> Lab:
    outside = lab({"certificate": {"policy": "Manage"}})
    let_auth_certificate_end(outside.organization, timedelta(days=30))
    return outside


@pytest.mark.parametrize(
    "story",
    [
        from_nothing,
        with_a_certificate,
        with_a_certificate_that_a_server_lacks,
        with_a_certificate_that_ends_soon,
        undone_by_somebody,
    ],
    ids=lambda story: story.__name__,
)
def test_the_scripts_lead_to_the_operators_end_state(story: Callable[[], Lab]) -> None:
    ours, theirs = story(), story()
    ours.operator().run()
    assert ours.condition("Ready") == ("True", "Succeeded")
    assert by_hand(theirs)
    assert theirs.outside() == ours.outside()
    assert bool(theirs.exchange()["authConfig"]["next"]) == bool(
        ours.exchange()["authConfig"]["next"]
    )
    told = theirs.operator().run()
    assert [outcome.changes for outcome in told] == [()] * len(told)
    assert theirs.condition("Ready") == ("True", "Succeeded")


def test_a_plan_writes_nothing_anywhere() -> None:
    outside = from_nothing()
    before = outside.outside(), outside.status
    assert planned(outside).verdict is Verdict.CHANGES
    assert (outside.outside(), outside.status) == before
    assert outside.organization.changes == []


def test_a_key_that_somebody_adds_after_the_plan_stops_the_script_before_it_writes() -> None:
    outside = with_a_certificate()
    script = as_powershell(planned(outside))
    held = principal(outside.microsoft365)
    theirs = KeyCredential.of(self_signed("somebody else's", start=outside.clock()), "new")
    held.keys = (*held.keys, theirs)
    before = len(held.keys)
    with pytest.raises(Stopped, match="Assert-KeyCredential"):
        Administrator(outside, EX1, workstation_graph(outside.microsoft365)).run(script)
    assert len(held.keys) == before


def test_a_script_for_another_tenant_stops_before_it_writes() -> None:
    outside = with_a_certificate()
    script = as_powershell(planned(outside)).replace(FABRIKAM, CONTOSO)
    with pytest.raises(Stopped, match="Assert-GraphTenant"):
        Administrator(outside, EX1, workstation_graph(outside.microsoft365)).run(script)
    assert outside.organization.changes == []
