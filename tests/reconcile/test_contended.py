"""Somebody else keeps changing a thing back: two changes of ours within an hour, no third."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from answers import FABRIKAM
from exchange_push_operator.core.config import EXCHANGE_ONLINE
from lab.in_process import Lab, Operator, lab

pytestmark = pytest.mark.lab

ELSEWHERE = "https://accounts.accesscontrol.windows.net/metadata/json/1/?realm=contoso.com"


def disable_proxy(outside: Lab) -> None:
    outside.administrator("Disable-PushNotificationProxy", Confirm=False)


def point_proxy_elsewhere(outside: Lab) -> None:
    outside.administrator(
        "Enable-PushNotificationProxy", Organization="elsewhere.example", Confirm=False
    )


def disable_auth_server(outside: Lab) -> None:
    outside.administrator("Set-AuthServer", Identity="MicrosoftSts", Enabled=False, Confirm=False)


def disable_partner(outside: Lab) -> None:
    outside.administrator(
        "Set-PartnerApplication", Identity="Exchange Online", Enabled=False, Confirm=False
    )


def remove_our_key(outside: Lab) -> None:
    key_id = outside.status["principalCredential"]["keyId"]
    assert outside.microsoft365.remove_keys(FABRIKAM, EXCHANGE_ONLINE, key_id) == 1


QUARRELS: tuple[Callable[[Lab], None], ...] = (
    disable_proxy,
    point_proxy_elsewhere,
    disable_auth_server,
    disable_partner,
    remove_our_key,
)


def ready() -> tuple[Lab, Operator]:
    """At rest for so long that nothing of the beginning counts any more."""
    outside = lab()
    operator = outside.operator()
    operator.run()
    outside.clock.forward(hours=2)
    operator.run()
    return outside, operator


def written(outside: Lab) -> int:
    """How often this operator changed anything that somebody else could change back."""
    restarts = ("Restart-Service",)
    ours = [
        change
        for change in outside.organization.changes
        if change.account.endswith("svc-epo") and change.cmdlet not in restarts
    ]
    return len(ours) + sum("PATCH" in line for line in outside.microsoft365.requests())


def quarrel(outside: Lab, operator: Operator, change_back: Callable[[Lab], None]) -> None:
    for _ in range(3):
        change_back(outside)
        operator.run(most=2)


@pytest.mark.parametrize("change_back", QUARRELS, ids=lambda one: one.__name__)
def test_what_is_changed_back_twice_is_not_written_a_third_time(
    change_back: Callable[[Lab], None],
) -> None:
    outside, operator = ready()
    before = written(outside)
    quarrel(outside, operator, change_back)
    assert outside.condition("InSync") == ("False", "Contended")
    assert written(outside) == before + 2
    outside.clock.forward(minutes=58)
    operator.run()
    assert written(outside) == before + 2


def test_after_the_hour_it_is_tried_again() -> None:
    outside, operator = ready()
    quarrel(outside, operator, disable_proxy)
    assert outside.exchange()["proxy"]["enabled"] is False
    outside.clock.forward(hours=1)
    operator.run()
    assert outside.condition("Ready") == ("True", "Succeeded")


def test_an_edit_of_the_spec_ends_a_quarrel() -> None:
    outside, operator = ready()
    quarrel(outside, operator, disable_proxy)
    outside.edit({"interval": "2h"})
    operator.run()
    assert outside.condition("Ready") == ("True", "Succeeded")


def test_the_condition_says_what_is_quarrelled_about_and_what_to_do() -> None:
    outside, operator = ready()
    quarrel(outside, operator, disable_proxy)
    (in_sync,) = (c for c in outside.status["conditions"] if c["type"] == "InSync")
    assert "Enable the push notification proxy (fabrikam.com)" in in_sync["message"]
    assert "find out who" in in_sync["message"]
    assert outside.condition("ProxyReady") == ("False", "Disabled")
    assert outside.condition("Ready") == ("False", "Disabled")


def test_the_very_first_change_counts_too() -> None:
    outside = lab()
    operator = outside.operator()
    operator.run()
    for _ in range(2):
        disable_proxy(outside)
        operator.run(most=2)
    assert outside.condition("InSync") == ("False", "Contended")


def test_two_fields_that_drift_once_each_are_no_quarrel() -> None:
    outside, operator = ready()
    for change_back in (disable_proxy, disable_auth_server, disable_partner, remove_our_key):
        change_back(outside)
        operator.run()
        assert outside.condition("Ready") == ("True", "Succeeded")


def test_a_quarrel_about_one_thing_does_not_stop_the_others() -> None:
    outside, operator = ready()
    quarrel(outside, operator, disable_proxy)
    disable_auth_server(outside)
    operator.run(most=2)
    assert outside.condition("AuthServerReady") == ("True", "UpToDate")
    assert outside.condition("InSync") == ("False", "Contended")


def test_a_users_own_edits_are_no_quarrel() -> None:
    outside, operator = ready()
    for state in ("Disabled", "Enabled") * 6:
        outside.edit({"proxy": {"state": state}})
        told = [event.reason for outcome in operator.run() for event in outcome.events]
        assert "DriftCorrected" not in told
    assert outside.condition("Ready") == ("True", "Succeeded")


def test_a_new_life_of_the_operator_has_forgotten_the_quarrel() -> None:
    """Two more changes for each life: the price of resting no decision on memory."""
    outside, operator = ready()
    quarrel(outside, operator, disable_proxy)
    before = written(outside)
    quarrel(outside, outside.operator(), disable_proxy)
    assert outside.condition("InSync") == ("False", "Contended")
    assert written(outside) == before + 2


def test_a_rival_that_undoes_a_change_before_it_is_seen_is_met_twice_in_an_hour() -> None:
    """Never seen in sync, so it looks like a slow directory; it is not written for ever."""
    outside, _ = ready()
    before = written(outside)

    def rival() -> None:
        if outside.exchange()["proxy"]["enabled"]:
            disable_proxy(outside)

    operator = outside.operator(after=rival)
    for _ in range(11):
        operator.step()
        outside.clock.forward(minutes=5)
    assert outside.condition("InSync") == ("False", "Contended")
    assert written(outside) == before + 2
