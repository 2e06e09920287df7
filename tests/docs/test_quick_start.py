"""The quick start, command by command, as it stands on the page."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lab.binaries import helm_binary
from lab.resources import ROOT
from lab.running import Options, RunningLab

pytestmark = pytest.mark.lab

PAGE = (ROOT / "docs" / "quick-start.md").read_text("utf-8")
# Tried by tests/test_demo.py, and with a real image and node by `make e2e-cluster`.
ELSEWHERE = ("make demo", "make image ", "docker push ")


def commands(page: str = PAGE) -> list[str]:
    """Every command of the page, in order; a line that ends with a backslash goes on."""
    blocks: list[str] = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    lines = "".join(blocks).replace("\\\n", "").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.fixture
def laboratory() -> Iterator[RunningLab]:
    """A cluster with nothing in it; Exchange and the tenant beside it."""
    with RunningLab(Options(installed=False, operator=False)) as running:
        yield running


@pytest.fixture
def desk(laboratory: RunningLab, tmp_path: Path) -> Path:
    """A folder as the reader has it: the checkout, and the files that the page speaks of."""
    lab = laboratory
    for name in ("helm", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    values = next(text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
    (tmp_path / "my-policy.yaml").write_text(values, "utf-8")
    (tmp_path / "password.txt").write_text(lab.endpoints["exchange"][0]["password"], "utf-8")
    for suffix in ("crt", "key"):
        (tmp_path / f"app.{suffix}").write_bytes((lab.folder / f"client.{suffix}").read_bytes())
    return tmp_path


def test_every_command_of_the_quick_start_does_what_the_page_says(
    laboratory: RunningLab, desk: Path
) -> None:
    lab, said = laboratory, {}
    for command in commands():
        if not command.startswith(ELSEWHERE):
            said[command] = typed(lab, desk, command)
        if command.startswith("helm install"):
            start(lab, desk)

    (planned,) = (text for command, text in said.items() if "plannedChanges" in command)
    assert "ProxyReady: Enable-PushNotificationProxy" in planned
    (described,) = (text for command, text in said.items() if " describe " in command)
    assert "ProxyEnabled" in described
    assert lab.condition("Ready")["reason"] == "Succeeded"


def start(lab: RunningLab, desk: Path) -> None:
    """There is no node for the Deployment's Pods: one operator runs under its ServiceAccount."""
    values = yaml.safe_load((desk / "my-policy.yaml").read_text("utf-8"))
    lab.write_policy(values["policy"])
    lab.operator_kubeconfig = lab.installation.operator_kubeconfig()
    lab.start_operator()


def typed(lab: RunningLab, desk: Path, command: str) -> str:
    """What the command prints; one that fails fails the test with its words."""
    account = lab.endpoints["exchange"][0]["username"]
    programs = [str(lab.cluster.kubectl.parent), str(helm_binary().parent)]
    done = subprocess.run(
        ["bash", "-c", command.replace(r"CORP\svc-push", account)],
        cwd=desk,
        env={
            "PATH": os.pathsep.join([*programs, os.environ["PATH"]]),
            "HOME": str(desk),
            "KUBECONFIG": str(lab.cluster.kubeconfig),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_readme_shows_nothing_but_commands_of_the_page() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    part = readme.partition("\n## Quick start on a real cluster\n")[2].partition("\n## ")[0]
    shown = commands(part)
    assert shown == [command for command in commands() if command in shown]
    assert len(shown) >= 9


def test_what_the_page_leaves_to_others_is_only_what_needs_a_registry() -> None:
    left = [command for command in commands() if command.startswith(ELSEWHERE)]

    assert [command.split()[:2] for command in left] == [
        ["make", "demo"],
        ["make", "image"],
        ["docker", "push"],
    ]
