"""Policy Manage, ``rotateAfter``: a key leaked, perhaps more than once, and there is a way on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import pytest

from exchange_push_operator.core.timestamps import parse_utc
from lab.calendar import Watch, made, managed, pass_days, ready
from lab.exchange.faults import set_fault
from lab.in_process import Lab, Operator
from lab.microsoft365.sample import CLIENT, FABRIKAM
from reconcile.test_crash import Counter, Killed
from reconcile.test_rollover import NEW, READY, SET, current, due, events, held, warnings

pytestmark = pytest.mark.lab

READ, WRITE = "Application.Read.All", "Application.ReadWrite.All"


def rotate(outside: Lab, moment: datetime | None = None, text: str = "%Y-%m-%dT%H:%M:%SZ") -> None:
    """The user gives up every certificate that was made before now, or that moment."""
    certificate = {**outside.resource["spec"]["certificate"]}
    certificate["rotateAfter"] = f"{moment or outside.clock():{text}}"
    outside.edit({**outside.resource["spec"], "certificate": certificate})


def allow(outside: Lab, *roles: str) -> None:
    outside.microsoft365.grant(FABRIKAM, CLIENT, roles)


def in_order(servers: int = 2) -> tuple[Lab, Watch]:
    """A certificate with months left."""
    outside = managed(servers=servers, left=100)
    return outside, ready(outside)


def minutes(operator: Operator, watch: Watch, count: int) -> list[str]:
    """Pass by pass, five minutes apart; the thumbprints that were current."""
    seen = []
    for _ in range(count // 5):
        operator.run(most=2)
        operator.lab.clock.forward(minutes=5)
        watch()
        seen.append(current(operator.lab))
    return list(dict.fromkeys(seen))


def waiting_for_its_key() -> tuple[Lab, Watch]:
    """The next one is made, and only an administrator may add its key."""
    outside, watch = in_order()
    allow(outside, READ)
    rotate(outside)
    Operator(outside, after=watch).run()
    assert outside.status["certificate"]["next"]["stage"] == "WaitsForKey"
    return outside, watch


def staged(servers: int = 2) -> tuple[Lab, Watch]:
    """The next one has a date."""
    outside, watch = in_order(servers)
    rotate(outside)
    Operator(outside, after=watch).run()
    assert outside.status["certificate"]["next"]["stage"] == "Staged"
    return outside, watch


@pytest.mark.parametrize("story", [waiting_for_its_key, staged])
def test_given_up_once_more_before_it_was_current_another_one_follows(
    story: Callable[[], tuple[Lab, Watch]],
) -> None:
    outside, watch = story()
    leaked, again = current(outside), outside.status["certificate"]["next"]["thumbprint"]
    outside.clock.forward(minutes=12)
    allow(outside, READ, WRITE)
    rotate(outside)
    first, last = minutes(Operator(outside, after=watch), watch, 60)
    assert first == leaked
    assert last not in (leaked, again)
    assert made(outside, NEW) == 2
    assert outside.condition("Ready") == READY
    assert outside.condition("InSync") == ("True", "NoDrift")
    assert watch.failed == []


def test_one_that_was_made_and_not_staged_before_the_key_leaked_is_not_waited_for() -> None:
    """It bears the name that the next one would get, and Exchange has it already."""
    outside, watch = due()
    allow(outside, READ)
    Operator(outside, after=watch).run()
    waiting, leaked = outside.status["certificate"]["next"], current(outside)
    assert waiting["stage"] == "WaitsForKey"
    allow(outside, READ, WRITE)
    outside.clock.forward(hours=1)
    rotate(outside)
    minutes(Operator(outside, after=watch), watch, 60)
    assert current(outside) not in (leaked, waiting["thumbprint"])
    assert made(outside, NEW) == 2
    assert outside.condition("Ready") == READY
    assert watch.failed == []


def test_the_one_that_was_given_up_may_be_removed_while_another_waits() -> None:
    outside, watch = waiting_for_its_key()
    again = outside.status["certificate"]["next"]["thumbprint"]
    outside.clock.forward(minutes=12)
    rotate(outside)
    Operator(outside, after=watch).run()
    for server in outside.organization.servers.values():
        server.store.pop(again)
    allow(outside, READ, WRITE)
    minutes(Operator(outside, after=watch), watch, 40)
    assert made(outside, NEW) == 2
    assert outside.condition("Ready") == READY
    assert watch.failed == []


def test_one_that_was_given_up_never_becomes_current_though_it_is_staged() -> None:
    outside = managed(left=70.5)
    watch = ready(outside)
    outside.clock.forward(days=1)
    Operator(outside, after=watch).run()
    given_up = outside.status["certificate"]["next"]
    outside.clock.forward(hours=1)
    allow(outside, READ)
    rotate(outside)
    operator = Operator(outside, after=watch)
    told = pass_days(operator, watch, 5)
    assert "CertificateDateMoved" in told
    assert outside.clock() > parse_utc(given_up["effectiveDate"])
    assert current(outside) != given_up["thumbprint"]
    rotate(outside)
    pass_days(operator, watch, 1)
    allow(outside, READ, WRITE)
    seen = minutes(Operator(outside, after=watch), watch, 60)
    assert given_up["thumbprint"] not in seen
    assert made(outside, NEW) == 3
    assert outside.condition("Ready") == READY
    assert watch.failed == []


@pytest.mark.parametrize("seconds", [-2.0, -100.0, -290.0, 100.0])
def test_a_clock_of_exchange_that_is_a_little_off_makes_no_second_one(seconds: float) -> None:
    outside, watch = in_order()
    set_fault(outside.organization, "clock_skew", seconds)
    rotate(outside)
    minutes(Operator(outside, after=watch), watch, 60)
    assert made(outside, NEW) == 1
    assert outside.condition("Ready") == READY
    set_fault(outside.organization, "clock_skew", 0.0)
    minutes(Operator(outside, after=watch), watch, 60)
    assert made(outside, NEW) == 1


def test_a_fraction_of_a_second_makes_no_second_one() -> None:
    outside, watch = in_order()
    outside.clock.forward(milliseconds=900)
    rotate(outside, outside.clock() - timedelta(milliseconds=100), "%Y-%m-%dT%H:%M:%S.%fZ")
    minutes(Operator(outside, after=watch), watch, 60)
    assert made(outside, NEW) == 1
    assert outside.condition("Ready") == READY


def test_rule_05_a_kill_at_any_remote_call_after_it_was_given_up_makes_no_third() -> None:
    def story(cut: Counter) -> tuple[Lab, Watch]:
        outside, watch = staged(servers=1)
        outside.clock.forward(minutes=12)
        rotate(outside)
        with suppress(Killed):
            Operator(outside, after=cut).step()
        return outside, watch

    counter = Counter()
    story(counter)
    assert counter.count > 15
    for point in range(1, counter.count + 1):
        outside, watch = story(Counter(point))
        minutes(Operator(outside, after=watch), watch, 30)
        assert made(outside, NEW) == 2, point
        assert outside.condition("Ready") == READY, point
        assert watch.failed == [], point


# the keys of those that were given up


def test_each_key_of_ours_goes_when_its_own_grace_is_over() -> None:
    outside, watch = in_order()
    foreign = held(outside) - {current(outside)}
    operator = Operator(outside, after=watch)
    former = []
    for _ in range(3):
        former.append(current(outside))
        rotate(outside)
        minutes(operator, watch, 60)
        pass_days(operator, watch, 2)
    told = outside.status["principalCredential"]["superseded"]
    assert [key["thumbprint"] for key in told] == former
    assert all(parse_utc(k["removeAfter"]) > outside.clock() for k in told)
    (advisory,) = (a for a in outside.status["advisories"] if a["type"] == "SupersededKeys")
    assert all(thumbprint in advisory["message"] for thumbprint in former[:2])
    assert former[2] not in advisory["message"]  # AuthConfig names it, as previous
    pass_days(operator, watch, 2)
    assert not {former[0]} & held(outside)
    assert {former[1], former[2]} <= held(outside)
    pass_days(operator, watch, 5)
    assert held(outside) == foreign | {current(outside)}
    assert "superseded" not in outside.status["principalCredential"]
    assert made(outside, NEW) == 3
    assert watch.failed == []


def test_a_lost_status_starts_the_grace_of_each_anew() -> None:
    outside, watch = in_order()
    operator = Operator(outside, after=watch)
    former = []
    for _ in range(2):
        former.append(current(outside))
        rotate(outside)
        minutes(operator, watch, 60)
    pass_days(operator, watch, 6)
    outside.resource["status"] = {}
    pass_days(operator, watch, 6)
    assert {*former} <= held(outside)
    pass_days(operator, watch, 2)
    assert not {*former} & held(outside)


# called off


def test_called_off_before_it_is_staged_it_rests() -> None:
    outside, watch = waiting_for_its_key()
    leaked = current(outside)
    without_rotate_after(outside)
    allow(outside, READ, WRITE)
    pass_days(Operator(outside, after=watch), watch, 3)
    assert current(outside) == leaked
    assert outside.condition("Ready") == READY
    assert outside.condition("InSync") == ("True", "NoDrift")
    assert outside.status["certificate"]["next"]["stage"] == "NotDue"
    assert (made(outside, NEW), made(outside, SET)) == (1, 0)


def without_rotate_after(outside: Lab, **changed: str) -> None:
    certificate = {**outside.resource["spec"]["certificate"], **changed}
    certificate.pop("rotateAfter")
    outside.edit({**outside.resource["spec"], "certificate": certificate})


def test_called_off_its_key_goes_when_the_grace_is_over() -> None:
    outside, watch = in_order()
    before = held(outside)
    rotate(outside)

    def cut() -> None:
        if held(outside) != before:
            raise Killed

    with pytest.raises(Killed):
        Operator(outside, after=cut).run()
    without_rotate_after(outside)
    operator = Operator(outside, after=watch)
    pass_days(operator, watch, 1)
    (told,) = outside.status["principalCredential"]["superseded"]
    assert told["thumbprint"] == outside.status["certificate"]["next"]["thumbprint"]
    pass_days(operator, watch, 8)
    assert held(outside) == before
    assert (made(outside, NEW), made(outside, SET)) == (1, 0)
    assert outside.condition("Ready") == READY


def test_called_off_what_was_made_is_taken_up_when_it_is_due() -> None:
    outside, watch = waiting_for_its_key()
    coming = outside.status["certificate"]["next"]["thumbprint"]
    without_rotate_after(outside)
    allow(outside, READ, WRITE)
    pass_days(Operator(outside, after=watch), watch, 35)
    assert current(outside) == coming
    assert made(outside, NEW) == 1
    assert watch.failed == []


def test_policy_adopt_stops_it_and_what_was_made_may_be_removed() -> None:
    outside, watch = waiting_for_its_key()
    leaked, coming = current(outside), outside.status["certificate"]["next"]["thumbprint"]
    without_rotate_after(outside, policy="Adopt")
    allow(outside, READ, WRITE)
    operator = Operator(outside, after=watch)
    operator.run()
    for server in outside.organization.servers.values():
        server.store.pop(coming)
    pass_days(operator, watch, 3)
    assert current(outside) == leaked
    assert coming not in held(outside)
    assert (made(outside, NEW), made(outside, SET)) == (1, 0)
    assert outside.condition("Ready") == READY
    assert outside.condition("InSync") == ("True", "NoDrift")


# what it waits for is seen


def test_a_wait_after_a_leak_tells_the_end_of_the_certificate_too() -> None:
    outside, watch = in_order()
    set_fault(outside.organization, "down", value=True, server="ex2.corp.fabrikam.com")
    rotate(outside)
    assert "RollOverWaits" in warnings(Operator(outside, after=watch).run())
    (told,) = (a for a in outside.status["advisories"] if a["type"] == "RollOverWaits")
    assert "was made before spec.certificate.rotateAfter" in told["message"]
    assert outside.status["certificate"]["notAfter"] in told["message"]
    assert outside.condition("Ready") == READY


# its date


def test_it_is_published_only_when_the_minutes_of_entra_id_are_over() -> None:
    outside, watch = in_order()
    set_fault(outside.organization, "auth_admin_stopped", value=True)
    leaked = current(outside)
    rotate(outside)
    operator = Operator(outside, after=watch)
    assert "CertificateStaged" in events(operator.run(most=12))
    began = outside.clock()
    while current(outside) == leaked:
        operator.step()
        outside.clock.forward(minutes=1)
        watch()
    assert timedelta(minutes=14) < outside.clock() - began < timedelta(minutes=17)
    assert made(outside, SET) == 2
    assert watch.failed == []
