"""The console command puts the fence in front of every write."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest
from kubernetes.client import ApiClient, Configuration

from exchange_push_operator import command_line
from exchange_push_operator.adapters.exchange_winrm import WinRMExchanges
from exchange_push_operator.core.errors import Unreachable
from exchange_push_operator.handlers.metrics import Metrics
from exchange_push_operator.operate import doors_to, world_of
from exchange_push_operator.settings import read

pytestmark = pytest.mark.lab

NOBODY = Configuration(host="http://127.0.0.1:1")


def fence() -> float:
    raise Unreachable("this replica does not lead any more")


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as things:
        yield things


def test_a_status_and_a_finalizer_pass_the_fence(closing: ExitStack) -> None:
    objects = doors_to(ApiClient(NOBODY), closing, fence).objects
    metadata = {"namespace": "ns", "name": "a", "uid": "1", "resourceVersion": "7"}
    resource = {"apiVersion": "v", "kind": "K", "metadata": metadata}
    with pytest.raises(Unreachable, match="does not lead"):
        objects.write_status(resource, {})
    with pytest.raises(Unreachable, match="does not lead"):
        objects.set_finalizer(resource, present=True)


def test_a_change_of_exchange_and_of_entra_id_passes_the_fence(
    closing: ExitStack, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("namespaces: {}\n", encoding="utf-8")
    settings = read(command_line.parse(["run", f"--policy={policy}"]), {})
    world = world_of(settings, ApiClient(NOBODY), threading.Event(), closing, Metrics(), fence)
    pool = cast("Any", world.exchange).__self__
    assert isinstance(pool, WinRMExchanges)
    assert pool.fence is fence
    https = cast("Any", world.graph).__self__.https
    with pytest.raises(Unreachable, match="does not lead"):
        https.call("PATCH", "https://graph.invalid/v1.0/me", json_body={}, changes=True)
