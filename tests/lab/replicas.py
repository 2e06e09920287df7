"""Operators side by side on one cluster, each with an address of its own, and who did what."""

from __future__ import annotations

import itertools
import json
from typing import Any, Self

from lab import wait
from lab.operator_process import OperatorProcess
from lab.running import RunningLab

_LEASE = "exchange-push-operator"
FLAGS = ("--max-interval=1s", "--log-level=debug")


class Replicas:
    """Operators with addresses of their own; what they did is in the lab's journal."""

    def __init__(self, lab: RunningLab) -> None:
        self.lab, self.all = lab, [lab.replica(number) for number in range(3)]

    def __enter__(self) -> Self:
        """Begin with a lease that was given back: where none is, the first one waits for 15 s."""
        self.delete_lease()
        namespace = self.lab.options.names.operator_namespace
        given_back = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": _LEASE, "namespace": namespace},
            "spec": {
                "holderIdentity": "",
                "leaseDurationSeconds": 1,
                "acquireTime": "2026-11-21T09:00:00.000000Z",
            },
        }
        self.lab.cluster.run_kubectl("create", "-f", "-", input=json.dumps(given_back))
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.all:
            if one.running:
                one.thaw()
            one.kill()
        self.lab.control.post("/shells/expire")

    def start(self, *flags: str) -> OperatorProcess:
        """One more; it takes the lease if it is free."""
        one = next(replica for replica in self.all if not replica.running)
        self.lab.start_replica(one, *(flags or FLAGS))
        return one

    def delete_lease(self) -> None:
        namespace = self.lab.options.names.operator_namespace
        self.lab.cluster.run_kubectl("delete", "leases", "--all", namespace=namespace)

    def lease(self) -> dict[str, Any]:
        namespace = self.lab.options.names.operator_namespace
        look = ("get", "leases", _LEASE, "-o", "json", "--ignore-not-found")
        found = self.lab.cluster.run_kubectl(*look, namespace=namespace).stdout
        spec: dict[str, Any] = json.loads(found)["spec"] if found.strip() else {}
        return spec

    def first(self) -> OperatorProcess:
        """The first one, as soon as it leads."""
        one = self.start()
        wait.until(lambda: "leads now" in one.log, 60, "the first replica to lead")
        return one

    def standby(self) -> OperatorProcess:
        one = self.start()
        wait.until(lambda: one.health("/readyz")[0] == 200, 60, "the standby to be ready")
        return one

    def calls(self, of: OperatorProcess) -> list[dict[str, Any]]:
        journal: list[dict[str, Any]] = self.lab.control.get("/journal")
        return [call for call in journal if call["client"] == of.address]

    def changes(self, of: OperatorProcess) -> list[dict[str, Any]]:
        return [call for call in self.calls(of) if call["changes"]]

    def assert_one_after_another(self, *order: OperatorProcess) -> None:
        """Nobody changed anything after the next one had asked for the first time."""
        for before, after in itertools.pairwise(order):
            takeover = self.calls(after)[0]["at"]
            late = [call for call in self.changes(before) if call["at"] > takeover]
            assert late == [], (takeover, late)
