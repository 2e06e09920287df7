"""What README and docs show as YAML is taken by the API server, by helm and by the policy."""

import copy
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from crd_lab import EXAMPLE, installed_crd
from docs.yaml_blocks import Block, blocks, completed, kind_of
from exchange_push_operator.core.policy import parse_policy
from lab.binaries import helm_binary
from lab.control_plane import ControlPlane
from lab.resources import ROOT

pytestmark = pytest.mark.lab

NAMESPACE = "exchange"
BLOCKS = list(blocks())
GITOPS = sorted((ROOT / "examples" / "gitops").rglob("*.yaml"))
# Kinds of Argo CD and Flux; `make e2e-gitops` applies them for real.
CRDS = ROOT / "tests" / "fixtures" / "gitops-crds.yaml"


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    control_plane.run_kubectl("apply", "--server-side", "-f", str(CRDS))
    for crd in yaml.safe_load_all(CRDS.read_text("utf-8")):
        control_plane.wait_until_established(crd["metadata"]["name"])
    with installed_crd(control_plane, NAMESPACE) as running:
        yield running


@pytest.mark.parametrize("block", BLOCKS, ids=[block.where for block in BLOCKS])
def test_yaml_of_the_docs_is_taken(block: Block, cluster: ControlPlane, tmp_path: Path) -> None:
    for document in block.documents:
        match kind_of(document):
            case "policy":
                parse_policy(document)
            case "values":
                renders(document, tmp_path)
            case "part":
                taken(completed(document, EXAMPLE), cluster)
            case _:
                taken(document, cluster)


def taken(manifest: dict[str, Any], cluster: ControlPlane) -> None:
    named = copy.deepcopy(manifest)
    named.setdefault("metadata", {}).setdefault("name", "of-the-docs")
    named["metadata"].pop("namespace", None)  # those of others are not here
    command = ("apply", "--dry-run=server", "--validate=strict", "-f", "-")
    cluster.run_kubectl(*command, namespace=NAMESPACE, input=json.dumps(named))


def renders(values: dict[str, Any], folder: Path) -> None:
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(values), "utf-8")
    chart = ROOT / "helm" / "exchange-push-operator"
    command = [str(helm_binary()), "template", "docs", str(chart), "--values", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", GITOPS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_examples_for_argo_cd_and_flux_are_taken(path: Path, cluster: ControlPlane) -> None:
    for document in yaml.safe_load_all(path.read_text("utf-8")):
        taken(document, cluster)


@pytest.mark.parametrize("tool", ["argocd", "flux"])
def test_the_chart_takes_the_values_of_the_examples(tool: str, tmp_path: Path) -> None:
    text = (ROOT / "examples" / "gitops" / tool / "operator.yaml").read_text("utf-8")
    spec = list(yaml.safe_load_all(text))[-1]["spec"]
    values = spec["values"] if tool == "flux" else spec["source"]["helm"]["valuesObject"]
    assert values["policy"]["namespaces"]
    renders(values, tmp_path)


def test_the_examples_name_the_chart_and_its_version() -> None:
    chart = yaml.safe_load((ROOT / "helm/exchange-push-operator/Chart.yaml").read_text("utf-8"))
    argocd, flux = (
        next(yaml.safe_load_all((ROOT / "examples/gitops" / tool / "operator.yaml").read_text()))
        for tool in ("argocd", "flux")
    )
    source = argocd["spec"]["source"]
    assert (source["chart"], source["targetRevision"]) == (chart["name"], chart["version"])
    assert flux["spec"]["url"].rpartition("/")[2] == chart["name"]
    assert flux["spec"]["ref"]["tag"] == chart["version"]


def test_a_field_that_the_resource_does_not_have_is_found(cluster: ControlPlane) -> None:
    wrong = completed({"spec": {"tenant": {"domian": "fabrikam.com"}}}, EXAMPLE)

    with pytest.raises(Exception, match="domian"):
        taken(wrong, cluster)
