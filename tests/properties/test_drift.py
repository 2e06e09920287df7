"""Whatever an administrator changes, the operator leads it back to the same end, and then rests."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answers import EX1, EX2, EX3, FABRIKAM
from exchange_push_operator.core.config import EXCHANGE_ONLINE
from lab.exchange.build import add_auth_certificate
from lab.exchange.runner import administrator
from lab.in_process import Lab, lab

pytestmark = pytest.mark.lab  # each example is a whole organisation with real certificates


def disable_auth_server(outside: Lab) -> None:
    outside.administrator("Set-AuthServer", Identity="MicrosoftSts", Enabled=False, Confirm=False)


def remove_auth_server(outside: Lab) -> None:
    administrator(outside.organization).run(
        "Remove-AuthServer", Identity="MicrosoftSts", Confirm=False
    )


def disable_partner(outside: Lab) -> None:
    outside.administrator(
        "Set-PartnerApplication", Identity="Exchange Online", Enabled=False, Confirm=False
    )


def disable_proxy(outside: Lab) -> None:
    outside.administrator("Disable-PushNotificationProxy", Confirm=False)


def point_proxy_elsewhere(outside: Lab) -> None:
    outside.administrator(
        "Enable-PushNotificationProxy",
        Organization="elsewhere.example",
        Uri="https://elsewhere.example/",
        Confirm=False,
    )


def remove_our_key(outside: Lab) -> None:
    key_id = outside.status["principalCredential"]["keyId"]
    assert outside.microsoft365.remove_keys(FABRIKAM, EXCHANGE_ONLINE, key_id) == 1


DRIFTS: tuple[Callable[[Lab], None], ...] = (
    disable_auth_server,
    remove_auth_server,
    disable_partner,
    disable_proxy,
    point_proxy_elsewhere,
    remove_our_key,
)
DRIFTED = st.lists(st.sampled_from(DRIFTS), unique=True, min_size=1)


def assert_at_rest(outside: Lab) -> None:
    """A pass more, of this life or the next, changes nothing and says the same."""
    changes = len(outside.organization.changes)
    patches = sum("PATCH" in line for line in outside.microsoft365.requests())
    before = outside.status
    for _ in range(2):
        outcome = outside.operator().step()
        assert dict(outcome.status) == before
        assert outcome.changes == ()
        assert outcome.events == ()
    assert len(outside.organization.changes) == changes
    assert sum("PATCH" in line for line in outside.microsoft365.requests()) == patches


@settings(max_examples=10, deadline=None)
@given(st.booleans(), st.permutations([EX1, EX2, EX3]), st.integers(1, 3))
def test_a_ready_organisation_is_left_in_peace(
    adopted: bool,  # noqa: FBT001 - drawn
    order: list[str],
    listed: int,
) -> None:
    names = [{"name": name} for name in order[:listed]]
    outside = lab({"exchange": {"servers": names}}, auth_certificate=adopted, servers=3)
    outside.operator().run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert outside.condition("InSync") == ("True", "NoDrift")
    assert_at_rest(outside)


@settings(max_examples=12, deadline=None)
@given(st.lists(DRIFTED, min_size=1, max_size=2))
def test_drift_of_any_kind_and_order_is_led_back(
    rounds: list[list[Callable[[Lab], None]]],
) -> None:
    outside = lab()
    outside.operator().run()
    reference, told = outside.outside(), outside.status
    for drifts in rounds:
        # Twice within an hour would be a quarrel with somebody, which the operator gives up.
        outside.clock.forward(hours=2)
        # What was removed cannot be disabled any more.
        for drift in sorted(drifts, key=DRIFTS.index):
            drift(outside)
        assert outside.outside() != reference
        outside.operator().run()
        assert outside.condition("Ready") == ("True", "Succeeded")
        assert outside.outside() == reference
    same = ("tenantId", "organizationId", "serversReady", "certificate", "proxy", "plannedChanges")
    assert {key: outside.status[key] for key in same} == {key: told[key] for key in same}
    assert_at_rest(outside)


@pytest.mark.parametrize("order", [(EX1, EX2), (EX2, EX1)], ids=["as named", "turned around"])
def test_a_certificate_is_assigned_where_it_was_made_whoever_answers_first(
    order: tuple[str, ...],
) -> None:
    outside = lab(
        {"exchange": {"servers": [{"name": name} for name in order]}}, auth_certificate=False
    )
    outside.operator().run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    made = [change.cmdlet for change in outside.organization.changes]
    assert made.count("New-ExchangeCertificate") == made.count("Set-AuthConfig") == 1


def test_a_certificate_that_one_server_has_is_assigned_there() -> None:
    outside = lab(auth_certificate=False)
    thumbprint = add_auth_certificate(outside.organization, servers=(EX2,))
    outside.operator().run()
    assert outside.condition("CertificateReady") == ("True", "Valid")
    assert outside.exchange()["authConfig"]["current"] == thumbprint
