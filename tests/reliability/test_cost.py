"""What a pass costs the Exchange servers, counted at the lab's WinRM."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from lab.exchange.counters import Counters
from lab.in_process import Lab, lab
from lab.winrm_site import Site, SocketOperator

pytestmark = pytest.mark.lab

SERVERS = 3
ONE_EACH = {"Create": 1, "Command": 1, "processes": 1, "sessions": 1}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with ExitStack() as things:
        yield Site(tmp_path_factory.mktemp("site"), things, servers=SERVERS)


@pytest.fixture
def outside() -> Lab:
    """Three servers and no certificate yet."""
    found = lab(auth_certificate=False, servers=SERVERS)
    names = [{"name": name} for name in found.organization.servers]
    found.resource["spec"]["exchange"]["servers"] = names
    return found


@pytest.fixture
def operator(site: Site, outside: Lab) -> Iterator[SocketOperator]:
    operator = SocketOperator(outside, site)
    yield operator
    operator.close()
    assert site.open_shells == 0


def counted(site: Site, *names: str) -> list[dict[str, int]]:
    return [{name: one.counters[name] for name in names} for one in site.services.values()]


def test_from_nothing_to_ready_every_server_has_one_process(
    site: Site, outside: Lab, operator: SocketOperator
) -> None:
    start(site)
    operator.run()
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert counted(site, *ONE_EACH) == [ONE_EACH] * SERVERS


def test_a_steady_pass_is_one_request_to_one_process_on_every_server(
    site: Site, operator: SocketOperator
) -> None:
    operator.run()
    operator.disconnect()
    start(site)
    operator.step()
    wanted = ONE_EACH | {"host.run": 1}
    assert counted(site, *wanted) == [wanted] * SERVERS


def test_while_the_process_is_up_it_is_one_send_and_one_receive(
    site: Site, operator: SocketOperator
) -> None:
    operator.run()
    start(site)
    operator.step()
    assert [one.counters.snapshot() for one in site.services.values()] == [
        {"Send": 1, "Receive": 1}
    ] * SERVERS


def test_a_correction_costs_its_change_and_one_more_look(
    site: Site, outside: Lab, operator: SocketOperator
) -> None:
    operator.run()
    operator.disconnect()
    outside.administrator("Disable-PushNotificationProxy", Confirm=False)
    start(site)
    operator.step()
    assert counted(site, *ONE_EACH) == [ONE_EACH] * SERVERS
    first, *others = (one["host.run"] for one in counted(site, "host.run"))
    assert first > others[0]
    assert len(set(others)) == 1


def start(site: Site) -> None:
    """Count from here."""
    for service in site.services.values():
        service.counters = Counters()
