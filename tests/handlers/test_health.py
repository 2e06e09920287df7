"""The probes: when they are green, when they are red, and for whose trouble they never are."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http import HTTPStatus

import pytest
import requests

from exchange_push_operator.handlers.health import PLAIN, HealthServer, Page, probes
from exchange_push_operator.handlers.vitals import Vitals
from lab import wait

pytestmark = pytest.mark.lab


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Site:
    def __init__(self) -> None:
        self.clock = Clock()
        self.vitals = Vitals(2, self.clock)
        metrics: Page = lambda: (HTTPStatus.OK, PLAIN, b"up 1\n")  # noqa: E731 - one page
        self.server = HealthServer(("127.0.0.1", 0), {**probes(self.vitals), "/metrics": metrics})

    @property
    def threads(self) -> int:
        """Those of connections."""
        return sum("process_request" in one.name for one in threading.enumerate())

    def get(self, path: str, host: str = "127.0.0.1") -> tuple[int, str]:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(f"http://{host}:{self.server.port}{path}", timeout=10)
        return answer.status_code, answer.text


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    with site.server:
        yield site


def test_it_is_ready_when_everything_that_exists_has_been_listed(site: Site) -> None:
    assert site.get("/readyz") == (503, "the resources are not listed yet\n")
    for namespace in ("a", "b"):
        path = f"/apis/g/v1/namespaces/{namespace}/things"
        site.vitals.asked(path, watching=False)
        assert site.get("/readyz")[0] == 503
        site.vitals.asked(path, watching=True)
    assert site.get("/readyz") == (200, "ok\n")


def test_it_lives_before_it_is_ready(site: Site) -> None:
    assert site.get("/livez") == (200, "ok\n")


def test_an_event_loop_that_hangs_is_told_by_a_thread_that_does_not(site: Site) -> None:
    site.clock.now += 31
    assert site.get("/livez") == (500, "the event loop has stood still for 31 s\n")

    async def turn() -> None:
        beating = asyncio.create_task(site.vitals.beat())
        await asyncio.sleep(0)
        beating.cancel()

    asyncio.run(turn())
    assert site.get("/livez") == (200, "ok\n")


def test_a_pass_that_hangs_is_told_and_one_that_has_ended_is_not(site: Site) -> None:
    with site.vitals.passing("exchange/a", timeout=300):
        site.clock.now += 901
        assert "the pass of exchange/a" in site.get("/livez")[1]
    assert "exchange/a" not in site.get("/livez")[1]


def test_a_watch_that_tries_in_vain_for_hours_is_alive(site: Site) -> None:
    """The API server is away: a new process would find the same."""
    for _ in range(100):
        site.vitals.asked("/apis/g/v1/things", watching=True)
        site.clock.now += 60
        site.vitals.asked("/apis/g/v1/things", watching=True)
    assert "watch" not in site.get("/livez")[1]


def test_metrics_are_served_beside_them_and_nothing_else_is(site: Site) -> None:
    assert site.get("/metrics") == (200, "up 1\n")
    assert site.get("/") == (404, "there is /livez, /metrics, /readyz\n")


def test_connections_that_say_nothing_keep_no_probe_out(site: Site) -> None:
    address = ("127.0.0.1", site.server.port)
    with ExitStack() as idle:
        for _ in range(200):
            idle.enter_context(socket.create_connection(address, 10))
            assert site.get("/livez") == (200, "ok\n")
            assert site.threads < 100  # some may be about to end
    wait.until(lambda: site.threads == 0, 20, "the threads to end")


def test_without_a_host_every_address_is_served() -> None:
    with HealthServer(("", 0), {"/": lambda: (HTTPStatus.OK, PLAIN, b"ok\n")}) as server:
        hosts = ["127.0.0.1", *(["[::1]"] if socket.has_dualstack_ipv6() else [])]
        for host in hosts:
            with requests.Session() as session:
                session.trust_env = False
                assert session.get(f"http://{host}:{server.port}/", timeout=10).text == "ok\n"
