"""The Lease is written into the object that was read, and nowhere else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from exchange_push_operator.adapters.kubernetes_lease import KubernetesLease
from exchange_push_operator.core.cluster import Conflict
from exchange_push_operator.core.lease import Lease

DATE = datetime(2026, 11, 21, 9, tzinfo=UTC)
MINE = Lease("me", 15, DATE, DATE, 1)
FOUND: dict[str, Any] = {
    "metadata": {"name": "op", "namespace": "ns", "uid": "1", "resourceVersion": "7"},
    "spec": {"holderIdentity": "", "strategy": "OldestEmulationVersion"},
}


class Api:
    """The API server, as far as one object goes."""

    def __init__(self, *, moved_on: bool = False) -> None:
        self.moved_on = moved_on
        self.bodies: list[tuple[str, Any]] = []

    def call(self, method: str, _path: str, body: Any = None) -> Any:
        self.bodies.append((method, body))
        if self.moved_on:
            raise Conflict("the object has been modified")
        return body


def lease(api: Api) -> KubernetesLease:
    return KubernetesLease(api, "ns", "op")  # type: ignore[arg-type] # no API is needed


def test_the_object_that_was_read_is_named_by_its_version_and_keeps_what_is_not_ours() -> None:
    api = Api()
    assert lease(api).write(MINE, FOUND)
    ((method, body),) = api.bodies
    assert method == "PUT"
    assert body["metadata"] == FOUND["metadata"]
    assert body["spec"]["strategy"] == "OldestEmulationVersion"
    assert body["spec"]["holderIdentity"] == "me"


@pytest.mark.parametrize("found", [FOUND, None], ids=["read", "not there"])
def test_who_was_slower_is_told_so(found: dict[str, Any] | None) -> None:
    assert not lease(Api(moved_on=True)).write(MINE, found)
