"""Each situation of a resource as tools outside read it: kstatus says what we say it does."""

from __future__ import annotations

import subprocess

import pytest

from lab.binaries import kstatus_binary
from lab.situations import OBJECTS, SITUATIONS, Situation, record

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
def test_the_recorded_object_is_what_the_operator_writes_today(situation: Situation) -> None:
    """`python -m lab.situations` writes them anew; read the difference."""
    assert record(situation) == (OBJECTS / f"{situation.name}.json").read_text("utf-8")


def test_every_recorded_object_is_of_a_situation() -> None:
    assert {path.stem for path in OBJECTS.iterdir()} == {one.name for one in SITUATIONS}


def test_kstatus_says_what_we_expect_of_each_situation() -> None:
    """That of cli-utils, and Flux's."""
    objects = [(OBJECTS / f"{one.name}.json").read_text("utf-8") for one in SITUATIONS]
    command = [str(kstatus_binary())]
    asked = subprocess.run(
        command, input="\n".join(objects), capture_output=True, text=True, timeout=60, check=True
    )
    said = dict(zip((one.name for one in SITUATIONS), asked.stdout.splitlines(), strict=True))
    assert said == {one.name: f"{one.expected} {one.expected}" for one in SITUATIONS}
