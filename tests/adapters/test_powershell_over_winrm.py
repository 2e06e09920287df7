"""The operator over WinRM, and behind it the shipped scripts in a real PowerShell.

Each test runs twice: in PowerShell where there is one, and with a program in its place that
speaks the same lines, so that what is around PowerShell is tested everywhere.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from adapters.over_winrm import OverWinRM
from lab.exchange.pwsh.process import PowerShellProcess
from lab.in_process import lab
from lab.wait import until
from lab_tests import fake_powershell

pytestmark = pytest.mark.lab

IN_PLACE = pytest.mark.skipif(sys.platform == "win32", reason="the program is a shell script")


@pytest.fixture(
    params=[
        pytest.param("PowerShell", marks=pytest.mark.powershell),
        pytest.param("a program in its place", marks=IN_PLACE),
    ]
)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OverWinRM]:
    real = request.param == "PowerShell"
    path = request.getfixturevalue("powershell") if real else fake_powershell.program(tmp_path)
    with ExitStack() as things:
        yield OverWinRM(things, process=partial(PowerShellProcess, powershell=path))


def test_a_fresh_organisation_becomes_ready_and_nothing_is_left_open(site: OverWinRM) -> None:
    site.operator.run()
    assert site.outside.condition("Ready") == ("True", "Succeeded")
    reference = lab(auth_certificate=False)
    reference.operator().run()
    assert site.outside.outside() == reference.outside()
    site.pool.close()
    assert site.open_shells == 0
    until(lambda: site.open_processes == 0, 10, "the processes to end")


def test_a_pass_costs_one_process_and_one_session_on_each_server(site: OverWinRM) -> None:
    site.operator.step()
    for service in site.services.values():
        assert (service.counters["processes"], service.counters["sessions"]) == (1, 1)
        assert service.counters["host.login"] == 1


@pytest.mark.parametrize("fault", ["die_before_change", "die_after_change", "lost_answers"])
def test_a_process_that_ends_in_the_middle_of_a_change_leaves_no_duplicate(
    site: OverWinRM, fault: str
) -> None:
    site.fault(fault)
    site.operator.run()
    site.outside.clock.forward(minutes=10)  # a change that is not seen is not repeated at once
    site.operator.run()
    assert site.outside.condition("Ready") == ("True", "Succeeded")
    made = [change.cmdlet for change in site.outside.organization.changes]
    assert made.count("New-ExchangeCertificate") == 1
    assert made.count("New-AuthServer") == 1


def test_a_second_hop_that_is_refused_has_its_own_reason(site: OverWinRM) -> None:
    site.fault("second_hop_refused", value=True)
    site.operator.run()
    assert site.outside.condition("Stalled") == ("True", "SecondHopFailed")
