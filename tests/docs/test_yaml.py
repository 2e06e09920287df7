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
# Kinds of others, which this API server does not know; `make e2e-gitops` applies them for real.
ELSEWHERE = {"Application", "AppProject", "Kustomization", "GitRepository", "ExternalArtifact"}


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane) -> Iterator[ControlPlane]:
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
            case _ if document["kind"] in ELSEWHERE:
                assert document["metadata"]["name"]
            case _:
                taken(document, cluster)


def taken(manifest: dict[str, Any], cluster: ControlPlane) -> None:
    named = copy.deepcopy(manifest)
    named.setdefault("metadata", {}).setdefault("name", "of-the-docs")
    command = ("apply", "--dry-run=server", "--validate=strict", "-f", "-")
    cluster.run_kubectl(*command, namespace=NAMESPACE, input=json.dumps(named))


def renders(values: dict[str, Any], folder: Path) -> None:
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(values), "utf-8")
    chart = ROOT / "helm" / "exchange-push-operator"
    command = [str(helm_binary()), "template", "docs", str(chart), "--values", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_field_that_the_resource_does_not_have_is_found(cluster: ControlPlane) -> None:
    wrong = completed({"spec": {"tenant": {"domian": "fabrikam.com"}}}, EXAMPLE)

    with pytest.raises(Exception, match="domian"):
        taken(wrong, cluster)
