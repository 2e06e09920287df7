"""Exchange in five languages: the same end, the same status, whatever a server says and how.

The cultures are those that Microsoft's article was published in (lab.article).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_push_operator.core.scrub import scrub
from lab import article
from lab.exchange.faults import set_fault
from lab.exchange.runner import administrator
from lab.exchange.texts import CULTURES, moment, say
from lab.in_process import Lab, Operator, lab

pytestmark = pytest.mark.lab

EX2 = "ex2.corp.fabrikam.com"
OTHERS = tuple(one for one in CULTURES if one != "en-US")


@dataclass(frozen=True, slots=True)
class End:
    """How a story ended: the world, what the status says of it, and what was told."""

    outside: Any
    conditions: tuple[tuple[str, str, str], ...]
    servers: tuple[dict[str, Any], ...]
    advisories: tuple[str, ...]
    events: tuple[str, ...]
    next: str


def condition_rows(outside: Lab) -> tuple[tuple[str, str, str], ...]:
    return tuple((c["type"], c["status"], c["reason"]) for c in outside.status["conditions"])


def without_words(server: dict[str, Any]) -> dict[str, Any]:
    """A server's row: whether there is a text of its own, not which."""
    return server | ({"probeError": "..."} if server.get("probeError") else {})


def live(outside: Lab, operator: Operator) -> End:
    outcomes = operator.run()
    return End(
        outside.outside(),
        condition_rows(outside),
        tuple(without_words(one) for one in outside.status.get("servers") or ()),
        tuple(one["type"] for one in outside.status.get("advisories") or ()),
        tuple(event.reason for outcome in outcomes for event in outcome.events),
        outcomes[-1].requeue.kind,
    )


def fault(name: str, value: Any = True, server: str = "") -> Callable[[Lab], None]:  # noqa: FBT002 - a row of the table
    return lambda outside: set_fault(outside.organization, name, value, server)


def endpoint(status: int) -> Callable[[Lab], None]:
    return lambda outside: outside.microsoft365.set_fault("push_failure", {"status": status})


def lose_certificate(outside: Lab) -> None:
    current = outside.organization.view().auth_config().current
    admin = administrator(outside.organization, EX2)
    admin.run("Remove-ExchangeCertificate", Thumbprint=current)


def unlist(outside: Lab) -> None:
    """One server is left to be looked at through the other, which has to say `not found`."""
    lose_certificate(outside)
    outside.edit({"exchange": {"servers": [{"name": "ex1.corp.fabrikam.com"}]}})


def age(outside: Lab) -> None:
    outside.clock.forward(days=6 * 366)


TROUBLES: dict[str, Callable[[Lab], None]] = {
    "a cmdlet is not granted": fault("denied_cmdlets", ["New-AuthServer"]),
    "the second hop is refused": fault("second_hop_refused"),
    "a certificate is not found": lose_certificate,
    "a certificate is not found on an unlisted server": unlist,
    "the certificate has expired": age,
    "the servers do not reach Microsoft": fault("outbound_blocked"),
    "the probe meets 401": endpoint(401),
    "the probe meets 404": endpoint(404),
    "the health manager does not start": fault("health_manager_broken"),
    "the component is inactive": fault("push_component_inactive"),
    "another server cannot be asked": fault("rpc_down", server=EX2),
}


def story(culture: str, trouble: Callable[[Lab], None]) -> End:
    outside = lab()
    set_fault(outside.organization, "culture", culture)
    trouble(outside)
    operator = outside.operator()
    operator.run()
    outside.clock.forward(minutes=10)  # a health manager that was restarted has loaded
    return live(outside, operator)


ENGLISH: dict[str, End] = {}


def in_english(name: str) -> End:
    if name not in ENGLISH:
        ENGLISH[name] = story("en-US", TROUBLES[name])
    return ENGLISH[name]


@pytest.mark.parametrize("name", TROUBLES)
@pytest.mark.parametrize("culture", OTHERS)
def test_trouble_is_the_same_trouble_in_every_language(culture: str, name: str) -> None:
    assert story(culture, TROUBLES[name]) == in_english(name)


@pytest.mark.parametrize("culture", CULTURES)
def test_a_fresh_organisation_becomes_ready_in_every_language(culture: str) -> None:
    outside = lab(auth_certificate=False)
    set_fault(outside.organization, "culture", culture)
    outside.operator().run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    english = lab(auth_certificate=False)
    english.operator().run()
    assert outside.outside() == english.outside()


def test_servers_of_five_languages_are_one_organisation() -> None:
    names = [f"ex{number}.corp.fabrikam.com" for number in range(1, 6)]
    outside = lab({"exchange": {"servers": [{"name": name} for name in names]}}, servers=5)
    for name, culture in zip(names, CULTURES, strict=True):
        set_fault(outside.organization, "culture", culture, name)
    outside.operator().run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert outside.status["serversReady"] == "5/5"


@pytest.mark.parametrize("culture", CULTURES)
def test_who_followed_the_article_in_any_language_sees_nothing_changed(culture: str) -> None:
    outside = lab()
    set_fault(outside.organization, "culture", culture)
    article.follow(outside.organization, outside.microsoft365)
    before, made = outside.outside(), len(outside.organization.changes)
    outside.operator().run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert outside.outside() == before
    # the article restarts the service on one server; the other does not know of the proxy yet
    done = [(one.cmdlet, one.server) for one in outside.organization.changes[made:]]
    assert done == [("Restart-Service", EX2)]


MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2099, 12, 31))  # noqa: DTZ001 - as shown


@pytest.mark.parametrize("culture", CULTURES)
@given(one=MOMENTS, other=MOMENTS)
def test_no_date_of_any_language_moves_a_status(
    culture: str, one: datetime, other: datetime
) -> None:
    shown = [scrub(say(culture, "certificate_dates", when, when)) for when in (one, other)]
    assert shown[0] == shown[1]


def test_the_articles_own_date_is_written_as_each_language_does() -> None:
    assert {culture: moment(culture, article.CHANGED) for culture in CULTURES} == {
        "en-US": article.CHANGED_SHOWN,
        "de-DE": "27.08.2013 19:23:47",
        "fr-FR": "27/08/2013 19:23:47",
        "pt-BR": "27/08/2013 19:23:47",
        "zh-CN": "2013/8/27 19:23:47",
    }


@pytest.mark.parametrize("culture", CULTURES)
def test_what_a_server_says_is_shown_in_its_own_words_and_does_not_move(culture: str) -> None:
    outside = lab({"verification": {"restartHealthManager": "Never"}})
    set_fault(outside.organization, "culture", culture)
    operator = outside.operator()
    operator.run()
    before = outside.status
    assert before["servers"][0]["probeError"]
    for server in outside.organization.servers.values():
        server.health_manager_started = outside.clock().replace(year=2025, month=3)
    outside.clock.forward(hours=25)
    operator.run()
    assert outside.status["servers"] == before["servers"]
    assert outside.status["conditions"] == before["conditions"]
