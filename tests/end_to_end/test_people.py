"""What people do at their workstations: plan, and ``kubectl exchangepush``."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from end_to_end.looking import exchange_changes
from lab import wait
from lab.running import RunningLab

BIN = Path(sys.executable).parent


def typed(lab: RunningLab, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command with the administrator's kubeconfig where kubectl looks for it."""
    base = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "HOME": str(lab.folder)}
    environment = {
        **base,
        **lab.redirect.environment(base),
        "KUBECONFIG": str(lab.cluster.kubeconfig),
    }
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=90
    )


def plan(lab: RunningLab, *flags: str) -> tuple[int, dict[str, Any]]:
    command = [str(BIN / "exchange-push-operator"), "plan", "--output=json", *flags]
    done = typed(lab, *command, f"--ca-file={lab.endpoints['ca']}")
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def plugin_ends(lab: RunningLab, *words: str) -> subprocess.CompletedProcess[str]:
    """As kubectl itself finds and runs it."""
    return typed(lab, str(lab.cluster.kubectl), "exchangepush", *words, "-n", lab.namespace)


def plugin(lab: RunningLab, *words: str) -> str:
    done = plugin_ends(lab, *words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def own_credentials(running_lab: RunningLab, tmp_path: Path) -> list[str]:
    """The flags of somebody who signs in himself, without a cluster."""
    account = running_lab.endpoints["exchange"][0]
    password, pair = tmp_path / "password", tmp_path / "client.pem"
    password.write_text(account["password"] + "\n", "utf-8")
    folder = Path(running_lab.endpoints["ca"]).parent
    pair.write_text((folder / "client.key").read_text() + (folder / "client.crt").read_text())
    return [
        f"--username={account['username']}",
        f"--password-file={password}",
        f"--client-certificate={pair}",
    ]


def test_a_file_is_planned_without_a_cluster_until_there_is_nothing_to_do(
    running_lab: RunningLab, own_credentials: list[str], tmp_path: Path
) -> None:
    lab, manifest = running_lab, tmp_path / "pushconfig.yaml"
    manifest.write_text(yaml.safe_dump(lab.example()), "utf-8")
    nowhere = ["--kubeconfig", str(manifest)]  # no cluster is asked, so nobody reads it

    code, told = plan(lab, "-f", str(manifest), *own_credentials, *nowhere)

    assert (code, told["result"], told["inTheWay"]) == (2, "Changes", [])
    assert exchange_changes(lab) == []
    lab.apply()
    lab.wait_ready()
    code, told = plan(lab, "-f", str(manifest), *own_credentials, *nowhere)
    assert (code, told["result"], told["plannedChanges"]) == (0, "NothingToDo", [])


def test_a_resource_of_the_cluster_is_planned_with_its_secrets_where_the_policy_lets_them_go(
    running_lab: RunningLab, tmp_path: Path
) -> None:
    lab, manifest = running_lab, tmp_path / "pushconfig.yaml"
    manifest.write_text(yaml.safe_dump(lab.example()), "utf-8")
    lab.apply(lab.example(managementPolicy="Observe"))
    lab.wait_condition("InSync", "False", "DriftDetected")
    named = ("fabrikam", f"--namespace={lab.namespace}", f"--policy={lab.policy_file}")

    code, told = plan(lab, *named)

    status = lab.status()
    assert (code, told["planHash"]) == (2, status["planHash"])
    assert sorted(change["stage"] for change in told["plannedChanges"]) == sorted(
        change["stage"] for change in status["plannedChanges"]
    )
    _, of_a_file = plan(lab, "-f", str(manifest), f"--policy={lab.policy_file}")
    assert (of_a_file["planHash"], of_a_file["leave"]["managementPolicy"]) == (
        status["planHash"],
        "Manage",
    )
    lab.write_policy({"namespaces": {}})
    code, told = plan(lab, *named)
    assert (code, told["result"]) == (1, "Error")
    assert told["inTheWay"][0].startswith("NotAllowedByPolicy: ")
    done = typed(lab, str(BIN / "exchange-push-operator"), "plan", *named[:2])
    assert (done.returncode, done.stdout) == (1, "")
    assert "--policy FILE is needed" in done.stderr


def test_kubectl_finds_the_plugin_which_shows_and_steers(running_lab: RunningLab) -> None:
    lab = running_lab
    lab.apply()
    lab.wait_ready()
    screen = plugin(lab, "status", "fabrikam")
    assert "Ready    True Succeeded: " in screen
    assert "ex1.corp.fabrikam.com  yes " in screen
    wait.until(lambda: "ProxyEnabled" in str(lab.events()), 20, "the events")
    assert re.search(r" Normal +ProxyEnabled +Enable the ", plugin(lab, "events", "fabrikam"))

    plugin(lab, "suspend", "fabrikam")
    lab.wait_condition("Ready", "Unknown", "Suspended")
    assert "suspended" in plugin(lab, "status", "fabrikam").splitlines()[0]
    plugin(lab, "resume", "fabrikam")
    lab.wait_ready()
    before = lab.status().get("lastHandledReconcileAt")
    plugin(lab, "reconcile", "fabrikam")
    wait.until(lambda: lab.status().get("lastHandledReconcileAt") != before, 30, "another look")

    lab.patch({"suspend": True})
    done = plugin_ends(lab, "resume", "fabrikam")
    assert done.returncode == 1
    assert "spec.suspend is true" in done.stderr
