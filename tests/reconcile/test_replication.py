"""Replication: what one server shows already another may not; nothing is written twice for that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from answers import EX1, EX2
from lab.exchange.faults import set_fault
from lab.exchange.runner import administrator
from lab.in_process import Lab, lab

pytestmark = pytest.mark.lab

LAG = 90


def written(outside: Lab) -> Counter[str]:
    """What the operator changed in Exchange that replicates, and in Entra ID."""
    made = (c.cmdlet for c in outside.organization.changes if c.account.endswith("svc-epo"))
    patches = (line for line in outside.microsoft365.requests() if "PATCH" in line)
    return Counter([name for name in made if not name.startswith("Restart-")]) + Counter(patches)


def test_what_one_server_has_shown_is_not_repeated_through_one_that_lags() -> None:
    outside = lab()
    set_fault(outside.organization, "replication_lag_seconds", LAG)
    operator = outside.operator()
    operator.run()
    before = written(outside)
    set_fault(outside.organization, "down", value=True, server=EX1)
    outside.clock.forward(seconds=10)
    operator.step()
    assert written(outside) == before
    assert outside.condition("Ready")[0] == "Unknown"
    assert outside.condition("InSync") == ("Unknown", "Settling")
    outside.clock.forward(seconds=LAG)
    operator.step()
    assert written(outside) == before
    assert outside.condition("InSync") == ("True", "NoDrift")


def partner(outside: Lab) -> None:
    administrator(outside.organization).run(
        "Set-PartnerApplication", Identity="Exchange Online", Enabled=False
    )


def auth_server(outside: Lab) -> None:
    administrator(outside.organization).run(
        "Set-AuthServer", Identity="MicrosoftSts", Enabled=False
    )


def no_auth_server(outside: Lab) -> None:
    administrator(outside.organization).run(
        "Remove-AuthServer", Identity="MicrosoftSts", Confirm=False
    )


def proxy(outside: Lab) -> None:
    outside.administrator("Disable-PushNotificationProxy", Confirm=False)


def other_proxy(outside: Lab) -> None:
    outside.administrator("Enable-PushNotificationProxy", Organization="other.example")


def no_certificate(outside: Lab) -> None:
    view = outside.organization.view()
    view.put(replace(view.auth_config(), current=""))


DRIFTS = (partner, auth_server, no_auth_server, proxy, other_proxy, no_certificate)


def replicated(outside: Lab) -> None:
    outside.clock.forward(hours=2)
    outside.operator().run()


@pytest.mark.parametrize("drift", DRIFTS, ids=lambda one: one.__name__)
def test_each_kind_of_change_is_made_once_while_it_replicates(drift: Callable[[Lab], None]) -> None:
    outside = lab()
    replicated(outside)
    reference = outside.outside()
    drift(outside)
    set_fault(outside.organization, "replication_lag_seconds", LAG)
    before = written(outside)
    operator = outside.operator()
    operator.step()
    made = written(outside) - before
    assert made.total() == 1
    for down, up in ((EX1, EX2), (EX2, EX1), (EX1, EX2)):
        set_fault(outside.organization, "down", value=False, server=up)
        set_fault(outside.organization, "down", value=True, server=down)
        outside.clock.forward(seconds=20)
        operator.step()
    set_fault(outside.organization, "down", value=False)
    outside.clock.forward(seconds=LAG)
    operator.run()
    assert written(outside) - before == made
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert outside.outside() == reference


@pytest.mark.parametrize("drift", DRIFTS, ids=lambda one: one.__name__)
def test_a_change_that_a_new_life_repeats_while_it_replicates_is_harmless(
    drift: Callable[[Lab], None],
) -> None:
    outside = lab()
    replicated(outside)
    reference = outside.outside()
    drift(outside)
    set_fault(outside.organization, "replication_lag_seconds", LAG)
    outside.operator().step()
    set_fault(outside.organization, "down", value=True, server=EX1)
    outside.clock.forward(seconds=20)
    outside.operator().step()
    set_fault(outside.organization, "down", value=False, server=EX1)
    outside.clock.forward(minutes=6)
    outside.operator().run()
    outside.clock.forward(minutes=6)
    outside.operator().run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert outside.outside() == reference
