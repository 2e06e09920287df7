"""What the release workflow runs, with programs that write down how they were called."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.lab  # starts shells
NAME = "exchange-push-operator"
DIGEST = f"sha256:{'0a' * 32}"
BASE = f"gcr.io/distroless/cc-debian13:nonroot@{DIGEST}"
PLAYED = """#!/bin/sh
echo "$(basename "$0") $*" >>"$LOG"
case "$*" in
*inspect*) echo "$INSPECTED" ;;
push*) echo "Digest: sha256:c4a47" >&2 ;;
package*) sed -n '/^image:/,/^[a-z]*:$/p' "$2/values.yaml" >>"$LOG"
    grep "  image: " "$2/Chart.yaml" >>"$LOG" ;;
"env GOPATH") echo /nowhere ;;
esac
"""


class Runner:
    """Runs a script of hack/ as GitHub would; `calls` is what it called."""

    def __init__(self, folder: Path) -> None:
        self._log, self._programs = folder / "log", folder / "programs"
        self._programs.mkdir()
        for name in ("docker", "helm", "cosign", "go"):
            (self._programs / name).write_text(PLAYED)
            (self._programs / name).chmod(0o755)

    def run(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        given = {
            "PATH": f"{self._programs}:{os.environ['PATH']}",
            "LOG": str(self._log),
            "INSPECTED": DIGEST,
            "IMAGE": "ghcr.io/Fabrikam/exchange-push-operator",
            "GITHUB_REF_NAME": "v0.1.0",
            "GITHUB_RUN_ID": "77",
            "GITHUB_SHA": "5ca1ab1e",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_REPOSITORY": "Fabrikam/exchange-push-operator",
            **environment,
        }
        command = ["sh", f"hack/{script}"]
        return subprocess.run(
            command, cwd=ROOT, env=given, capture_output=True, text=True, check=False
        )

    @property
    def calls(self) -> str:
        return self._log.read_text("utf-8") if self._log.exists() else ""


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def test_both_bases_of_the_dockerfile_are_pinned_by_the_digest_that_the_registry_names(
    runner: Runner,
) -> None:
    done = runner.run("release_bases.sh")
    assert done.stdout.splitlines() == [f"build=debian:13-slim@{DIGEST}", f"run={BASE}"]


def test_without_a_digest_nothing_goes_on(runner: Runner) -> None:
    done = runner.run("release_bases.sh", INSPECTED="")
    assert done.returncode == 1
    assert "no digest of debian:13-slim" in done.stderr


def test_an_image_is_built_from_pinned_bases_with_sbom_and_provenance(runner: Runner) -> None:
    debian = f"debian:13-slim@{DIGEST}"
    done = runner.run("release_image.sh", BUILD_BASE=debian, BASE=BASE, PLATFORM="linux/arm64")
    assert done.returncode == 0, done.stderr
    for wanted in ("--sbom=true", "--provenance=mode=max", f"BASE={BASE}", f"digest={DIGEST}"):
        assert wanted in runner.calls
    assert "ghcr.io/fabrikam/exchange-push-operator:build-77-arm64" in runner.calls


@pytest.mark.parametrize("base", ["", "gcr.io/distroless/cc-debian13:nonroot"])
def test_no_image_is_built_from_a_base_without_a_digest(runner: Runner, base: str) -> None:
    done = runner.run("release_image.sh", BUILD_BASE="x", BASE=base, PLATFORM="linux/amd64")
    assert done.returncode == 1
    assert runner.calls == ""


def test_image_and_chart_are_signed_by_digest_and_the_chart_names_the_images(
    runner: Runner,
) -> None:
    done = runner.run("release_publish.sh")
    assert done.returncode == 0, done.stderr
    image = "ghcr.io/fabrikam/exchange-push-operator"
    assert f"cosign sign --yes --recursive {image}@{DIGEST}" in runner.calls
    assert f"  repository: {image}\n" in runner.calls
    assert f"  digest: {DIGEST}\n" in runner.calls
    assert f"      image: {image}@{DIGEST}\n" in runner.calls  # for Artifact Hub's scans
    chart = "ghcr.io/fabrikam/charts/exchange-push-operator@sha256:c4a47"
    assert f"cosign sign --yes {chart}" in runner.calls


def test_a_chart_that_names_no_digest_is_not_pushed(runner: Runner) -> None:
    done = runner.run("release_publish.sh", INSPECTED="")
    assert done.returncode != 0
    assert "helm push" not in runner.calls


@pytest.mark.parametrize(("version", "code"), [(importlib.metadata.version(NAME), 0), ("9.9", 1)])
def test_tag_package_and_chart_have_one_version(version: str, code: int) -> None:
    command = [sys.executable, "hack/release_version.py", f"v{version}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert version in done.stdout + done.stderr
