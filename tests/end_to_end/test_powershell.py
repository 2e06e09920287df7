"""`make lab POWERSHELL=pwsh`: the whole lab with the shipped scripts in a real PowerShell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.looking import assert_configured
from lab.running import Options, RunningLab
from lab.status_watch import StatusWatch
from lab_tests import fake_powershell


@pytest.fixture(
    params=[
        pytest.param("PowerShell", marks=pytest.mark.powershell),
        "a program in its place",
    ]
)
def powershell_lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningLab]:
    real = request.param == "PowerShell"
    path = request.getfixturevalue("powershell") if real else fake_powershell.program(tmp_path)
    with RunningLab(Options(powershell=path)) as lab, StatusWatch(lab.cluster) as watch:
        yield lab
        watch.caught_up()


def test_a_fresh_organisation_becomes_ready_with_powershell_on_its_servers(
    powershell_lab: RunningLab,
) -> None:
    lab = powershell_lab
    lab.control.post("/reset", authCertificate=False)
    lab.apply(lab.example())
    lab.wait_ready()
    assert_configured(lab)
    for counted in lab.control.counters()["exchange"].values():
        assert counted["requests"]["sessions"] == 1
        assert counted["requests"]["host.login"] == 1
