"""Policy Manage: an organisation is carried over its certificate's end, and no probe ever fails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from exchange_push_operator.core.timestamps import parse_utc, utc_text
from lab.calendar import LIFE, Watch, made, managed, pass_days, ready
from lab.exchange.build import add_auth_certificate, add_server
from lab.exchange.directory import AuthConfig
from lab.exchange.faults import set_fault
from lab.in_process import Lab, Operator
from lab.microsoft365.clouds import EXCHANGE_ONLINE
from lab.microsoft365.sample import CLIENT, FABRIKAM
from reconcile.test_crash import Counter, Killed

pytestmark = pytest.mark.lab

EX1, EX2 = "ex1.corp.fabrikam.com", "ex2.corp.fabrikam.com"
READY = ("True", "Succeeded")
NEW, COPY, SET = "New-ExchangeCertificate", "Copy-ExchangeCertificate", "Set-AuthConfig"


def current(outside: Lab) -> str:
    named: str = outside.exchange()["authConfig"]["current"]
    return named


def held(outside: Lab) -> set[str]:
    return {str(key["thumbprint"]) for key in outside.key_credentials()}


def events(outcomes: list[Any]) -> list[str]:
    return [event.reason for outcome in outcomes for event in outcome.events]


def warnings(outcomes: list[Any]) -> list[str]:
    told = (event for outcome in outcomes for event in outcome.events)
    return [event.reason for event in told if event.type == "Warning"]


def message(outside: Lab, type_: str) -> str:
    (found,) = (c for c in outside.status["conditions"] if c["type"] == type_)
    text: str = found["message"]
    return text


def transports(outside: Lab) -> list[str]:
    return [server.transport for server in outside.organization.servers.values()]


def stage(outside: Lab, thumbprint: str, days: float) -> None:
    """An administrator stages a certificate."""
    outside.administrator(
        SET,
        NewCertificateThumbprint=thumbprint,
        NewCertificateEffectiveDate=utc_text(outside.clock() + timedelta(days=days)),
        Force=True,
    )


@pytest.mark.parametrize("servers", [1, 3])
def test_three_roll_overs_without_one_probe_that_fails(servers: int) -> None:
    outside = managed(servers=servers)
    foreign, roles = held(outside), transports(outside)
    watch = ready(outside)
    set_fault(outside.organization, "old_signature_seconds", 3600)
    set_fault(outside.organization, "replication_lag_seconds", 40)
    first = current(outside)
    operator = Operator(outside, after=watch)
    rolled = [first]
    told: list[str] = []
    while len(rolled) < 4:
        told += pass_days(operator, watch, 1)
        assert outside.condition("Ready") == READY
        if current(outside) != rolled[-1]:
            rolled.append(current(outside))
    told += pass_days(operator, watch, 9)
    assert watch.failed == []
    assert watch.probes > 100 * servers
    assert made(outside, NEW) == 3
    assert made(outside, COPY) == 3 * (servers - 1)
    assert made(outside, SET) == 3
    assert transports(outside) == roles
    assert held(outside) == foreign | {rolled[-1]}
    for made_once in ("KeyCredentialAdded", "KeyCredentialRemoved", "CertificateRolledOver"):
        assert told.count(made_once) == 3
    assert "DriftCorrected" not in told
    for server in outside.organization.servers.values():
        assert len(server.store) == 1 + 1 + 3  # its transport certificate, the first, and three


def due(
    servers: int = 2, left: float = 70.5, interval: str = "1h", **certificate: Any
) -> tuple[Lab, Watch]:
    """In order, and a day later the next certificate is to be made."""
    outside = managed(certificate, servers=servers, left=left)
    outside.resource["spec"]["interval"] = interval
    watch = ready(outside)
    outside.clock.forward(days=1)
    return outside, watch


def test_the_status_reads_like_a_calendar() -> None:
    outside, watch = due()
    operator = Operator(outside, after=watch)
    told = events(operator.run())
    assert told == [
        "CertificateCreated",
        "CertificateImported",
        "KeyCredentialAdded",
        "CertificateStaged",
    ]
    coming = outside.status["certificate"]["next"]
    assert coming["stage"] == "Staged"
    lead = parse_utc(coming["effectiveDate"]) - outside.clock()
    assert timedelta(hours=48) < lead <= timedelta(hours=49, seconds=2)
    assert "previous" not in outside.status["certificate"]
    before = outside.status["certificate"]["thumbprint"]
    outside.clock.forward(hours=50)
    told = events(operator.run())
    assert told == ["CertificateRolledOver"]
    certificate = outside.status["certificate"]
    assert certificate["thumbprint"] == coming["thumbprint"]
    assert "next" not in certificate
    assert certificate["previous"]["thumbprint"] == before
    began, ends = (parse_utc(certificate["previous"][k]) for k in ("supersededAt", "removeAfter"))
    assert ends - began == timedelta(hours=168)
    outside.clock.forward(days=8)
    assert events(operator.run()) == ["KeyCredentialRemoved"]
    assert "removeAfter" not in outside.status["certificate"]["previous"]
    assert watch.failed == []


def test_nothing_is_written_while_the_date_is_waited_for() -> None:
    outside, watch = due()
    operator = Operator(outside, after=watch)
    operator.run()
    status = outside.status
    outside.clock.forward(hours=3)
    (outcome,) = operator.run()
    assert outcome.status == status
    assert outcome.changes == ()
    assert outcome.requeue.kind == "steady"


def test_a_plan_that_is_only_shown_stands_still() -> None:
    outside = managed(left=70.5)
    ready(outside)
    outside.edit({**outside.resource["spec"], "managementPolicy": "Observe"})
    outside.clock.forward(days=1)
    operator = outside.operator()
    operator.run()
    status = outside.status
    (change,) = status["plannedChanges"]
    assert change["id"].startswith("01-CertificateCreated.")
    outside.clock.forward(hours=7)
    operator.run()
    assert outside.status == status
    assert made(outside, NEW) == 0


def test_where_exchange_does_not_publish_at_the_date_we_do() -> None:
    outside, watch = due()
    set_fault(outside.organization, "auth_admin_stopped", value=True)
    operator = Operator(outside, after=watch)
    operator.run()
    coming = outside.status["certificate"]["next"]["thumbprint"]
    outside.clock.forward(hours=50)
    assert events(operator.run()) == []  # its servicelet looks every twelve hours
    outside.clock.forward(hours=12)
    told = events(operator.run())
    assert told == ["CertificatePublished", "CertificateRolledOver"]
    assert current(outside) == coming
    assert watch.failed == []


def test_a_key_that_vanishes_before_the_date_has_the_date_moved_first() -> None:
    outside, watch = due()
    operator = Operator(outside, after=watch)
    operator.run()
    coming = outside.status["certificate"]["next"]
    outside.clock.forward(hours=47)
    (gone,) = (k for k in outside.key_credentials() if k["thumbprint"] == coming["thumbprint"])
    outside.microsoft365.remove_keys(FABRIKAM, EXCHANGE_ONLINE, gone["keyId"])
    told = events(operator.run())
    assert told[:1] == ["CertificateDateMoved"]
    assert "KeyCredentialAdded" in told
    moved = outside.status["certificate"]["next"]["effectiveDate"]
    assert parse_utc(moved) - parse_utc(coming["effectiveDate"]) > timedelta(hours=46)
    pass_days(operator, watch, 3)
    assert current(outside) == coming["thumbprint"]
    assert watch.failed == []


def test_a_date_is_watched_more_often_than_the_interval_where_that_is_long() -> None:
    outside, watch = due(interval="168h")
    operator = Operator(outside, after=watch)
    (outcome,) = operator.run()[-1:]
    coming = outside.status["certificate"]["next"]["thumbprint"]
    (gone,) = (k for k in outside.key_credentials() if k["thumbprint"] == coming)
    outside.microsoft365.remove_keys(FABRIKAM, EXCHANGE_ONLINE, gone["keyId"])
    for _ in range(8):
        for _ in range(4):
            outside.clock.forward(seconds=outcome.requeue.interval / 4)
            watch()
        (outcome,) = operator.run()[-1:]
    assert current(outside) == coming
    assert watch.failed == []
    outside.clock.forward(days=1)
    assert operator.run()[-1].requeue.interval == timedelta(hours=168).total_seconds()


def test_a_next_certificate_that_somebody_else_staged_is_adopted() -> None:
    outside = managed(left=60)
    theirs = add_auth_certificate(outside.organization, start=outside.clock(), lifetime=LIFE * 9)
    stage(outside, theirs, days=20)
    watch = ready(outside)
    operator = Operator(outside, after=watch)
    pass_days(operator, watch, 21)
    assert current(outside) == theirs
    assert made(outside, NEW) == 0
    assert watch.failed == []


def hours(operator: Operator, watch: Watch, number: int) -> None:
    """One hour after another, as the operator looks by default."""
    for _ in range(2 * number):
        operator.lab.clock.forward(minutes=30)
        watch()
        operator.run(most=12)


def test_a_date_after_the_end_of_the_current_certificate_is_not_waited_for() -> None:
    outside = managed(left=3)
    theirs = add_auth_certificate(outside.organization, start=outside.clock(), lifetime=LIFE * 9)
    stage(outside, theirs, days=30)
    watch = ready(outside)
    hours(Operator(outside, after=watch), watch, 80)
    assert current(outside) == theirs
    assert made(outside, NEW) == 0
    assert watch.failed == []


@pytest.mark.parametrize("left", [1.5, 0.5])
def test_where_less_than_activate_after_is_left_the_next_one_comes_in_time(left: float) -> None:
    outside = managed(left=left)
    before = current(outside)
    watch = ready(outside)
    set_fault(outside.organization, "old_signature_seconds", 3600)
    hours(Operator(outside, after=watch), watch, 40)
    assert current(outside) != before
    assert made(outside, NEW) == 1
    assert watch.failed == []


def test_the_date_waits_for_a_server_that_joined_without_the_next_certificate() -> None:
    outside, watch = due()
    operator = Operator(outside, after=watch)
    operator.run()
    coming = outside.status["certificate"]["next"]["thumbprint"]
    add_server(outside.organization, "EX9").add(
        outside.organization.server(EX1).store[current(outside)]
    )
    pass_days(operator, watch, 4)
    assert current(outside) != coming
    outside.organization.server("EX9").add(outside.organization.server(EX1).store[coming])
    pass_days(operator, watch, 4)
    assert current(outside) == coming
    assert watch.failed == []


def test_an_expired_leftover_beside_a_valid_certificate_is_left_alone() -> None:
    outside = managed(left=110)
    now = outside.clock()
    leftover = add_auth_certificate(
        outside.organization, start=now - timedelta(days=400), lifetime=timedelta(days=300)
    )
    valid = current(outside)
    date = now + timedelta(days=300)
    outside.organization.view().put(AuthConfig(current=valid, next=leftover, next_effective=date))
    watch = ready(outside)
    pass_days(Operator(outside, after=watch), watch, 6)
    assert made(outside, NEW) == 0
    assert current(outside) == valid


def test_a_server_that_is_away_stops_the_roll_over_and_nothing_else() -> None:
    outside, watch = due(servers=3)
    set_fault(outside.organization, "down", value=True, server=EX2)
    operator = Operator(outside, after=watch)
    assert "RollOverWaits" in warnings(operator.run())
    assert made(outside, NEW) == 0
    assert outside.condition("CertificateReady") == ("True", "RollOverWaits")
    told = message(outside, "CertificateReady")
    assert EX2 in told
    assert outside.status["certificate"]["notAfter"] in told
    assert {"type": "RollOverWaits", "message": told} in outside.status["advisories"]
    assert outside.condition("Ready") == READY
    assert told in message(outside, "Ready")  # the column MESSAGE
    assert warnings(operator.run()) == []
    set_fault(outside.organization, "down", value=False, server=EX2)
    pass_days(operator, watch, 3)
    assert made(outside, NEW) == 1
    assert watch.failed == []


def test_an_identity_that_may_only_read_waits_for_an_administrator() -> None:
    outside, watch = due()
    rights = ("Application.Read.All", "Application.ReadWrite.All")
    outside.microsoft365.grant(FABRIKAM, CLIENT, rights[:1])
    operator = Operator(outside, after=watch)
    pass_days(operator, watch, 3)
    assert outside.status["certificate"]["next"]["stage"] == "WaitsForKey"
    assert outside.condition("InSync") == ("False", "AwaitingAdministrator")
    assert outside.condition("PrincipalCredentialReady") == ("True", "UpToDate")
    assert outside.condition("Ready") == READY
    assert made(outside, SET) == 0
    outside.microsoft365.grant(FABRIKAM, CLIENT, rights)
    pass_days(Operator(outside, after=watch), watch, 1)
    assert outside.status["certificate"]["next"]["stage"] == "Staged"
    assert made(outside, NEW) == 1
    assert watch.failed == []


def test_an_unlisted_server_without_the_next_key_stops_the_staging() -> None:
    outside, watch = due()
    add_server(outside.organization, "EX9")
    here = outside.organization.server(EX1).store[current(outside)]
    outside.organization.server("EX9").add(here)
    operator = Operator(outside, after=watch)
    operator.run()
    assert outside.status["certificate"]["next"]["stage"] == "Copying"
    assert outside.exchange()["authConfig"]["next"] == ""
    coming = outside.status["certificate"]["next"]["thumbprint"]
    outside.administrator(COPY, Thumbprint=coming, Server="ex9.corp.fabrikam.com")
    operator.run()
    assert outside.exchange()["authConfig"]["next"] == coming


def test_an_unlisted_server_that_cannot_be_asked_stops_the_roll_over() -> None:
    outside, watch = due()
    add_server(outside.organization, "EX9")
    set_fault(outside.organization, "rpc_down", value=True, server="EX9")
    Operator(outside, after=watch).run()
    assert outside.condition("CertificateReady") == ("True", "RollOverWaits")
    assert made(outside, NEW) == 0


def test_an_expired_certificate_has_the_valid_next_one_published_and_no_third_made() -> None:
    outside, watch = due(left=10.5, renewBefore="240h")
    operator = Operator(outside, after=watch)
    operator.run()
    coming = outside.status["certificate"]["next"]["thumbprint"]
    stage(outside, coming, days=200)
    outside.clock.forward(days=10)
    Operator(outside).run(most=12)
    assert current(outside) == coming
    assert made(outside, NEW) == 1
    assert made(outside, "Restart-Service") >= 2  # they signed with nothing


def test_a_lost_status_starts_the_grace_anew_and_harms_nothing() -> None:
    outside, watch = due()
    operator = Operator(outside, after=watch)
    operator.run()
    pass_days(operator, watch, 6)
    before = outside.status["certificate"]["previous"]["thumbprint"]
    outside.resource["status"] = {}
    operator = Operator(outside, after=watch)
    operator.run()
    pass_days(operator, watch, 5)
    assert before in held(outside)
    pass_days(operator, watch, 4)
    assert before not in held(outside)
    assert made(outside, NEW) == 1
    assert watch.failed == []


def test_a_renew_before_as_long_as_the_life_of_a_certificate_is_refused() -> None:
    outside = managed({"renewBefore": "2880h"})
    watch = ready_enough(outside)
    Operator(outside, after=watch).run()
    assert outside.condition("CertificateReady") == ("False", "RenewBeforeTooLong")
    assert made(outside, NEW) == 0


def ready_enough(outside: Lab) -> Watch:
    outside.operator().run()
    return Watch(outside)


def test_clocks_that_are_apart_stop_the_roll_over() -> None:
    outside, _ = due()
    set_fault(outside.organization, "clock_skew", 400.0, server=EX2)
    outside.operator().run()
    assert outside.condition("CertificateReady") == ("False", "ClockDiffers")
    assert made(outside, NEW) == 0


def test_clocks_that_are_apart_stop_the_staging_too() -> None:
    outside, _ = due()
    rights = ("Application.Read.All", "Application.ReadWrite.All")
    outside.microsoft365.grant(FABRIKAM, CLIENT, rights[:1])
    outside.operator().run()
    assert outside.status["certificate"]["next"]["stage"] == "WaitsForKey"
    outside.microsoft365.grant(FABRIKAM, CLIENT, rights)
    set_fault(outside.organization, "clock_skew", 400.0, server=EX2)
    outside.operator().run()
    assert outside.condition("CertificateReady") == ("False", "ClockDiffers")
    assert (made(outside, NEW), made(outside, SET)) == (1, 0)


def test_a_certificate_that_was_given_up_is_followed_at_once() -> None:
    outside = managed(left=100)
    set_fault(outside.organization, "old_signature_seconds", 3600)
    watch = ready(outside)
    leaked = current(outside)
    outside.edit({**outside.resource["spec"], **rotate(outside)})
    operator = Operator(outside, after=watch)
    for _ in range(8):
        operator.run(most=2)
        outside.clock.forward(minutes=5)
        watch()
    assert current(outside) != leaked
    assert made(outside, NEW) == 1
    assert made(outside, "Restart-Service") >= 2
    assert outside.condition("Ready") == READY
    pass_days(operator, watch, 8)
    assert leaked not in held(outside)
    assert made(outside, NEW) == 1
    assert watch.failed == []


def rotate(outside: Lab) -> dict[str, Any]:
    moment = f"{outside.clock():%Y-%m-%dT%H:%M:%SZ}"
    certificate = {**outside.resource["spec"]["certificate"], "rotateAfter": moment}
    return {"certificate": certificate}


# killed


def story() -> Iterator[tuple[str, int]]:
    """How many remote calls the pass has that makes, copies, adds and stages."""
    outside, watch = due()
    counter = Counter()
    Operator(outside, before=counter, after=watch).run()
    yield from (("after", point) for point in range(1, counter.count + 1))


def test_rule_05_a_kill_at_any_remote_call_of_a_roll_over_makes_no_second_of_anything() -> None:
    calls = 0
    for _, point in story():
        outside, watch = due()
        foreign = held(outside)

        def cut(counter: Counter = Counter(point), watch: Watch = watch) -> None:  # noqa: B008 - one for each story
            watch()
            counter()

        with pytest.raises(Killed):
            Operator(outside, after=cut).run()
        operator = Operator(outside, after=watch)
        operator.run()
        outside.clock.forward(hours=50)
        operator.run()
        outside.clock.forward(days=8)
        operator.run()
        assert outside.condition("Ready") == READY, point
        assert (made(outside, NEW), made(outside, COPY)) == (1, 1), point
        assert len(held(outside)) == len(foreign), point
        assert watch.failed == [], point
        calls += 1
    assert calls > 30


# two organisations


def test_two_organisations_on_one_principal_roll_over_side_by_side() -> None:
    labs = [outside := managed(), managed(left=72, beside=outside)]
    foreign = held(outside)
    watches = [ready(one) for one in labs]
    firsts = {current(one) for one in labs}
    operators = [Operator(one, after=watch) for one, watch in zip(labs, watches, strict=True)]
    for _ in range(18):
        for operator, watch in zip(operators, watches, strict=True):
            pass_days(operator, watch, 1)
    assert [made(one, NEW) for one in labs] == [1, 1]
    assert not firsts & held(outside)
    assert held(outside) == foreign | {current(one) for one in labs}
    assert [watch.failed for watch in watches] == [[], []]
