"""A watch that dies in whatever way is taken up again, or the process is replaced."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import requests

from crd_lab import installed_crd
from exchange_push_operator.handlers.health import HealthServer, probes
from exchange_push_operator.handlers.vitals import Vitals
from handlers.cluster_bench import Operator, example, grant_what_the_chart_grants
from lab import wait
from lab.control_plane import ControlPlane
from lab.tcp_proxy import TcpProxy

pytestmark = pytest.mark.lab

NAMESPACE = "watch-health"
SOON = 1.5  # seconds; kopf's own patience of 70 is too long for a test


class Site:
    def __init__(self, control_plane: ControlPlane, proxy: TcpProxy, kubeconfig: Path) -> None:
        self._control_plane, self.proxy, self._kubeconfig = control_plane, proxy, kubeconfig

    def kubectl(self, *args: str, **more: Any) -> str:
        """Not by way of the proxy."""
        return self._control_plane.run_kubectl(*args, namespace=NAMESPACE, **more).stdout

    def apply(self, name: str, **spec: Any) -> None:
        self.kubectl("apply", "-f", "-", input=json.dumps(example(name, **spec)))

    def observed(self, name: str) -> int:
        path = "jsonpath={.status.observedGeneration}"
        return int(self.kubectl("get", "epc", name, "-o", path))

    def operator(self, kubeconfig: Path | None = None) -> Operator:
        return Operator(kubeconfig or self._kubeconfig, NAMESPACE)

    def sees(self, name: str, generation: int) -> None:
        wait.until(
            lambda: self.observed(name) == generation, 60, f"generation {generation} to be seen"
        )


@pytest.fixture(scope="module")
def granted(control_plane: ControlPlane) -> Iterator[Path]:
    with installed_crd(control_plane, NAMESPACE):
        yield grant_what_the_chart_grants(control_plane, NAMESPACE)


@pytest.fixture
def site(control_plane: ControlPlane, granted: Path) -> Iterator[Site]:
    with TcpProxy(control_plane.url) as proxy:
        site = Site(control_plane, proxy, proxy.kubeconfig(granted))
        yield site
    site.kubectl("delete", "epc", "--all")


def test_a_watch_that_died_in_silence_is_taken_up_again(site: Site) -> None:
    operator = site.operator()
    operator.kopf_settings.watching.inactivity_timeout = SOON
    with operator:
        site.apply("a")
        site.sees("a", 1)
        site.proxy.forget()
        site.apply("a", interval="2h")
        site.sees("a", 2)
        site.proxy.hang_up()  # TLS would wait half a minute for a goodbye


def test_a_network_that_was_cut_for_a_while_is_no_harm(site: Site) -> None:
    with site.operator() as operator:
        site.apply("a")
        site.sees("a", 1)
        asks = operator.asks
        site.proxy.cut()
        site.apply("a", interval="2h")
        wait.until(lambda: operator.asks >= asks + 3, 60, "three tries in vain")
        site.proxy.restore()
        site.sees("a", 2)
        assert operator.vitals.complaints() == []


def test_a_history_that_the_api_server_has_forgotten_is_replaced_by_a_list(
    site: Site, control_plane: ControlPlane
) -> None:
    """HTTP 410. What was deleted meanwhile is in no list and in no event."""
    with site.operator() as operator:
        site.apply("a")
        site.apply("b")
        site.sees("a", 1)
        site.sees("b", 1)
        site.proxy.cut()
        site.kubectl("delete", "epc", "b")
        site.apply("a", interval="2h")
        lists = operator.lists
        control_plane.restart_api_server()
        site.proxy.restore()
        site.sees("a", 2)
        assert operator.lists > lists
        wait.until(lambda: len(operator.known) == 1, 60, "b to be forgotten")


def test_an_api_server_that_starts_anew_is_found_again(
    site: Site, control_plane: ControlPlane, granted: Path
) -> None:
    with site.operator(granted):
        site.apply("a")
        site.sees("a", 1)
        control_plane.restart_api_server()
        site.apply("a", interval="2h")
        site.sees("a", 2)


def test_a_watch_that_nobody_takes_up_again_turns_the_liveness_probe_red(site: Site) -> None:
    clock = Clock()
    operator = site.operator()
    operator.vitals = Vitals(1, clock)
    # kopf's own ways out are closed; if they ever fail, this is what is left.
    operator.kopf_settings.watching.inactivity_timeout = 3600
    operator.kopf_settings.watching.server_timeout = 3600
    with operator, HealthServer(("127.0.0.1", 0), probes(operator.vitals)) as server:
        wait.until(lambda: get(server, "/readyz")[0] == HTTPStatus.OK, 60, "the start")
        site.proxy.forget()
        clock.ahead = 209
        wait.until(lambda: get(server, "/livez") == (200, "ok\n"), 10, "the loop's next beat")
        clock.ahead = 400
        found = wait.until(lambda: red(server), 10, "the probe to turn red")
        assert f"namespaces/{NAMESPACE}/exchangepushconfigs has been silent for" in found
        site.proxy.hang_up()


class Clock:
    """The steady clock, and more where a test wants it."""

    ahead = 0.0

    def __call__(self) -> float:
        return wait.now() + self.ahead


def get(server: HealthServer, path: str) -> tuple[int, str]:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(f"http://127.0.0.1:{server.port}{path}", timeout=10)
    return answer.status_code, answer.text


def red(server: HealthServer) -> str:
    """What the probe complains of; not of the loop, whose next beat is a second away."""
    status, text = get(server, "/livez")
    return text if status == HTTPStatus.INTERNAL_SERVER_ERROR and "loop" not in text else ""
