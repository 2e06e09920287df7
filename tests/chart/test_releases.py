"""Every way to install the chart, by both helms; its life from the first chart to its removal."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from chart.value_sets import SETS, Values
from lab import chart
from lab.binaries import helm_3_binary, helm_binary
from lab.chart import NAME, helm
from lab.control_plane import ControlPlane
from lab.resources import ROOT

pytestmark = pytest.mark.lab

RELEASED = "chart-released"

each_set = pytest.mark.parametrize("values", SETS.values(), ids=SETS.keys())


@each_set
def test_both_helms_render_the_same(values: Values) -> None:
    three, four = (helm("template", values, binary=find()) for find in (helm_3_binary, helm_binary))
    assert (three.stderr, four.stderr) == ("", "")
    assert documents(three.stdout) == documents(four.stdout)


def documents(text: str) -> list[Any]:
    return sorted(filter(None, yaml.safe_load_all(text)), key=json.dumps)


def test_it_renders_the_same_twice() -> None:
    values = {**SETS["PodMonitor, alerts and dashboard"], **SETS["every value"]}
    assert helm("template", values).stdout == helm("template", values).stdout


@each_set
def test_neither_helm_finds_anything_to_complain_about(values: Values) -> None:
    for find in (helm_3_binary, helm_binary):
        done = helm("lint", values, "--strict", binary=find())
        assert done.returncode == 0, done.stdout + done.stderr


MOODS = ("lookup", "rand[A-Z]\\w*", "uuidv4", "gen[A-Z]\\w*", "now", "bcrypt", "htpasswd")


def test_no_template_asks_the_cluster_rolls_dice_or_hooks_into_the_release() -> None:
    for path in (chart.CHART / "templates").iterdir():
        text = path.read_text("utf-8")
        actions = " ".join(re.findall(r"\{\{(.*?)\}\}", re.sub(r"/\*.*?\*/", "", text), re.DOTALL))
        assert re.findall(rf"(?<![.\w])({'|'.join(MOODS)})\b", actions) == [], path.name
        assert "helm.sh/hook" not in text, path.name


@pytest.fixture
def no_release(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """Before and after: no release, no CRD."""
    cluster = control_plane
    for namespace in (RELEASED, "exchange"):
        cluster.create_namespace(namespace)

    def remove() -> None:
        run(cluster, "uninstall", NAME, "--ignore-not-found")
        delete = ("delete", "--ignore-not-found", "--timeout=60s")
        cluster.run_kubectl(*delete, "crd", "exchangepushconfigs.exchangepush.dev")

    remove()
    yield cluster
    remove()


def run(cluster: ControlPlane, *words: str) -> str:
    command = [str(helm_binary()), *words, "--kubeconfig", str(cluster.kubeconfig)]
    done = subprocess.run(
        [*command, "--namespace", RELEASED],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_uninstalled_it_leaves_the_crd_and_every_resource(no_release: ControlPlane) -> None:
    cluster, example = no_release, ROOT / "examples" / "pushconfig.yaml"
    run(cluster, "install", NAME, str(chart.CHART))
    cluster.wait_until_established("exchangepushconfigs.exchangepush.dev")
    cluster.run_kubectl("apply", "-f", str(example))

    run(cluster, "uninstall", NAME)

    left = cluster.run_kubectl("get", "all,roles,rolebindings,cm", "-o", "name", namespace=RELEASED)
    assert left.stdout.split() == ["configmap/kube-root-ca.crt"] * ("kube-root" in left.stdout)
    bound = cluster.run_kubectl("get", "clusterroles,clusterrolebindings", "-o", "name").stdout
    assert NAME not in bound
    found = cluster.run_kubectl("get", "epc", "-o", "name", namespace="exchange").stdout
    assert found.split() == ["exchangepushconfig.exchangepush.dev/fabrikam"]


def test_the_example_of_the_charts_page_is_that_of_the_examples() -> None:
    metadata = yaml.safe_load((chart.CHART / "Chart.yaml").read_text("utf-8"))
    (shown,) = yaml.safe_load(metadata["annotations"]["artifacthub.io/crdsExamples"])
    assert shown == yaml.safe_load((ROOT / "examples" / "pushconfig.yaml").read_text("utf-8"))
