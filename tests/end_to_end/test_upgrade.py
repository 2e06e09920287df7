"""From the first chart to the present one: nothing changes for who watches the resource."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from end_to_end.chart_flags import flags
from lab import chart, wait
from lab.control_plane import ControlPlane
from lab.installation import CRD_NAME, Names
from lab.resources import ROOT
from lab.running import Options, RunningLab

FIRST = ROOT / "tests" / "fixtures" / "chart-0.1.0-first"
NAMES = Names("upgraded-mail", "upgraded-operator")
RELEASE = NAMES.operator_namespace
VALUES = {"watchNamespaces": [NAMES.namespace]}
BY_HELM = {
    "rbac": {"create": False, "aggregateToView": False},
    "serviceAccount": {"create": False, "name": chart.NAME},
}


@pytest.fixture
def lab(control_plane: ControlPlane) -> Iterator[RunningLab]:
    """The present chart is installed, by helm; the operator is not started."""
    for namespace in (NAMES.operator_namespace, NAMES.namespace):
        control_plane.create_namespace(namespace)
    control_plane.run_kubectl("delete", "crd", CRD_NAME, "--ignore-not-found")
    helm(control_plane, "install", chart.CHART)
    control_plane.wait_until_established(CRD_NAME)
    options = Options(cluster=control_plane, names=NAMES, chart=BY_HELM, operator=False)
    with RunningLab(options) as lab:
        yield lab
    control_plane.run_kubectl("delete", "deploy", "--all", namespace=RELEASE)
    control_plane.run_kubectl("delete", "crd", CRD_NAME)
    control_plane.run_kubectl("delete", "clusterrole", f"{chart.NAME}-view")


def helm(cluster: ControlPlane, verb: str, folder: Path) -> None:
    where = ("--kubeconfig", str(cluster.kubeconfig))
    namespace = RELEASE
    done = chart.helm(verb, VALUES, *where, namespace=namespace, chart=folder)
    assert done.returncode == 0, done.stderr


def go_back_to_the_first_chart(lab: RunningLab) -> None:
    """Its CRD and its rights; the resource as it was stored under them, with its status."""
    assert isinstance(lab.cluster, ControlPlane)
    status = lab.status()
    lab.cluster.run_kubectl("delete", "deploy,role,rolebinding", "--all", namespace=RELEASE)
    lab.cluster.run_kubectl("delete", "crd", CRD_NAME, "--timeout=60s")
    lab.cluster.run_kubectl("delete", "secret", "--selector=owner=helm", namespace=RELEASE)
    helm(lab.cluster, "install", FIRST)
    lab.cluster.wait_until_established(CRD_NAME)
    lab.apply()
    stored = lab.resource() | {"status": status}
    path = f"/apis/exchangepush.dev/v1alpha1/namespaces/{lab.namespace}/exchangepushconfigs"
    lab.kubectl("replace", "--raw", f"{path}/fabrikam/status", "-f", "-", stdin=json.dumps(stored))


def seen(lab: RunningLab) -> dict[str, tuple[str, str]]:
    """Each condition with the moment of its last change."""
    conditions = lab.status()["conditions"]
    return {one["type"]: (one["status"], one["lastTransitionTime"]) for one in conditions}


def changes(lab: RunningLab) -> tuple[int, int]:
    """How many were made in Exchange and in Entra ID."""
    state: dict[str, Any] = lab.control.state()
    patches = [one for one in state["microsoft365"]["requests"] if one.startswith("PATCH")]
    return len(state["exchange"]["changes"]), len(patches)


def test_an_upgrade_from_the_first_chart_flaps_no_condition_and_changes_nothing(
    lab: RunningLab,
) -> None:
    assert isinstance(lab.cluster, ControlPlane)
    lab.start_operator(*flags(VALUES, RELEASE))
    lab.apply()
    lab.wait_ready()
    lab.stop_operator()
    go_back_to_the_first_chart(lab)
    before = seen(lab), changes(lab)

    helm(lab.cluster, "upgrade", chart.CHART)
    lab.start_operator(*flags(VALUES, RELEASE))

    asked = lab.reconcile_now()
    wait.until(lambda: lab.status().get("lastHandledReconcileAt") == asked, 60, "a look")
    assert (seen(lab), changes(lab)) == before
    assert changes(lab) != (0, 0)
    assert lab.stop_operator() == 0
