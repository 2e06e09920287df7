"""The console command as a process, on a real API server."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from crd_lab import installed_crd
from handlers.cluster_bench import example, grant_what_the_chart_grants
from lab import wait
from lab.control_plane import ControlPlane

NAMESPACE = "console"
COMMAND = [sys.executable, "-m", "exchange_push_operator", "run", f"--namespace={NAMESPACE}"]
COMMAND += ["--health-address=127.0.0.1:0", f"--lease-namespace={NAMESPACE}"]


@pytest.fixture(scope="module")
def granted(control_plane: ControlPlane) -> Iterator[Path]:
    with installed_crd(control_plane, NAMESPACE):
        yield grant_what_the_chart_grants(control_plane, NAMESPACE)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """It allows nothing, so nothing leaves this machine."""
    path = tmp_path / "policy.yaml"
    path.write_text("namespaces: {}\n", encoding="utf-8")
    return path


@contextmanager
def running(*flags: str) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen([*COMMAND, *flags], stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def ready_reason(control_plane: ControlPlane, name: str) -> str:
    output = 'jsonpath={.status.conditions[?(@.type=="Ready")].reason}'
    return control_plane.run_kubectl("get", "epc", name, "-o", output, namespace=NAMESPACE).stdout


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_it_serves_what_is_applied_and_ends_cleanly(
    control_plane: ControlPlane, granted: Path, policy: Path, stop: signal.Signals
) -> None:
    name = stop.name.lower()
    flags = [f"--policy={policy}", f"--kubeconfig={granted}", "--log-format=json"]
    with running(*flags) as operator:
        manifest = json.dumps(example(name))
        control_plane.run_kubectl("apply", "-f", "-", input=manifest, namespace=NAMESPACE)
        # The process before may have been killed, and its lease has to run out.
        wait.until(
            lambda: ready_reason(control_plane, name) == "NotAllowedByPolicy", 60, "the refusal"
        )
        operator.send_signal(stop)
        _, log = operator.communicate(timeout=30)
    assert operator.returncode == 0, log
    lines: list[dict[str, Any]] = [json.loads(line) for line in log.splitlines()]
    assert {line["level"] for line in lines} == {"info"}
    assert [line for line in lines if line["message"].endswith(" leads now")]
    assert [line["result"] for line in lines if line.get("object") == f"{NAMESPACE}/{name}"] == [
        "stalled"
    ]
    assert lines[-1]["message"] == "stopped"


def ended(*flags: str) -> tuple[int, str]:
    process = subprocess.run(
        [*COMMAND, *flags], capture_output=True, text=True, timeout=60, check=False
    )
    return process.returncode, process.stderr


def test_a_cluster_that_does_not_answer_ends_it_with_one_line(
    granted: Path, policy: Path, tmp_path: Path
) -> None:
    nowhere = tmp_path / "kubeconfig"
    context = json.loads(granted.read_text("utf-8"))
    context["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    nowhere.write_text(json.dumps(context), encoding="utf-8")
    code, log = ended(f"--policy={policy}", f"--kubeconfig={nowhere}")
    assert (code, len(log.splitlines())) == (1, 1)
    assert "the API server does not answer" in log


def test_a_policy_that_is_none_ends_it_with_one_line(granted: Path, policy: Path) -> None:
    policy.write_text("hosts: []\n", encoding="utf-8")
    code, log = ended(f"--policy={policy}", f"--kubeconfig={granted}")
    assert (code, len(log.splitlines())) == (2, 1)
    assert log.startswith(f"exchange-push-operator: policy {policy}: ")


def test_missing_rights_end_it_with_one_line(granted: Path, policy: Path) -> None:
    code, log = ended(f"--policy={policy}", f"--kubeconfig={granted}", "--namespace=default")
    assert (code, len(log.splitlines())) == (1, 1)
    assert "forbidden" in log


def test_outside_of_a_pod_the_lease_must_be_named_or_renounced(granted: Path, policy: Path) -> None:
    command = [one for one in COMMAND if "lease" not in one]
    flags = [f"--policy={policy}", f"--kubeconfig={granted}"]
    done = subprocess.run(
        [*command, *flags], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "--lease-namespace" in done.stderr
    assert "--no-leader-elect" in done.stderr


def test_rights_on_the_lease_that_are_missing_end_it_with_one_line(
    granted: Path, policy: Path
) -> None:
    flags = (f"--policy={policy}", f"--kubeconfig={granted}", "--lease-name=another")
    code, log = ended(*flags, "--log-level=error")
    assert (code, len(log.splitlines())) == (1, 1), log
    assert "grant get, create and update of leases there" in log


def test_an_address_that_is_taken_ends_it_with_one_line(granted: Path, policy: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        flags = (f"--policy={policy}", f"--kubeconfig={granted}", f"--health-address={address}")
        code, log = ended(*flags)
    assert (code, len(log.splitlines())) == (2, 1)
    assert f"--health-address {address}: Address already in use" in log
