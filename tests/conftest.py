"""Fixtures that all tests may use."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from lab.control_plane import ControlPlane

# Timings belong in benchmarks: a busy machine must not fail a property.
settings.register_profile("here", deadline=None)
settings.load_profile("here")

USES_PROCESSES = {"control_plane"}


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """One control plane for all tests that ask for it: use a namespace of your own in it."""
    with ControlPlane(audit=True) as running:
        yield running


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import a module whose every test would be left out: unit tests take seconds."""
    if config.getoption("markexpr") != "not lab" or collection_path.suffix != ".py":
        return None
    return True if "\npytestmark = pytest.mark.lab" in collection_path.read_text() else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever uses the control plane is marked `lab`, so that `make unit` starts nothing."""
    for item in items:
        if USES_PROCESSES & set(getattr(item, "fixturenames", ())):
            item.add_marker("lab")
