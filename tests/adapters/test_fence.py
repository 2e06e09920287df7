"""Nothing is written by a replica that does not lead: the fence is asked at the last moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import pytest
from requests.exceptions import ConnectionError as Cut

from adapters.https_server import HttpsServer
from adapters.scripted_wire import CHANGE, EX1, LOOKS, Fixture, access, fault, http
from exchange_push_operator.adapters.http import Https
from exchange_push_operator.adapters.kubernetes_api import KubernetesApi, sign_in
from exchange_push_operator.adapters.kubernetes_objects import KubernetesObjects
from exchange_push_operator.core.config import FINALIZER
from exchange_push_operator.core.errors import OutcomeUnknown, Unreachable
from lab.cluster import write_kubeconfig
from lab.microsoft365 import HttpRequest, HttpResponse
from lab.network.ca import PrivateCA

pytestmark = pytest.mark.lab


class Fence:
    """Open, until ``left`` is nothing or it has let ``most`` writes through."""

    def __init__(self) -> None:
        self.left, self.most = 15.0, 100
        self.asked: Callable[[], object] = lambda: None

    def __call__(self) -> float:
        self.asked()
        if self.left <= 0 or not self.most:
            raise Unreachable("this replica does not lead any more")
        self.most -= 1
        return self.left


@pytest.fixture
def fence() -> Fence:
    return Fence()


# Exchange


@pytest.fixture
def exchange(fence: Fence) -> Fixture:
    return Fixture(fence)


def test_a_cmdlet_that_changes_something_is_not_sent(exchange: Fixture, fence: Fence) -> None:
    fence.left = 0
    with pytest.raises(Unreachable, match="does not lead"):
        exchange.change()
    assert exchange.world.ran == []


def test_the_fence_is_asked_after_the_process_was_started(exchange: Fixture, fence: Fence) -> None:
    """Starting one may take longer than the lease."""
    exchange.world.on_create = lambda: setattr(fence, "left", 0)
    with pytest.raises(Unreachable, match="does not lead"):
        exchange.change()
    assert exchange.world.ran == []


def test_whether_a_change_is_still_wanted_is_asked_after_the_process_was_started(
    exchange: Fixture,
) -> None:
    """Waiting for a turn at the server, and for PowerShell, may take minutes."""
    wanted = Fence()
    exchange.world.on_create = lambda: setattr(wanted, "left", 0)
    with pytest.raises(Unreachable):
        exchange.pool.connect(access(), wanted).run(EX1, CHANGE, changes=True)
    assert exchange.world.ran == []
    exchange.pool.connect(access(), wanted).run(EX1, LOOKS)


def test_looking_is_no_harm(exchange: Fixture, fence: Fence) -> None:
    fence.left = 0
    exchange.look()


def test_a_change_whose_answer_was_lost_is_not_sent_again(exchange: Fixture, fence: Fence) -> None:
    exchange.look()
    fence.most = 1
    exchange.fails("after send", Cut("reset"))
    sends = exchange.world.count("send")
    with pytest.raises(OutcomeUnknown):
        exchange.change()
    _change, *further = exchange.world.sent[sends:]
    assert further == [b"\n"]  # which a new connection is signed in with


def test_a_busy_change_is_not_sent_again_by_who_does_not_lead_any_more(
    exchange: Fixture, fence: Fence
) -> None:
    exchange.look()
    fence.most = 1
    exchange.fails("send", fault(170))
    with pytest.raises(OutcomeUnknown):  # a busy Send may have been delivered
        exchange.change()
    assert CHANGE[0].name not in exchange.world.ran


@pytest.mark.parametrize("verb", ["send", "after send"])
def test_the_fence_is_asked_when_the_new_connection_is_signed_in(
    exchange: Fixture, fence: Fence, verb: str
) -> None:
    """Signing in may take longer than the lease."""
    exchange.look()
    exchange.fails(verb, Cut("reset"))
    asked_at: list[int] = []
    fence.asked = lambda: asked_at.append(exchange.world.count("send"))
    before = exchange.world.count("send")
    exchange.change()
    lines = exchange.world.sent[-2:]
    assert lines[0] == b"\n"
    assert CHANGE[0].name.encode() in lines[1]
    assert asked_at == [before, before + 2]


def test_a_change_that_was_answered_400_is_not_repeated_by_who_does_not_lead_any_more(
    exchange: Fixture, fence: Fence
) -> None:
    exchange.look()
    fence.most = 1
    exchange.fails("send", http(400))
    with pytest.raises(OutcomeUnknown):
        exchange.change()
    assert CHANGE[0].name not in exchange.world.ran


def test_after_a_400_the_fence_is_asked_when_the_new_connection_is_signed_in(
    exchange: Fixture, fence: Fence
) -> None:
    exchange.look()
    exchange.fails("send", http(400))
    asked_at: list[int] = []
    fence.asked = lambda: asked_at.append(exchange.world.count("send"))
    before = exchange.world.count("send")
    exchange.change()
    assert exchange.world.sent[-2] == b"\n"
    assert asked_at == [before, before + 2]


# Microsoft Graph


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def server(tmp_path: Path, asked: list[str]) -> Iterator[HttpsServer]:
    over = threading.Event()

    def answer(request: HttpRequest) -> HttpResponse:
        asked.append(request.method)
        if request.path == "/slow":
            over.wait(20)
        return HttpResponse(200, {}, b"{}")

    ca = PrivateCA()
    ca.write(tmp_path / "ca.crt")
    with HttpsServer(ca, tmp_path, answer) as server:
        yield server
        over.set()


@pytest.fixture
def https(tmp_path: Path, server: HttpsServer, fence: Fence) -> Iterator[Https]:
    assert server.url
    https = Https(str(tmp_path / "ca.crt"), fence=fence)
    yield https
    https.close()


def test_a_patch_is_not_sent(https: Https, server: HttpsServer, fence: Fence, asked: Any) -> None:
    fence.left = 0
    with pytest.raises(Unreachable, match="does not lead"):
        https.call("PATCH", server.url, json_body={}, changes=True)
    assert https.call("GET", server.url).status_code == 200
    assert asked == ["GET"]


def test_a_patch_that_takes_longer_than_the_lease_is_given_up(
    https: Https, server: HttpsServer, fence: Fence
) -> None:
    fence.left = 0.5
    began = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        https.call("PATCH", f"{server.url}/slow", json_body={}, changes=True)
    assert time.monotonic() - began < 5  # every other time limit is longer


# the API server


class NobodyIsAsked:
    def call(self, *_: Any) -> Any:
        raise AssertionError("nothing may be sent")


def test_neither_status_nor_finalizer_is_written(fence: Fence) -> None:
    fence.left = 0
    objects = KubernetesObjects(NobodyIsAsked(), fence)  # type: ignore[arg-type] # no API is needed
    metadata = {"namespace": "ns", "name": "a", "uid": "1", "resourceVersion": "7"}
    resource = {"apiVersion": "v", "kind": "K", "metadata": metadata}
    with pytest.raises(Unreachable, match="does not lead"):
        objects.write_status(resource, {})
    with pytest.raises(Unreachable, match="does not lead"):
        objects.set_finalizer(resource, present=True)
    held = {**resource, "metadata": {**metadata, "finalizers": [FINALIZER]}}
    with pytest.raises(Unreachable, match="does not lead"):
        objects.set_finalizer(held, present=False)


@pytest.mark.parametrize(("method", "tries"), [("GET", 2), ("PUT", 1), ("PATCH", 1), ("POST", 1)])
def test_a_write_to_the_api_server_is_never_repeated_by_itself(
    tmp_path: Path, method: str, tries: int
) -> None:
    """The fence was asked for one try."""
    came: list[object] = []

    class HangsUp(BaseRequestHandler):
        def handle(self) -> None:
            came.append(self.request.recv(65536))

    with ThreadingTCPServer(("127.0.0.1", 0), HangsUp) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        path = tmp_path / "kubeconfig"
        url = f"http://127.0.0.1:{server.server_address[1]}"
        ca = PrivateCA().write(tmp_path / "ca.crt")
        write_kubeconfig(path, url, ca, token="t0ken")
        client = sign_in(path, 2)
        with pytest.raises(Unreachable):
            KubernetesApi(client).call(method, "/x", {})
        client.rest_client.close()
        server.shutdown()
        thread.join()
    assert len(came) == tries
