"""Fixtures that all tests may use."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from lab.canary import CANARIES, Listener
from lab.exchange import pwsh
from lab.exchange.leftovers import LEFTOVERS
from lab.status_lint import BROKEN_RULES

if TYPE_CHECKING:
    from lab.control_plane import ControlPlane

# Timings belong in benchmarks: a busy machine must not fail a property.
settings.register_profile("here", deadline=None)
settings.register_profile("nightly", settings.get_profile("here"), max_examples=10_000)
settings.load_profile("here")

USES_PROCESSES = {"control_plane"}

# A script that runs us in the background has us ignore Ctrl-C, and what we start inherits it.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--powershell",
        default="",
        metavar="NAME",
        help="run the tests marked `powershell` with it (default: pwsh or powershell.exe of PATH)",
    )


@pytest.fixture(scope="session")
def powershell(request: pytest.FixtureRequest) -> str:
    """The path of a PowerShell that runs the shipped scripts."""
    asked: str = request.config.getoption("--powershell")
    path = pwsh.named(asked) if asked else pwsh.found()
    if path is None:
        pytest.skip("no pwsh and no powershell.exe on PATH: the stand-in alone was tested")
    return path


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """One control plane for all tests that ask for it: use a namespace of your own in it."""
    from lab.control_plane import ControlPlane  # noqa: PLC0415 - it cannot be had on Windows

    with ControlPlane(audit=True) as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def _the_log_is_listened_to() -> Iterator[None]:
    """All of it: what `--log-level=debug` would show too, and what libraries say."""
    ours, listener = logging.getLogger("exchange_push_operator"), Listener()
    for logger in (logging.getLogger(), ours):
        logger.addHandler(listener)
    ours.setLevel(logging.DEBUG)
    yield
    for logger in (logging.getLogger(), ours):
        logger.removeHandler(listener)
    assert CANARIES.take() == []


@pytest.fixture(autouse=True)
def _no_secret_gets_out() -> Iterator[None]:
    """No password, client secret, private key or token in any output (lab/canary.py)."""
    yield
    assert CANARIES.take() == []


@pytest.fixture(autouse=True)
def _no_shell_is_left_open() -> Iterator[None]:
    """Whatever a test does, no shell stays on a server of the lab. Set up first, so asked last."""
    yield
    assert LEFTOVERS.take() == []


@pytest.fixture(autouse=True)
def _no_status_breaks_a_rule() -> Iterator[None]:
    """Whatever a test does, every status that is written keeps the rules of lab.status_lint."""
    yield
    assert BROKEN_RULES.take() == []


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import a module whose every test would be left out: unit tests take seconds."""
    if config.getoption("markexpr") != "not lab" or collection_path.suffix != ".py":
        return None
    return True if "\npytestmark = pytest.mark.lab" in collection_path.read_text("utf-8") else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever uses the control plane is marked `lab`, so that `make unit` starts nothing."""
    for item in items:
        if USES_PROCESSES & set(getattr(item, "fixturenames", ())):
            item.add_marker("lab")
