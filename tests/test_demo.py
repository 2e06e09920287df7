"""`make demo`, as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lab.control_plane import ControlPlane
from lab.resources import ROOT

pytestmark = pytest.mark.lab

# What has to be seen, in this order.
MILESTONES = (
    "push proxy        disabled",
    "exchangepushconfig.exchangepush.dev/fabrikam created",
    "fabrikam   True      Succeeded",
    "+ push proxy        enabled",
    "AuthServerCreated",
    "[PS] Disable-PushNotificationProxy",
    "corrected after",
    "DriftCorrected",
    "[PS] Set-AuthServer",
    "AuthServerCorrected",
    "taken out of keyCredentials",
    "KeyCredentialAdded",
    "Observe",
    "ProxyReady: Enable-PushNotificationProxy",
    'exchangepushconfig.exchangepush.dev "fabrikam" deleted',
    "Every step was seen to happen.",
)


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab.demo", *arguments],
        env={"PATH": "/usr/bin:/bin", "HOME": str(Path.home()), "PYTHONPATH": f"{ROOT}/tests"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=200,
        check=False,
    )


def assert_seen(text: str) -> None:
    rest = text
    for milestone in MILESTONES:
        assert milestone in rest, f"{milestone!r} was not seen, or not in its place:\n{text}"
        rest = rest.partition(milestone)[2]


def test_the_demo_shows_every_step() -> None:
    done = demo()

    assert done.returncode == 0, done.stdout
    assert_seen(done.stdout)
    assert "\033[" not in done.stdout  # no colour where no terminal is


def test_the_demo_uses_an_existing_cluster_and_removes_what_it_made(
    control_plane: ControlPlane,
) -> None:
    before = inventory(control_plane)

    done = demo("--cluster", str(control_plane.kubeconfig))

    assert done.returncode == 0, done.stdout
    assert_seen(done.stdout)
    assert control_plane.url in done.stdout
    assert inventory(control_plane) == before


def test_a_cluster_that_cannot_be_used_is_named_in_one_sentence(tmp_path: Path) -> None:
    done = demo("--cluster", str(tmp_path / "nowhere"))

    assert done.returncode == 1
    assert "FAILED: there is no kubeconfig at" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_cluster_that_runs_the_operator_already_is_left_alone(
    control_plane: ControlPlane,
) -> None:
    run, namespace = control_plane.run_kubectl, "demo-meets-another-operator"
    control_plane.create_namespace(namespace)
    name = "exchange-push-operator"
    run("create", "deployment", name, "--image=none", namespace=namespace)
    label = f"app.kubernetes.io/name={name}"
    run("label", "deployment", name, label, namespace=namespace)
    before = inventory(control_plane)
    try:
        done = demo("--cluster", str(control_plane.kubeconfig))
    finally:
        run("delete", "deployment", name, namespace=namespace)

    assert done.returncode == 1
    assert f"FAILED: the cluster at {control_plane.url} runs this operator already" in done.stdout
    assert inventory(control_plane) == before


def inventory(cluster: ControlPlane) -> set[str]:
    """What is there and not on its way out: this control plane has no one to finish namespaces."""
    kinds = "namespaces,crds,clusterroles,clusterrolebindings"
    row = '{.kind}/{.metadata.name}{" "}{.metadata.deletionTimestamp}{"\\n"}'
    path = f"jsonpath={{range .items[*]}}{row}{{end}}"
    listed = cluster.run_kubectl("get", kinds, "-o", path).stdout
    return {line.split()[0] for line in listed.splitlines() if len(line.split()) == 1}
