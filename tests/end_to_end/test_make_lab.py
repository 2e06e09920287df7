"""`make lab`: what any client can do with endpoints.json, and that nothing is left behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msal
import pytest
import requests
from winrm.protocol import Protocol

from lab import wait
from lab.control_client import Control
from lab.control_plane import ControlPlane
from lab.microsoft365.clouds import EXCHANGE_ONLINE
from lab.resources import EXAMPLE, ROOT
from lab.status_watch import StatusWatch


@contextmanager
def make_lab(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "lab", f"--folder={folder}", *arguments]
    process = subprocess.Popen(
        command,
        env={"PATH": "/usr/bin:/bin", "HOME": str(Path.home()), "PYTHONPATH": f"{ROOT}/tests"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def endpoints(folder: Path, process: subprocess.Popen[str]) -> dict[str, Any]:
    path = folder / "endpoints.json"
    wait.until(lambda: path.exists() or process.poll() is not None, 90, str(path), interval=0.2)
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("lab")
    with make_lab(folder) as process:
        yield endpoints(folder, process)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
        assert not (folder / "endpoints.json").exists()


def kubectl(lab: dict[str, Any], *arguments: str) -> str:
    command = [lab["kubectl"], f"--kubeconfig={lab['kubeconfig']}", "-n", "exchange", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=90).stdout


def test_the_file_has_what_is_promised(lab: dict[str, Any]) -> None:
    assert set(lab) == {"kubeconfig", "kubectl", "ca", "control", "exchange", "entra"}
    for one in lab["exchange"]:
        assert set(one) == {"name", "http", "https", "username", "password"}
        assert one["https"].startswith("https://localhost:")
        assert one["http"].startswith("http://localhost:")
        assert one["https"].endswith("/wsman")
        assert one["http"].endswith("/wsman")
    wanted = {"authority", "graph", "acs", "tenantId", "clientId", "clientSecret"}
    assert set(lab["entra"]) == {*wanted, "clientCertificate"}
    for name in ("authority", "graph", "acs"):
        assert lab["entra"][name].count("/") == 2
    assert Path(lab["entra"]["clientCertificate"]).read_bytes().startswith(b"-----BEGIN PRIVATE")


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_plain_pywinrm_runs_a_command_that_is_not_the_bootstrap(
    lab: dict[str, Any], scheme: str
) -> None:
    server = lab["exchange"][0]
    client = Protocol(
        endpoint=server[scheme],
        transport="ntlm",
        username=server["username"],
        password=server["password"],
        ca_trust_path=lab["ca"],
    )
    shell = client.open_shell()
    command = client.run_command(shell, "whoami")
    output, errors, code = client.get_command_output(shell, command)
    client.cleanup_command(shell, command)
    client.close_shell(shell)

    assert code == 1
    assert output == b""
    assert len(errors.splitlines()) == 1


def credential(lab: dict[str, Any], kind: str) -> str | dict[str, str]:
    if kind == "secret":
        return str(lab["entra"]["clientSecret"])
    pem = Path(lab["entra"]["clientCertificate"]).read_text("ascii")
    key, _, certificate = pem.partition("-----BEGIN CERTIFICATE-----")
    return {
        "private_key": key,
        "public_certificate": f"-----BEGIN CERTIFICATE-----{certificate}",
    }


@pytest.mark.parametrize("kind", ["secret", "certificate"])
def test_a_plain_msal_signs_in_and_graph_shows_the_principal(
    lab: dict[str, Any], kind: str
) -> None:
    entra, client = lab["entra"], requests.Session()
    client.trust_env, client.verify = False, lab["ca"]  # REQUESTS_CA_BUNDLE would win otherwise
    app = msal.ConfidentialClientApplication(
        entra["clientId"],
        authority=f"{entra['authority']}/{entra['tenantId']}",
        client_credential=credential(lab, kind),
        instance_discovery=False,  # it would ask the real login.microsoftonline.com
        http_client=client,
    )
    token = app.acquire_token_for_client([f"{entra['graph']}/.default"])["access_token"]

    url = f"{entra['graph']}/v1.0/servicePrincipals(appId='{EXCHANGE_ONLINE}')"
    answer = client.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=10)
    client.close()

    assert answer.status_code == 200
    assert answer.json()["appId"] == EXCHANGE_ONLINE


def test_the_example_becomes_ready(lab: dict[str, Any]) -> None:
    with ControlPlane.existing(lab["kubeconfig"]) as cluster, StatusWatch(cluster) as watch:
        kubectl(lab, "apply", "-f", str(EXAMPLE))
        kubectl(lab, "wait", "epc/fabrikam", "--for=condition=Ready", "--timeout=60s")
        watch.caught_up()
        assert watch.linted
    assert "fabrikam   True" in kubectl(lab, "get", "exchangepushconfigs")


def test_the_control_interface_lists_what_it_can_do(lab: dict[str, Any]) -> None:
    control = Control(lab["control"])
    routes = control.get("/")
    control.close()
    readme = (ROOT / "tests" / "lab" / "README.md").read_text("utf-8")
    assert [route for route in routes if f"`{route}`" not in readme] == []


def test_killed_it_leaves_no_process_and_no_file_behind(tmp_path: Path) -> None:
    with make_lab(tmp_path) as process:
        found = endpoints(tmp_path, process)
        folder, cluster = Path(found["ca"]).parent, Path(found["kubeconfig"]).parent
        process.kill()
        process.wait()

        # the guardian removes the files when the processes have ended
        wait.until(lambda: not folder.exists(), 40, f"{folder} to be removed", interval=0.2)
        wait.until(lambda: not cluster.exists(), 40, f"{cluster} to be removed", interval=0.2)
        assert not (tmp_path / "endpoints.json").exists()
        with pytest.raises(requests.ConnectionError):
            requests.get(found["control"], timeout=5)


def test_two_of_one_folder_are_refused(tmp_path: Path) -> None:
    with make_lab(tmp_path, "--no-operator") as first:
        endpoints(tmp_path, first)
        with make_lab(tmp_path) as second:
            said, _ = second.communicate(timeout=30)
            assert second.returncode == 1
            assert "runs already" in said
