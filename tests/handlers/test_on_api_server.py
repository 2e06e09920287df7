"""The Kubernetes side on a real API server, with no more rights than the chart grants."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crd_lab import installed_crd
from exchange_push_operator.adapters.kubernetes_api import KubernetesApi, sign_in
from exchange_push_operator.adapters.kubernetes_objects import KubernetesObjects
from exchange_push_operator.core.cluster import Resource
from exchange_push_operator.core.config import FINALIZER, RECONCILE_REQUESTED_AT
from exchange_push_operator.core.conflict import Peers
from exchange_push_operator.core.errors import Refused
from exchange_push_operator.core.events import Event
from exchange_push_operator.core.schedule import Requeue
from exchange_push_operator.reconcile import Memory, Outcome
from handlers.bench import Script
from handlers.cluster_bench import (
    STEADY,
    Operator,
    example,
    grant_what_the_chart_grants,
    ready,
    until,
    well,
)
from lab.control_plane import ControlPlane
from lab.status_watch import StatusWatch

NAMESPACE = "handlers"
NEVER = Requeue("never", 3600, 120)


class Site:
    """A namespace of the control plane, and the operator's own way into it."""

    def __init__(self, control_plane: ControlPlane, kubeconfig: Path) -> None:
        self._control_plane = control_plane
        self.kubeconfig = kubeconfig

    def kubectl(self, *args: str, **more: Any) -> str:
        return self._control_plane.run_kubectl(*args, namespace=NAMESPACE, **more).stdout

    def apply(self, name: str, **spec: Any) -> None:
        self.kubectl("apply", "-f", "-", input=json.dumps(example(name, **spec)))

    def get(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", "epc", name, "-o", "json"))
        return found

    def status(self, name: str) -> dict[str, Any]:
        status: dict[str, Any] = self.get(name)["status"]
        return status

    def exists(self, name: str) -> bool:
        return bool(self.kubectl("get", "epc", name, "--ignore-not-found", "-o", "name"))

    def operator(self, script: Script = well, **limits: Any) -> Operator:
        return Operator(self.kubeconfig, NAMESPACE, script, **limits)


@pytest.fixture(scope="module")
def watch(control_plane: ControlPlane) -> Iterator[StatusWatch]:
    with installed_crd(control_plane, NAMESPACE), StatusWatch(control_plane) as watch:
        yield watch


@pytest.fixture(scope="module")
def granted(control_plane: ControlPlane, watch: StatusWatch) -> Path:
    assert watch.linted == 0  # it has made the namespace, too
    return grant_what_the_chart_grants(control_plane, NAMESPACE)


@pytest.fixture
def site(control_plane: ControlPlane, granted: Path, watch: StatusWatch) -> Iterator[Site]:
    site = Site(control_plane, granted)
    yield site
    watch.caught_up()
    for name in site.kubectl("get", "epc", "-o", "name").split():
        site.kubectl("patch", name, "--type=merge", '--patch={"metadata":{"finalizers":null}}')
    site.kubectl("delete", "epc", "--all")


def test_what_is_applied_gets_its_status_and_nothing_else(site: Site) -> None:
    with site.operator() as operator:
        site.apply("a")
        site.kubectl("wait", "epc/a", "--for=condition=Ready", "--timeout=20s")
        assert operator.writes() == 1
    metadata = site.get("a")["metadata"]
    assert "finalizers" not in metadata
    assert [name for name in metadata["annotations"] if "kopf" in name] == []


def test_what_was_there_before_the_start_is_looked_at(site: Site) -> None:
    site.apply("a")
    with site.operator():
        until(lambda: site.status("a")["observedGeneration"] == 1, "the status")


def test_many_steady_looks_write_nothing(site: Site) -> None:
    with site.operator(max_interval=0.05) as operator:
        site.apply("a")
        until(lambda: len(operator.looks) >= 10, "ten looks")
        changes = [call for call in operator.api.calls if not call.startswith("GET")]
        assert [call.rpartition("/exchangepushconfigs/")[2] for call in changes] == ["a/status"]


def test_a_field_that_is_no_longer_in_the_status_goes(site: Site) -> None:
    def script(resource: Resource, _peers: Peers, _memory: Memory) -> Outcome:
        first = resource["metadata"]["generation"] == 1
        return Outcome(ready(resource, **({"serversReady": "2/2"} if first else {})), STEADY)

    with site.operator(script):
        site.apply("a")
        until(lambda: site.status("a").get("serversReady") == "2/2", "the first status")
        site.apply("a", interval="2h")
        until(lambda: site.status("a")["observedGeneration"] == 2, "the second status")
        assert "serversReady" not in site.status("a")


def test_an_object_that_moves_during_a_pass_is_looked_at_again(site: Site) -> None:
    labels = iter(["moved"])

    def script(resource: Resource, _peers: Peers, _memory: Memory) -> Outcome:
        for label in labels:
            site.kubectl("label", "epc", "a", f"{label}=yes")
        return Outcome(ready(resource), STEADY)

    with site.operator(script) as operator:
        site.apply("a")
        until(lambda: site.status("a")["observedGeneration"] == 1, "the status")
        assert operator.looks == [1, 1]
        assert operator.writes() == 2  # the first one was refused
    assert site.get("a")["metadata"]["labels"] == {"moved": "yes"}


def test_an_edit_cuts_a_back_off_short(site: Site) -> None:
    def script(resource: Resource, _peers: Peers, _memory: Memory) -> Outcome:
        return Outcome(ready(resource), Requeue("stalled", 3600, 3600))

    with site.operator(script):
        site.apply("a")
        until(lambda: site.status("a")["observedGeneration"] == 1, "the first generation")
        site.apply("a", interval="2h")
        until(lambda: site.status("a")["observedGeneration"] == 2, "the second generation")


def test_the_annotation_asks_for_a_look(site: Site) -> None:
    with site.operator() as operator:
        site.apply("a")
        until(lambda: operator.looks == [1], "the first look")
        site.kubectl("annotate", "epc", "a", "example.com/note=hello")
        site.kubectl("annotate", "epc", "a", f"{RECONCILE_REQUESTED_AT}=now")
        until(lambda: operator.looks == [1, 1], "the second look")


def test_a_pass_that_takes_long_shows_progress_and_then_its_end(site: Site) -> None:
    go_on = threading.Event()

    def script(resource: Resource, _peers: Peers, _memory: Memory) -> Outcome:
        go_on.wait(20)
        return Outcome(ready(resource), STEADY)

    with site.operator(script, progress_after=0.05) as operator:
        site.apply("a")
        until(lambda: site.status("a").get("serversReady") == "0/2", "progress")
        go_on.set()
        until(lambda: site.status("a")["observedGeneration"] == 1, "the end")
        assert (operator.looks, operator.writes()) == ([1], 2)


def test_deletion_without_a_finalizer_is_immediate_with_and_without_the_operator(
    site: Site,
) -> None:
    with site.operator() as operator:
        site.apply("a")
        until(lambda: operator.writes() == 1, "the status")
        site.kubectl("delete", "epc", "a", "--timeout=10s")
        site.apply("b")
        until(lambda: operator.looks == [1, 1], "the look at b")
    site.kubectl("delete", "epc", "b", "--timeout=10s")


def test_our_finalizer_comes_first_and_goes_last_and_others_stay(site: Site) -> None:
    def script(resource: Resource, _peers: Peers, _memory: Memory) -> Outcome:
        metadata = resource["metadata"]
        if "deletionTimestamp" in metadata:
            return Outcome(resource["status"], NEVER, finalizer=False)
        if FINALIZER not in metadata.get("finalizers", ()):
            return Outcome(resource["status"], Requeue("now", 3600, 120), finalizer=True)
        return Outcome(ready(resource), STEADY)

    with site.operator(script) as operator:
        site.apply("a")
        until(lambda: site.status("a")["observedGeneration"] == 1, "the status")
        site.kubectl("patch", "epc", "a", "--type=json", f"--patch={_add('example.com/theirs')}")
        site.kubectl("delete", "epc", "a", "--wait=false")
        theirs = ["example.com/theirs"]
        until(lambda: site.get("a")["metadata"]["finalizers"] == theirs, "ours to go")
        site.kubectl("patch", "epc", "a", "--type=merge", '--patch={"metadata":{"finalizers":[]}}')
        until(lambda: not site.exists("a"), "the object to go")
        assert operator.writes("PATCH") == 2


def _add(finalizer: str) -> str:
    return json.dumps([{"op": "add", "path": "/metadata/finalizers/-", "value": finalizer}])


def test_a_finalizer_that_is_the_last_one_lets_the_object_go(site: Site) -> None:
    def script(resource: Resource, _peers: Peers, _memory: Memory) -> Outcome:
        deleting = "deletionTimestamp" in resource["metadata"]
        return Outcome(ready(resource), STEADY, finalizer=not deleting)

    with site.operator(script):
        site.apply("a")
        until(lambda: site.status("a")["observedGeneration"] == 1, "the status")
        site.kubectl("delete", "epc", "a", "--timeout=10s")


def test_events_are_told_and_counted(site: Site) -> None:
    event = Event("Normal", "DriftCorrected", "the proxy was disabled; enabled it again")

    def script(resource: Resource, _peers: Peers, _memory: Memory) -> Outcome:
        return Outcome(ready(resource), STEADY, events=(event,))

    def events() -> list[dict[str, Any]]:
        uid = site.get("a")["metadata"]["uid"]
        found = json.loads(site.kubectl("get", "events.events.k8s.io", "-o", "json"))["items"]
        return [one for one in found if one["regarding"]["uid"] == uid]

    with site.operator(script, max_interval=0.2) as operator:
        site.apply("a")
        until(lambda: len(operator.looks) >= 3, "three looks")
        until(lambda: (events()[0].get("series") or {}).get("count", 0) >= 3, "a series of three")
    assert len(events()) == 1
    told = events()[0]
    assert (told["reason"], told["note"], told["type"]) == (event.reason, event.message, "Normal")
    assert told["reportingController"] == "exchangepush.dev/operator"
    assert event.message in site.kubectl("describe", "epc", "a")


def test_a_namespace_without_rights_is_found_at_the_start(site: Site) -> None:
    client = sign_in(site.kubeconfig, 1)
    objects = KubernetesObjects(KubernetesApi(client))
    objects.check([NAMESPACE])
    with pytest.raises(Refused, match="exchangepushconfigs"):
        objects.check([])
    client.rest_client.close()
