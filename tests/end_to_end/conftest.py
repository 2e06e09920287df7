"""The whole lab, once for all tests here; each test gets it as fresh as at the start."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import audit, chart
from lab.control_plane import ControlPlane
from lab.running import Options, RunningLab
from lab.status_watch import StatusWatch

HERE = Path(__file__).parent
FLAGS = ("--max-interval=1s", "--log-level=debug")


@pytest.fixture(scope="session")
def whole_lab() -> Iterator[RunningLab]:
    """Control plane, servers and operator as processes."""
    with RunningLab(Options(operator_flags=FLAGS, audit=True)) as lab:
        yield lab
        assert denied(lab) == [], "the chart has to grant it, or the operator must not ask for it"


def denied(lab: RunningLab) -> list[audit.Request]:
    """What the operator was refused; one test lets it ask for a token before RBAC allows it."""
    assert isinstance(lab.cluster, ControlPlane)
    assert lab.cluster.audit_log is not None
    asked = audit.requests(lab.cluster.audit_log, f"{chart.NAME}:{chart.NAME}")
    assert asked
    return [one for one in asked if not one.allowed and one.resource != "/serviceaccounts/token"]


@pytest.fixture(scope="session")
def status_watch(whole_lab: RunningLab) -> Iterator[StatusWatch]:
    """Lints every status that the API server stores."""
    with StatusWatch(whole_lab.cluster) as watch:
        yield watch


@pytest.fixture
def running_lab(whole_lab: RunningLab, status_watch: StatusWatch) -> Iterator[RunningLab]:
    """A fresh organisation and tenant, no resource, and an operator that runs.

    Whatever a test does, the operator that is stopped leaves no shell behind.
    """
    lab = whole_lab
    lab.control.post("/release")
    lab.kubectl("delete", "epc", "--all", "--timeout=30s")
    lab.control.post("/reset")
    lab.write_redirections()
    lab.write_policy()
    lab.write_secrets()
    if not lab.operator.running:
        lab.start_operator(*FLAGS)
    yield lab
    status_watch.caught_up()
    lab.control.post("/release")
    lab.stop_operator()
    assert set(lab.open_shells.values()) == {0}, lab.open_shells


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of it starts processes."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("lab")
