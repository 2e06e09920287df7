"""The control plane of the tests is a real one, and nothing of it stays behind."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lab import wait
from lab.cluster import write_kubeconfig
from lab.control_plane import ControlPlane, free_ports

TESTS = Path(__file__).parent

STARTER = """
import sys
from lab.control_plane import ControlPlane, free_ports
running = ControlPlane().start()
print(running.folder, running.url, flush=True)
sys.stdin.read()
"""


def test_an_unknown_token_is_refused(control_plane: ControlPlane, tmp_path: Path) -> None:
    stranger = tmp_path / "kubeconfig"
    write_kubeconfig(stranger, control_plane.url, control_plane.ca_file, token="made-up")
    asked = control_plane.run_kubectl("get", "namespaces", f"--kubeconfig={stranger}", check=False)
    assert asked.returncode != 0
    assert "Unauthorized" in asked.stderr or "must be logged in" in asked.stderr


def test_a_service_account_may_do_what_rbac_grants_and_no_more(control_plane: ControlPlane) -> None:
    control_plane.create_namespace("rbac")
    reader = control_plane.service_account_kubeconfig("rbac", "reader")
    ask = ("get", "configmaps", "-o", "name", f"--kubeconfig={reader}")

    before = control_plane.run_kubectl(*ask, namespace="rbac", check=False)
    assert "Forbidden" in before.stderr

    control_plane.run_kubectl(
        "create", "role", "reader", "--verb=list", "--resource=configmaps", namespace="rbac"
    )
    control_plane.run_kubectl(
        "create",
        "rolebinding",
        "reader",
        "--role=reader",
        "--serviceaccount=rbac:reader",
        namespace="rbac",
    )
    wait.until(
        lambda: control_plane.run_kubectl(*ask, namespace="rbac", check=False).returncode == 0,
        10,
        "the role to be granted",
    )
    elsewhere = control_plane.run_kubectl(*ask, namespace="default", check=False)
    assert "Forbidden" in elsewhere.stderr


def test_the_audit_log_counts_requests(control_plane: ControlPlane) -> None:
    control_plane.create_namespace("audited")
    log = control_plane.audit_log
    assert log is not None

    def creations() -> list[dict[str, object]]:
        entries = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
        return [
            entry
            for entry in entries
            if entry["verb"] == "create" and entry["objectRef"].get("name") == "audited"
        ]

    assert len(wait.until(creations, 10, "the audit log to name the creation")) == 1


def test_a_kubeconfig_of_the_environment_is_never_read(
    control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere/kubeconfig")
    assert "default" in control_plane.run_kubectl("get", "namespaces", "-o", "name").stdout


def test_a_failing_command_says_what_kubectl_said(control_plane: ControlPlane) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failure:
        control_plane.run_kubectl("get", "namespace", "missing")
    assert "NotFound" in "".join(failure.value.__notes__)


def test_an_existing_cluster_is_used_and_left_running(control_plane: ControlPlane) -> None:
    with ControlPlane.existing(control_plane.kubeconfig) as existing:
        assert existing.url == control_plane.url
        assert existing.admin_token == control_plane.admin_token
        existing.create_namespace("visited")
        folder = existing.folder
    assert not folder.exists()
    control_plane.run_kubectl("get", "namespace", "visited")


def test_a_kubeconfig_that_is_not_there_is_named_and_nothing_is_left(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    program = "from lab.control_plane import ControlPlane; ControlPlane.existing('absent')"
    assets = str(control_plane.kubectl.parent)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={
            **os.environ,
            "PYTHONPATH": str(TESTS),
            "TMPDIR": str(tmp_path),
            "KUBEBUILDER_ASSETS": assets,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert re.search(r"SetupError: there is no kubeconfig at .*absent", done.stderr)
    assert list(tmp_path.iterdir()) == []


def test_two_at_once_know_nothing_of_each_other(control_plane: ControlPlane) -> None:
    control_plane.create_namespace("first-only")
    with ControlPlane() as second:
        assert second.url != control_plane.url
        assert "first-only" not in second.run_kubectl("get", "namespaces", "-o", "name").stdout
        folder, url = second.folder, second.url
    assert not folder.exists()
    assert not _listens(url)


@pytest.mark.lab
def test_a_taken_port_is_tried_again_with_another() -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        taken = squatter.getsockname()[1]
        offers = iter([(free_ports()[0], taken), free_ports()])
        with ControlPlane(ports=lambda: next(offers)) as running:
            assert urlsplit(running.url).port != taken


@pytest.mark.lab
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_stays_when_the_starter_is_ended(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTER],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as starter:
        assert starter.stdout is not None
        folder, url = starter.stdout.readline().split()
        assert _listens(url)
        starter.send_signal(number)
        assert starter.wait(30) != 0
    wait.until(lambda: not Path(folder).exists(), 20, f"{folder} to be removed")
    assert not _listens(url)


def _listens(url: str) -> bool:
    address = urlsplit(url)
    with socket.socket() as client:
        return client.connect_ex((address.hostname, address.port)) == 0
