"""A night of updates: every server is away for an hour, one after another."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from exchange_push_operator.core.schedule import delay
from lab.exchange.faults import set_fault
from lab.exchange.server import Server
from lab.in_process import START, Lab, Operator, lab

pytestmark = pytest.mark.lab

COUNT = 3
ONE_LESS = f"{COUNT - 1}/{COUNT}"
NAMES = [f"ex{number}.corp.fabrikam.com" for number in range(1, COUNT + 1)]
LISTED: dict[str, Any] = {"exchange": {"servers": [{"name": name} for name in NAMES]}}
RESTART, CREATE = "Restart-Service", "New-ExchangeCertificate"
WARM_UP = 120  # seconds, of the article


@dataclass
class Night:
    """Makes passes when they are due, and updates in between. ``resting`` has its hour."""

    outside: Lab
    operator: Operator
    resting: str = ""
    due: datetime = START
    failures: int = 0
    changes: int = 0
    seen: list[dict[str, Any]] = field(default_factory=list)

    def run(self, updates: Iterable[tuple[timedelta, Callable[[], None]]]) -> None:
        begin = self.outside.clock.now
        for after, update in updates:
            self.passes(until=begin + after)
            update()
        self.passes(until=self.outside.clock.now + timedelta(hours=2))

    def passes(self, until: datetime) -> None:
        while self.due <= until:
            self.outside.clock.now = self.due
            self.look()
        self.outside.clock.now = until

    def look(self) -> None:
        asked = len(self.operator.exchange.requests)
        outcome = self.operator.step()
        pause = delay(outcome.requeue, self.failures, None, 0.5)
        self.failures = self.failures + 1 if outcome.requeue.kind == "retry" else 0
        self.due = self.outside.clock.now + timedelta(seconds=pause)
        self.seen.append(copy.deepcopy(self.outside.status))
        self._left_alone(self.operator.exchange.requests[asked:])

    def _left_alone(self, requests: list[tuple[str, tuple[str, ...], bool]]) -> None:
        """Nothing is written to a server that rests, and it is not probed."""
        for server, commands, changes in requests:
            if server == self.resting:
                assert not changes
                assert not any(text.startswith("Invoke-MonitoringProbe") for text in commands)

    @property
    def written(self) -> list[dict[str, Any]]:
        """Every status that the API server got."""
        return [new for old, new in pairwise(self.seen) if new != old]


def hour(night: Night, server: Server, start: timedelta) -> Iterator[tuple[timedelta, Any]]:
    """One server: maintenance, Setup, a restart of Windows, and back into service."""

    def fault(**switches: Any) -> None:
        for name, value in switches.items():
            set_fault(night.outside.organization, name, value, server=server.fqdn)

    def leave() -> None:
        night.resting = server.fqdn
        fault(maintenance=True)

    def come_back() -> None:
        fault(down=False, setup_running=False, maintenance=False)
        server.health_manager_started = server.now()
        night.resting = ""
        # Somebody asks for a look, as one does after an update.
        night.due = night.outside.clock.now + timedelta(minutes=1)

    yield start, leave
    yield start + timedelta(minutes=10), lambda: fault(setup_running=True)
    yield start + timedelta(minutes=30), lambda: fault(down=True)
    yield start + timedelta(minutes=60), come_back


def evening(interval: str = "5m") -> Night:
    """All is well, and has been for an hour."""
    outside = lab({**LISTED, "interval": interval}, servers=COUNT)
    operator = outside.operator()
    operator.run()
    set_fault(outside.organization, "probe_warmup", WARM_UP)
    outside.clock.forward(hours=1)
    night = Night(outside, operator, changes=len(outside.organization.changes))
    night.look()
    assert outside.condition("Ready") == ("True", "Succeeded")
    return night


def updates(night: Night) -> Iterator[tuple[timedelta, Callable[[], None]]]:
    for number, server in enumerate(night.outside.organization.servers.values()):
        yield from hour(night, server, timedelta(minutes=7 + 80 * number))


@pytest.fixture(scope="module")
def night() -> Night:
    """The whole night, over; tests only read what it left."""
    night = evening()
    night.run(updates(night))
    return night


def cost_nothing(night: Night) -> None:
    assert {status["conditions"][0]["status"] for status in night.seen} == {"True"}
    assert {status["serversReady"] for status in night.seen} == {f"{COUNT}/{COUNT}", ONE_LESS}
    assert night.outside.status == night.seen[0]
    assert len(night.outside.organization.changes) == night.changes


def test_a_night_of_updates_costs_ready_nothing(night: Night) -> None:
    cost_nothing(night)


def test_nor_does_it_with_a_look_every_hour() -> None:
    night = evening("1h")
    night.run(updates(night))
    cost_nothing(night)


def test_only_the_turns_of_a_night_are_written(night: Night) -> None:
    turns = [{"InMaintenance"}, {"Unreachable"}, {"Settling"}, set()]
    rows = [{row.get("reason") for row in s["servers"]} - {None} for s in night.written]
    assert rows == turns * COUNT
    since = [row["awaySince"] for s in night.seen for row in s["servers"] if "awaySince" in row]
    assert len(set(since)) == COUNT


def test_the_advisories_of_a_night_come_and_go(night: Night) -> None:
    usual = {a["type"] for a in night.seen[0]["advisories"]}
    told = [{a["type"] for a in status["advisories"]} - usual for status in night.written]
    assert told == [{"ServersInMaintenance"}, {"ServersAway"}, set(), set()] * COUNT


def test_a_restart_of_the_operator_forgets_nothing_of_the_night() -> None:
    night = evening()

    def restart() -> None:
        night.operator = night.outside.operator()

    night.run((after, both(update, restart)) for after, update in updates(night))
    assert night.outside.status == night.seen[0]
    assert {status["conditions"][0]["status"] for status in night.seen} == {"True"}


def both(first: Callable[[], None], second: Callable[[], None]) -> Callable[[], None]:
    def do() -> None:
        first()
        second()

    return do


def test_a_server_in_maintenance_gets_its_health_manager_restarted_after_the_night() -> None:
    night = evening()
    ex2 = night.outside.organization.server(NAMES[1])
    steps = dict(enumerate(hour(night, ex2, timedelta(minutes=7))))
    (begin, leave), (end, _) = steps[0], steps[3]

    def disable() -> None:
        night.outside.administrator("Disable-PushNotificationProxy", Confirm=False)

    def without_a_restart() -> None:
        set_fault(night.outside.organization, "maintenance", value=False, server=ex2.fqdn)
        night.resting = ""

    night.run([(begin, leave), (begin + timedelta(minutes=1), disable), (end, without_a_restart)])
    restarted = [c.server for c in night.outside.organization.changes if c.cmdlet == RESTART]
    assert restarted[COUNT:] == [NAMES[0], NAMES[2], NAMES[1]]
    assert night.outside.status["serversReady"] == f"{COUNT}/{COUNT}"


def test_a_server_in_maintenance_gets_its_transport_role_back_after_the_night() -> None:
    outside = lab(LISTED, auth_certificate=False, servers=COUNT)
    set_fault(outside.organization, "creation_takes_transport", value=True)
    before = outside.outside()["transport"]

    def leave() -> None:
        """The operator is killed, and the server that made the certificate goes to rest."""
        made = [c.server for c in outside.organization.changes if c.cmdlet == CREATE]
        if made:
            set_fault(outside.organization, "maintenance", value=True, server=made[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Operator(outside, after=leave).run()
    operator = outside.operator()
    operator.run()
    assert outside.outside()["transport"] != before
    set_fault(outside.organization, "maintenance", value=False)
    operator.run()
    assert outside.outside()["transport"] == before
    assert outside.condition("Ready") == ("True", "Succeeded")


def test_a_server_in_maintenance_gets_its_missing_certificate_after_the_night() -> None:
    night = evening()
    ex2 = night.outside.organization.server(NAMES[1])
    current = night.outside.exchange()["authConfig"]["current"]
    set_fault(night.outside.organization, "maintenance", value=True, server=ex2.fqdn)
    night.resting = ex2.fqdn
    del ex2.store[current]
    night.look()
    assert night.outside.condition("Ready") == ("True", "Succeeded")
    assert night.outside.status["serversReady"] == ONE_LESS
    set_fault(night.outside.organization, "maintenance", value=False)
    night.resting = ""
    night.operator.run()
    assert ex2.store[current].key is not None
    assert night.outside.status["serversReady"] == f"{COUNT}/{COUNT}"


def test_a_server_that_stays_away_costs_ready_and_the_others_are_mended_meanwhile() -> None:
    night = evening("1h")
    outside = night.outside
    set_fault(outside.organization, "down", value=True, server=NAMES[1])
    night.passes(until=outside.clock.now + timedelta(hours=26))
    assert outside.condition("Ready") == ("Unknown", "Unreachable")
    outside.administrator("Disable-PushNotificationProxy", Confirm=False)
    night.passes(until=outside.clock.now + timedelta(hours=2))
    assert outside.exchange()["proxy"]["enabled"] is True
    assert outside.condition("Verified") == ("True", "ProbeSucceeded")
    assert outside.condition("Ready") == ("Unknown", "Unreachable")
    assert outside.status["serversReady"] == ONE_LESS
