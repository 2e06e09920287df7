"""A roll-over under any faults at any moment: no probe fails, nothing is made twice.

A small number of stories here; `make nightly` tells some six thousand.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lab.calendar import Watch, made, managed, ready
from lab.in_process import Lab, Operator
from reliability.any_story import (
    ALL,
    KILLED,
    MICROSOFT,
    OF_MICROSOFT,
    OF_ORGANIZATION,
    OF_SERVER,
    SERVERS,
    Fault,
)
from reliability.told import Telling

pytestmark = pytest.mark.lab

# The probe itself fails under these, roll-over or not.
BREAK_THE_PROBE = (
    "acs_failure",
    "clock_skew",
    "health_manager_broken",
    "health_manager_stopped",
    "outbound_blocked",
    "push_failure",
)
CMDLETS = (
    "Copy-ExchangeCertificate",
    "Get-AuthConfig",
    "Get-ExchangeServer",
    "New-ExchangeCertificate",
    "Set-AuthConfig",
)


def usable(*known: tuple[str, object]) -> list[tuple[str, object]]:
    return [one for one in known if one[0] not in BREAK_THE_PROBE]


ON_SERVERS = usable(*OF_SERVER, *(("stuck_cmdlet", name) for name in CMDLETS))
kinds = st.one_of(
    st.tuples(st.sampled_from(ON_SERVERS), st.sampled_from((ALL, *SERVERS[:2]))),
    st.tuples(st.sampled_from(usable(*OF_ORGANIZATION)), st.just(ALL)),
    st.tuples(st.sampled_from(usable(*OF_MICROSOFT)), st.just(MICROSOFT)),
    st.just(((KILLED, True), ALL)),
)
faults = st.builds(
    lambda at, kind, calls: Fault(at, kind[0][0], kind[0][1], kind[1], calls),
    st.integers(0, 80),
    kinds,
    st.integers(1, 40),
)


class RollOver(Telling):
    """The certificate is due; the story is told, cured, and watched until the key is removed."""

    def __init__(self, outside: Lab, faults: list[Fault]) -> None:
        self.watch = ready(outside)
        outside.clock.forward(days=1)
        super().__init__(outside, faults, passes=4)

    def operator(self) -> Operator:
        """A new life; every server is probed after each of its calls."""
        return Operator(self.outside, before=self.call, after=self.watch)

    def to_the_end(self) -> None:
        """Under faults while it is made and staged, and without until all is over."""
        self.play()
        operator = self.operator()
        for _ in range(16):
            self.outside.clock.forward(days=1)
            self.watch()
            operator.run(most=12)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=settings().max_examples // 4)
@example(found=[Fault(30, "first_party_locked", value=True, target=MICROSOFT, calls=40)])
@example(found=[Fault(25, "reset_after_patch", 1, MICROSOFT)])
@given(st.lists(faults, min_size=1, max_size=3).map(lambda f: sorted(f, key=lambda one: one.at)))
def test_a_roll_over_ends_well_whatever_goes_wrong_in_it(found: list[Fault]) -> None:
    ends_well(found)


def ends_well(found: list[Fault]) -> None:
    """No probe failed, and one certificate and one key took the place of another."""
    telling = RollOver(managed(left=70.5), found)
    outside, before = telling.outside, len(telling.outside.key_credentials())
    transports = [server.transport for server in outside.organization.servers.values()]
    rivals = sum(fault.name == "rival" for fault in found)
    telling.to_the_end()
    assert telling.watch.failed == []
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert made(outside, "New-ExchangeCertificate") == 1
    assert outside.status["certificate"]["origin"] == "Created"
    assert before <= len(outside.key_credentials()) <= before + rivals
    assert transports == [server.transport for server in outside.organization.servers.values()]


# Every fault at every remote call of the pass that makes, copies, adds the key and stages.
_KINDS = [
    *((name, value, where) for name, value in ON_SERVERS for where in SERVERS[:2]),
    *((name, value, ALL) for name, value in usable(*OF_ORGANIZATION)),
    *((name, value, MICROSOFT) for name, value in usable(*OF_MICROSOFT)),
]
_CALLS = 60
_PRODUCT = [Fault(at, *kind, calls=8) for at in range(_CALLS) for kind in _KINDS]
_NIGHTLY = settings().max_examples > 1000


@pytest.mark.parametrize("fault", _PRODUCT if _NIGHTLY else _PRODUCT[:: 3 * _CALLS + 1], ids=str)
def test_a_roll_over_ends_well_with_each_fault_at_each_call(fault: Fault) -> None:
    ends_well([fault])


def test_the_watch_sees_a_probe_that_fails() -> None:
    outside = managed()
    watch: Watch = ready(outside)
    outside.organization.server("EX1").store.clear()
    watch()
    assert len(watch.failed) == 1
