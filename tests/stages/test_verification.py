"""Verification: a push notification really goes through, from every Mailbox server listed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from answers import (
    EX1,
    EX2,
    NOW,
    PROBE,
    Told,
    advised,
    component,
    config,
    item,
    local,
    missing,
    plan_of,
    proxy,
    seen,
    server,
    told,
)
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.errors import CmdletFailed, Refused
from exchange_push_operator.core.looks import Observations
from exchange_push_operator.core.organization import (
    EXCHANGE_SERVERS,
    LOCAL_SERVER,
    component_states,
)
from exchange_push_operator.core.ports import Answer
from exchange_push_operator.core.probes import (
    ProbeState,
    available,
    monitoring_items,
    probe,
    shown,
    token_test,
)
from exchange_push_operator.core.push_proxy import WHAT_IF
from exchange_push_operator.stages.verification import STAGE, targets

UNMANAGED = config({"proxy": {"state": "Unmanaged"}})
NEVER = config({"verification": {"restartHealthManager": "Never"}})
SUCCESS = Answer(({"ResultType": "Succeeded", "Error": "", "Exception": ""},))
FAILURE = Answer(({"ResultType": "Failed", "Error": "it did not work", "Exception": ""},))
GONE = Answer(({"ResultType": "Failed", "Error": "", "Exception": "server said (404) gone"},))
RESTART = "Restart-Service -Name 'MSExchangeHM'"


def probed(*answers: Answer, asked: PushConfig | None = None, **given: Any) -> Observations:
    """The answers of the servers in the order of the list."""
    asked = asked or config()
    observed = seen(asked, **given)
    said = {(name, probe(asked, name)): a for name, a in zip(asked.servers, answers, strict=False)}
    return replace(observed, cmdlets={**observed.cmdlets, **said})


@pytest.mark.parametrize(
    ("first", "second", "expected", "advisories"),
    [
        (SUCCESS, SUCCESS, ("True", "ProbeSucceeded", ()), set()),
        (SUCCESS, FAILURE, ("False", "ProbeFailed", ()), set()),
        (GONE, FAILURE, ("False", "ProbeFailed", ()), set()),
        (SUCCESS, GONE, ("False", "ServiceGone", ()), {"ServiceGone"}),
        (SUCCESS, Answer(), ("False", "ProbeFailed", ()), set()),
        (Answer(error=missing("Any")), SUCCESS, ("False", "ProbeFailed", ()), set()),
    ],
    ids=[
        "both succeed",
        "one fails",
        "a failure is worse than a service that is gone",
        "the service is gone",
        "no row is no success",
        "a cmdlet that fails is a failure",
    ],
)
def test_the_probes(first: Answer, second: Answer, expected: Told, advisories: set[str]) -> None:
    plan = plan_of(STAGE, config(), probed(first, second))
    assert told(plan) == expected
    assert advised(plan) == advisories


def test_what_has_not_been_probed_waits() -> None:
    plan = plan_of(STAGE, config(), probed(SUCCESS))
    assert told(plan) == ("Unknown", "WaitsForConfiguration", ())
    assert plan.finding.message.startswith(EX2)


@pytest.mark.parametrize(
    "said",
    [[], [item("AnotherProbe")], missing("ArgumentException")],
    ids=["no item", "other items", "an error"],
)
def test_a_server_without_the_probe_leaves_it_unknown(said: Any) -> None:
    # Not even a health manager that started in time has loaded it.
    lacking = {EX2: {monitoring_items(EX2): said}}
    plan = plan_of(STAGE, config(), probed(SUCCESS, servers=lacking))
    assert told(plan) == ("Unknown", "ProbeNotAvailable", ())
    assert advised(plan) == {"ProbeNotAvailable"}


def manager(started: timedelta | None) -> Any:
    text = (NOW + started).isoformat() if started is not None else None
    return {EX1: {LOCAL_SERVER: [local(EX1, HealthManagerStartedUTC=text)]}}


CHANGED = [proxy(WhenChangedUTC=(NOW - timedelta(minutes=10)).isoformat())]


@pytest.mark.parametrize(
    ("first", "started", "row", "expected"),
    [
        (FAILURE, timedelta(days=-1), CHANGED, ("False", "HealthManagerStale", (RESTART,))),
        (SUCCESS, timedelta(days=-1), CHANGED, ("True", "ProbeSucceeded", ())),
        (GONE, timedelta(days=-1), CHANGED, ("False", "ServiceGone", ())),
        (FAILURE, timedelta(minutes=-9), CHANGED, ("False", "ProbeFailed", ())),
        (FAILURE, timedelta(minutes=-4), CHANGED, ("Unknown", "Settling", ())),
        (FAILURE, timedelta(minutes=-5), CHANGED, ("False", "ProbeFailed", ())),
        (FAILURE, timedelta(minutes=1), CHANGED, ("False", "ProbeFailed", ())),
        (SUCCESS, timedelta(minutes=-4), CHANGED, ("True", "ProbeSucceeded", ())),
        (FAILURE, None, CHANGED, ("False", "HealthManagerStopped", ())),
        (SUCCESS, None, CHANGED, ("True", "ProbeSucceeded", ())),
        (FAILURE, timedelta(days=-1), [proxy(WhenChangedUTC=None)], ("False", "ProbeFailed", ())),
        (FAILURE, timedelta(days=-1), [], ("False", "ProbeFailed", ())),
    ],
    ids=[
        "a failure and an older health manager: restart it",
        "a success needs no restart",
        "a service that is gone needs no restart",
        "a health manager that knows the proxy is not restarted",
        "one that has just started is waited for",
        "but not for ever",
        "a clock that is ahead makes nobody wait",
        "a success needs no patience",
        "a stopped health manager is not restarted",
        "a success is one, whatever the start time says",
        "nothing is known of the last change",
        "no proxy is shown",
    ],
)
def test_the_health_manager(
    first: Answer, started: timedelta | None, row: Any, expected: Told
) -> None:
    observed = probed(first, SUCCESS, servers=manager(started), organization={WHAT_IF: row})
    assert told(plan_of(STAGE, config(), observed)) == expected


@pytest.mark.parametrize(
    ("row", "second", "expected"),
    [
        ({"reason": "InMaintenance"}, SUCCESS, ("True", "ProbeSucceeded", ())),
        ({"reason": "Unreachable"}, GONE, ("False", "ServiceGone", ())),
        ({"reason": "Settling"}, FAILURE, ("False", "ProbeFailed", ())),
        ({}, SUCCESS, ("Unknown", "Settling", ())),
        ({"reason": "InMaintenance"}, None, ("Unknown", "Settling", ())),
    ],
    ids=[
        "after maintenance",
        "after it was away",
        "still loading",
        "after a restart of ours",
        "and there is no other server",
    ],
)
def test_a_server_that_is_back_and_loads_its_probes_is_not_counted_yet(
    row: dict[str, str], second: Answer | None, expected: Told
) -> None:
    answers = [FAILURE] if second is None else [FAILURE, second]
    servers = {"servers": [{"name": name} for name in (EX1, EX2)[: len(answers)]]}
    asked = config({"exchange": servers}, {"servers": [{"name": EX1, **row}]})
    observed = probed(*answers, asked=asked, servers=manager(timedelta(minutes=-2)))
    assert told(plan_of(STAGE, asked, observed)) == expected


@pytest.mark.parametrize("started", [timedelta(days=-90), timedelta(minutes=-2)])
def test_a_component_that_is_switched_off_is_what_the_probe_fails_for(
    started: timedelta,
) -> None:
    """A restart of the health manager would not help, nor would patience."""
    said = manager(started)
    said[EX1][component_states(EX1)] = [component("PushNotificationsProxy", "Inactive")]
    plan = plan_of(STAGE, config(), probed(FAILURE, FAILURE, servers=said))
    assert told(plan) == ("False", "ComponentInactive", ())
    assert "Set-ServerComponentState" in plan.finding.message


def test_a_probe_that_is_not_there_is_owed_a_restart_too() -> None:
    servers = manager(timedelta(days=-1))
    servers[EX1][monitoring_items(EX1)] = []
    observed = probed(Answer(), SUCCESS, servers=servers, organization={WHAT_IF: CHANGED})
    plan = plan_of(STAGE, config(), observed)
    assert told(plan) == ("False", "HealthManagerStale", (RESTART,))
    assert [step.server for step in plan.steps] == [EX1]


def stale(*names: str) -> Any:
    """Servers whose health manager is older than the proxy."""
    old = (NOW - timedelta(days=1)).isoformat()
    return {name: {LOCAL_SERVER: [local(name, HealthManagerStartedUTC=old)]} for name in names}


def test_how_young_a_health_manager_is_tells_the_clock_that_dated_its_start() -> None:
    ahead = NOW + timedelta(minutes=10)
    dated = {"HealthManagerStartedUTC": (NOW - timedelta(minutes=2)).isoformat()}
    row = local(EX1, TimeUTC=ahead.isoformat(), **dated)
    observed = probed(FAILURE, servers={EX1: {LOCAL_SERVER: [row]}})
    assert told(plan_of(STAGE, config(), observed))[:2] == ("False", "ProbeFailed")


def test_health_managers_are_restarted_one_after_the_other() -> None:
    given: Any = {"organization": {WHAT_IF: CHANGED}}
    both = plan_of(STAGE, config(), probed(FAILURE, FAILURE, servers=stale(EX1, EX2), **given))
    assert told(both) == ("False", "HealthManagerStale", (RESTART,))
    assert [step.server for step in both.steps] == [EX1]
    assert both.finding.message.startswith(f"{EX1}, {EX2}: ")
    loading = {**stale(EX2), **manager(timedelta(minutes=-1))}
    second = plan_of(STAGE, config(), probed(FAILURE, FAILURE, servers=loading, **given))
    assert told(second) == ("Unknown", "Settling", ())
    loaded = {**stale(EX2), **manager(timedelta(minutes=-6))}
    third = plan_of(STAGE, config(), probed(FAILURE, FAILURE, servers=loaded, **given))
    assert [step.server for step in third.steps] == [EX2]


def test_a_young_health_manager_that_is_older_than_the_proxy_is_not_waited_for() -> None:
    changed = [proxy(WhenChangedUTC=(NOW - timedelta(seconds=10)).isoformat())]
    young = manager(timedelta(minutes=-1))
    observed = probed(FAILURE, SUCCESS, servers=young, organization={WHAT_IF: changed})
    assert told(plan_of(STAGE, config(), observed)) == ("False", "HealthManagerStale", (RESTART,))


@pytest.mark.parametrize(
    ("asked", "expected"), [(config(), {"ProxyChangeUnknown"}), (NEVER, set())]
)
def test_where_the_proxys_date_is_not_known_an_administrator_is_told(
    asked: PushConfig, expected: set[str]
) -> None:
    observed = probed(
        FAILURE,
        SUCCESS,
        asked=asked,
        servers=stale(EX1),
        organization={WHAT_IF: [proxy(WhenChangedUTC=None)]},
    )
    plan = plan_of(STAGE, asked, observed)
    assert plan.steps == ()
    assert advised(plan) == expected


def test_a_resource_may_forbid_restarts() -> None:
    observed = probed(
        FAILURE,
        SUCCESS,
        asked=NEVER,
        servers=manager(timedelta(days=-1)),
        organization={WHAT_IF: CHANGED},
    )
    plan = plan_of(STAGE, NEVER, observed)
    assert told(plan) == ("False", "ProbeFailed", ())
    assert "MSExchangeHM is older than the proxy there" in plan.finding.message


def offline(*names: str) -> Any:
    return {name: {component_states(name): [component(state="Inactive")]} for name in names}


@pytest.mark.parametrize(
    "given",
    [
        {"servers": offline(EX2)},
        {"servers": {EX2: {LOCAL_SERVER: [local(EX2, SetupRunning=True)]}}},
        {"away": [EX2]},
        {"organization": {EXCHANGE_SERVERS: [server(EX1), server(EX2, IsMailboxServer=False)]}},
    ],
    ids=["in maintenance", "under Setup", "away", "without mailboxes"],
)
def test_a_server_is_not_probed_that_is(given: Any) -> None:
    observed = probed(SUCCESS, **given)
    assert targets(observed) == (EX1,)
    assert told(plan_of(STAGE, config(), observed)) == ("True", "ProbeSucceeded", ())


def test_where_no_server_can_be_probed_it_is_unknown() -> None:
    observed = probed(servers=offline(EX1, EX2))
    assert told(plan_of(STAGE, config(), observed)) == ("Unknown", "InMaintenance", ())


def test_without_a_listed_mailbox_server_nothing_can_be_probed() -> None:
    none = [server(name, IsMailboxServer=False) for name in (EX1, EX2)]
    observed = probed(organization={EXCHANGE_SERVERS: none})
    assert told(plan_of(STAGE, config(), observed)) == ("False", "NoMailboxServer", ())


def test_servers_are_found_whatever_the_letters_of_their_names() -> None:
    asked = config({"exchange": {"servers": [{"name": EX1.upper()}]}})
    assert targets(seen(asked)) == (EX1.upper(),)


@pytest.mark.parametrize(
    "spec",
    [{"verification": {"enabled": False}}, {"proxy": {"state": "Disabled"}}],
    ids=["switched off", "the proxy is to be disabled"],
)
def test_nothing_is_tried_out_where(spec: Any) -> None:
    asked = config(spec)
    assert STAGE.looks(asked).organization == ()
    assert told(plan_of(STAGE, asked, seen(asked))) == ("True", "NotManaged", ())


def test_without_a_proxy_the_token_alone_is_tried_out() -> None:
    assert str(probe(UNMANAGED, EX1)) == (
        "Test-OAuthConnectivity -Service 'EWS' "
        "-TargetUri 'https://outlook.office365.com/ews/exchange.asmx' -AppOnly:$true"
    )
    said = Answer(({"ResultType": "Success", "Detail": "..."},))
    observed = probed(said, said, asked=UNMANAGED)
    assert told(plan_of(STAGE, UNMANAGED, observed)) == ("True", "ProbeSucceeded", ())


def test_without_a_proxy_no_monitoring_item_is_looked_for() -> None:
    looks = STAGE.looks(UNMANAGED)
    assert WHAT_IF not in looks.organization
    assert monitoring_items(EX1) not in looks.server(EX1)
    assert monitoring_items(EX1) in STAGE.looks(config()).server(EX1)
    assert available(UNMANAGED, seen(UNMANAGED), EX1)


def test_the_probe_is_the_one_of_the_article() -> None:
    assert str(probe(config(), EX1)) == (
        f"Invoke-MonitoringProbe -Identity 'PushNotifications.Proxy\\{PROBE}' -Server '{EX1}'"
    )


def test_the_servers_own_words_are_kept_for_the_status() -> None:
    answers = (Answer(({"ResultType": "Failed", "Error": "a  b", "Exception": "c"},)), GONE)
    observed = STAGE.observe(config(), probed(*answers))
    assert observed is not None
    assert observed.probes[EX1].error == "a b c"
    assert observed.probes[EX2].state is ProbeState.GONE


GRANTED = Answer(({"ResultType": "Success", "Detail": "The token was granted."},))
NO_TOKEN = Answer(({"ResultType": "Error", "Detail": "AADSTS700027: [Reason - The key ..."},))
REFUSED = Answer(({"ResultType": "Failed", "Error": "returned an error: (401)."},))


def second_opinion(first: Answer, token: Answer) -> Observations:
    observed = probed(first, SUCCESS)
    return replace(observed, cmdlets={**observed.cmdlets, (EX1, token_test(config())): token})


@pytest.mark.parametrize(
    ("first", "token", "expected"),
    [
        (REFUSED, GRANTED, "PushUnauthorized"),
        (REFUSED, NO_TOKEN, "SigningKeyRefused"),
        (GONE, GRANTED, "ServiceGone"),
        (GONE, NO_TOKEN, "SigningKeyRefused"),
        (FAILURE, GRANTED, "ProbeFailed"),
        (FAILURE, Answer(({"ResultType": "Error", "Detail": "?"},)), "TokenRefused"),
        (REFUSED, Answer(error=missing("CommandNotFoundException")), "PushUnauthorized"),
    ],
    ids=[
        "the push service is at fault",
        "the token is at fault",
        "gone is believed of whoever gets a token",
        "and of nobody else",
        "a failure that nobody knows",
        "a token that nobody gives",
        "a test that is not granted has no opinion",
    ],
)
def test_a_failed_probe_gets_a_second_opinion(first: Answer, token: Answer, expected: str) -> None:
    plan = plan_of(STAGE, config(), second_opinion(first, token))
    assert told(plan) == ("False", expected, ())


def test_the_second_opinion_stands_beside_the_servers_own_words() -> None:
    for token, words in ((GRANTED, "Test-OAuthConnectivity: Success"), (NO_TOKEN, "AADSTS700027")):
        observed = STAGE.observe(config(), second_opinion(REFUSED, token))
        assert observed is not None
        assert observed.probes[EX1].error.startswith("returned an error: (401).")
        assert words in observed.probes[EX1].error


def test_a_component_that_is_not_active_is_seen_not_guessed() -> None:
    states = [component(), component("PushNotificationsProxy", "Inactive")]
    servers = {EX1: {component_states(EX1): states}}
    observed = probed(FAILURE, SUCCESS, servers=servers)
    assert told(plan_of(STAGE, config(), observed)) == ("False", "ComponentInactive", ())
    observed = probed(SUCCESS, SUCCESS, servers=servers)
    assert told(plan_of(STAGE, config(), observed)) == ("True", "ProbeSucceeded", ())


def test_a_probe_that_is_not_granted_is_a_matter_of_rights() -> None:
    denied = Answer(error=missing("CommandNotFoundException"))
    with pytest.raises(Refused, match="Invoke-MonitoringProbe is not granted"):
        STAGE.observe(config(), probed(denied, SUCCESS))


def test_the_state_of_the_proxy_that_cannot_be_seen_is_not_guessed() -> None:
    with pytest.raises(CmdletFailed):
        STAGE.observe(config(), probed(SUCCESS, SUCCESS, organization={WHAT_IF: missing()}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("token eyJhbGci.eyJhdWQi.c2ln was refused", "token ... was refused"),
        ("token eyJhbGci.eyJhdWQi. was refused", "token ... was refused"),
        ("request 5f0e8a52-0000-4000-8000-AB9f61d7b3c8 failed", "request ... failed"),
        ("at 2026-11-21T09:00:01.1234567Z it failed", "at ... it failed"),
        ("at 11/21/2026 9:00:01 AM it failed", "at ... it failed"),
        ("am 21.11.2026 09:00:01 gescheitert", "am ... gescheitert"),
        ("on Sat, 21 Nov 2026 09:00:00 GMT", "on Sat, ... GMT"),
        ("am 21.11.2026 9.00.01 gescheitert", "am ... gescheitert"),
        ("after 00:00:30.1234567 it gave up", "after ... it gave up"),
        ("Exchange 15.2.2562.17 said\r\n  (401)", "Exchange 15.2.2562.17 said (401)"),
        ("x" * 600, "x" * 512),
        ("", ""),
    ],
    ids=[
        "JWT",
        "unsigned JWT",
        "id",
        "ISO",
        "English",
        "German",
        "HTTP",
        "dots",
        "duration",
        "version stays",
        "long",
        "none",
    ],
)
def test_a_text_for_the_status_has_no_token_no_id_and_no_time(text: str, expected: str) -> None:
    assert shown(text) == expected
