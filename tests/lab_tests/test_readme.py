"""The lab's README tells of every switch."""

from dataclasses import fields

from lab.exchange.organization import Switches
from lab.exchange.server import ServerFaults
from lab.microsoft365.faults import SWITCHES
from lab.resources import ROOT


def test_the_readme_names_every_switch_of_the_lab() -> None:
    text = (ROOT / "tests" / "lab" / "README.md").read_text("utf-8")
    names = {one.name for kind in (ServerFaults, Switches) for one in fields(kind)} | set(SWITCHES)

    assert sorted(name for name in names if f"`{name}`" not in text) == []
