"""kopf and the controller on a real API server: the RBAC of the chart, a scripted reconciler."""

import asyncio
import contextlib
import copy
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import kopf

from answers import NOW
from crd_lab import EXAMPLE
from exchange_push_operator.adapters import clock
from exchange_push_operator.adapters.kopf_sign_in import connection_info
from exchange_push_operator.adapters.kubernetes_api import KubernetesApi, sign_in
from exchange_push_operator.adapters.kubernetes_events import EventRecorder
from exchange_push_operator.adapters.kubernetes_objects import KubernetesObjects
from exchange_push_operator.core import status as statuses
from exchange_push_operator.core.cluster import Resource
from exchange_push_operator.core.conflict import Peers
from exchange_push_operator.core.plan import Finding, holds
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.schedule import Requeue
from exchange_push_operator.handlers.controller import Controller, Limits
from exchange_push_operator.handlers.passes import Doors, Logic
from exchange_push_operator.handlers.replica import Replica
from exchange_push_operator.handlers.vitals import Vitals
from exchange_push_operator.handlers.watching import kopf_settings, register
from exchange_push_operator.reconcile import Memory, Outcome
from handlers.bench import Script
from lab import wait
from lab.binaries import helm_binary
from lab.control_plane import ControlPlane

CHART = Path(__file__).resolve().parents[2] / "helm" / "exchange-push-operator"
RELEASE = "exchange-push-operator"
STEADY = Requeue("steady", 3600, 120)


def until(predicate: Callable[[], object], what: str) -> None:
    wait.until(predicate, 20, what)


def ready(resource: Resource, **fields: Any) -> dict[str, Any]:
    told: dict[str, Finding | None] = {"Ready": holds(Reason.SUCCEEDED, "all is well")}
    return {**statuses.with_findings({**resource, "status": {}}, told, NOW), **fields}


def well(resource: Resource, _peers: Peers, _memory: Memory) -> Outcome:
    return Outcome(ready(resource), STEADY)


def example(name: str, **spec: Any) -> dict[str, Any]:
    manifest: dict[str, Any] = copy.deepcopy(EXAMPLE)
    manifest["metadata"] = {"name": name}
    manifest["spec"].update(spec)
    return manifest


def grant_what_the_chart_grants(control_plane: ControlPlane, namespace: str) -> Path:
    """A kubeconfig of a service account with the chart's own rules, in one namespace."""
    command = [str(helm_binary()), "template", RELEASE, str(CHART), "--namespace", namespace]
    command += ["--show-only", "templates/rbac.yaml", "--set", f"watchNamespaces={{{namespace}}}"]
    rendered = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    control_plane.run_kubectl("apply", "-f", "-", input=rendered.stdout, namespace=namespace)
    return control_plane.service_account_kubeconfig(namespace, RELEASE)


class CountingApi(KubernetesApi):
    calls: list[str]

    def call(self, method: str, path: str, *rest: Any) -> Any:
        self.calls.append(f"{method} {path}")
        return super().call(method, path, *rest)


class CountingReplica(Replica):
    lists = asks = 0

    def asked(self, path: str, query: Mapping[str, str]) -> None:
        self.asks += 1
        self.lists += "watch" not in query
        super().asked(path, query)


class Operator:
    """Enter it to start; the script may be changed at any time."""

    def __init__(
        self, kubeconfig: Path, namespace: str, script: Script = well, **limits: Any
    ) -> None:
        self.script, self.namespace = script, namespace
        self.looks: list[int] = []
        self._client = sign_in(kubeconfig, 10)
        self.api = CountingApi(self._client)
        self.api.calls = []
        self._recorder = EventRecorder(self.api, clock.now, "test")
        self._logic = Logic(
            self._reconcile,
            lambda it: {**statuses.progressing(it, NOW), "serversReady": "0/2"},
            lambda: NOW,
        )
        self._limits = Limits(workers=4, **{"progress_after": 60, **limits})
        self.vitals = Vitals(1)
        self.kopf_settings = kopf_settings()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._operate()))

    def __enter__(self) -> Self:
        self._recorder.start()
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._replica.over.set)
        self._thread.join(30)
        self._recorder.close(5)
        self._client.rest_client.close()

    @property
    def known(self) -> set[str]:
        """The names of the resources that it believes to exist."""
        return {name for _, name in self._replica.controller.known()}

    @property
    def lists(self) -> int:
        """How often all resources were listed."""
        return self._replica.lists

    @property
    def asks(self) -> int:
        """How often kopf asked for a list or a watch."""
        return self._replica.asks

    def writes(self, method: str = "PUT") -> int:
        return sum(call.startswith(method) for call in self.api.calls)

    async def _operate(self) -> None:
        self._loop = asyncio.get_running_loop()
        doors = Doors(KubernetesObjects(self.api), self._recorder)
        controller = Controller(self._logic, doors, self._limits, vitals=self.vitals)
        self._replica = CountingReplica(controller, self.vitals, None, lambda: None)
        registry = kopf.OperatorRegistry()
        register(registry, self._replica, login=lambda: connection_info(self._client))
        with contextlib.suppress(asyncio.CancelledError):
            await kopf.operator(
                registry=registry,
                settings=self.kopf_settings,
                namespaces=[self.namespace],
                stop_flag=self._replica.over,
                ready_flag=self._ready,
            )
        assert self._replica.ended.passes
        # TLS connections say goodbye; a loop that ends at once would leave them to the collector.
        await asyncio.sleep(0.1)

    def _reconcile(self, resource: Resource, peers: Peers, memory: Memory) -> Outcome:
        self.looks.append(resource["metadata"]["generation"])
        return self.script(resource, peers, memory)
