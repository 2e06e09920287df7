"""Promises of the repository's layout that no tool checks by itself."""

import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import binaries

ROOT = Path(__file__).resolve().parents[1]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
NOT_OURS = {"__pycache__", "dist", "htmlcov"}  # and what starts with a dot, but for .ci

# Written as patterns, so that this file does not find itself.
INDEX_HOSTS = rb"pyp[i]\.org|python[h]osted\.org|proxy\.go[l]ang\.org|sum\.go[l]ang\.org"
MACHINE_PATHS = rb"/(?:work|root)/(?:main|shared|\.)|/opt/whe[e]ls|/tmp/c[p]\b"


def test_operator_is_no_package() -> None:
    """It would shadow the standard library's module of that name."""
    assert not (ROOT / "operator" / "__init__.py").exists()


def test_nothing_but_the_package_lies_under_operator() -> None:
    """An editable install puts that folder on the import path."""
    names = {path.name for path in (ROOT / "operator").iterdir()} - {"__pycache__"}
    assert names == {"exchange_push_operator"}


def test_no_file_names_an_index_host_or_a_path_of_one_machine() -> None:
    unwanted = re.compile(INDEX_HOSTS + rb"|" + MACHINE_PATHS)
    found = {
        f"{path.relative_to(ROOT)}: {hit.decode()}"
        for path in _files()
        for hit in unwanted.findall(path.read_bytes())
    }
    assert found == set()


def _files() -> Iterator[Path]:
    for folder, subfolders, names in os.walk(ROOT):
        subfolders[:] = [name for name in subfolders if name == ".ci" or _is_ours(name)]
        # .git is a file in a worktree
        ours = [name for name in names if name != ".git" and not name.startswith(".coverage")]
        yield from (Path(folder) / name for name in ours)


def _is_ours(folder: str) -> bool:
    return not folder.startswith(".") and folder not in NOT_OURS


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_locked_package_is_pinned_by_hash(lock: Path) -> None:
    lines = [line for line in lock.read_text("utf-8").splitlines() if not line.startswith("#")]
    requirements = "\n".join(lines).replace("\\\n", " ").splitlines()
    assert requirements
    loose = [
        line
        for line in requirements
        if not re.fullmatch(r"[\w.\-\[\]]+==\S+( ; [^#@]+?)?(\s+--hash=sha256:[0-9a-f]{64})+", line)
    ]
    assert loose == []


def test_what_the_project_asks_for_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    groups = project["dependency-groups"]
    asked = {
        "run": project["project"]["dependencies"],
        "dev": [*groups["build"], *groups["lint"], *groups["test"]],
        "go": groups["go"],
        "tools": groups["tools"],
    }
    missing = {
        f"{lock}: {name}"
        for lock, names in asked.items()
        for name in map(_canonical, names)
        if f"\n{name}==" not in (ROOT / "requirements" / f"{lock}.txt").read_text("utf-8")
    }
    assert missing == set()


def _canonical(requirement: str) -> str:
    return re.split(r"[<>=\[;]", requirement)[0].replace("_", "-").lower()


@pytest.mark.parametrize("module", [binaries.CONTROL_PLANE, binaries.NODE], ids=["plane", "node"])
def test_the_cluster_is_built_from_the_version_that_it_names(module: binaries.GoModule) -> None:
    mod = (module.folder / "go.mod").read_text("utf-8")
    assert re.search(rf"k8s\.io/kubernetes {binaries.KUBERNETES_VERSION}\b", mod)
    staging = set(re.findall(r"=> k8s\.io/\S+ v0\.(\S+)", mod))
    assert staging == {binaries.KUBERNETES_VERSION.removeprefix("v1.")}


@pytest.mark.parametrize(
    ("module", "name", "version"),
    [
        (binaries.HELM, "helm.sh/helm/v4", binaries.HELM_VERSION),
        (binaries.HELM_3, "helm.sh/helm/v3", binaries.HELM_3_VERSION),
        (binaries.PROMETHEUS, "github.com/prometheus/prometheus", binaries.PROMETHEUS_VERSION),
        (binaries.CONTAINERD, "containerd/v2", binaries.CONTAINERD_VERSION),
        (binaries.ARGOCD, "github.com/argoproj/argo-cd/v3", binaries.ARGOCD_VERSION),
        (binaries.FLUX, "github.com/fluxcd/kustomize-controller", binaries.FLUX_VERSION),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_program_is_built_from_the_version_that_it_names(
    module: binaries.GoModule, name: str, version: str
) -> None:
    mod = (module.folder / "go.mod").read_text("utf-8")
    assert re.search(rf"{re.escape(name)} {version}\b", mod)
