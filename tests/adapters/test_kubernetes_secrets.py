"""Secrets by name from a real API server under RBAC, and from one that misbehaves."""

from __future__ import annotations

import json
import logging
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from kubernetes import config
from kubernetes.client import ApiClient, Configuration

from exchange_push_operator.adapters.kubernetes_secrets import KubernetesSecrets
from exchange_push_operator.core.errors import Refused, Unreachable
from exchange_push_operator.core.ports import Secrets
from exchange_push_operator.core.reasons import Reason
from lab.control_plane import ControlPlane

NAMESPACE = "secrets-adapter"
CANARY = "canary-password"
ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [secrets], resourceNames: [fabrikam, missing], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: operator}]
"""


@pytest.fixture(name="account", scope="module")
def account_that_may_read_two_secrets(control_plane: ControlPlane) -> Path:
    control_plane.create_namespace(NAMESPACE)
    for name in ("fabrikam", "foreign", "empty"):
        literals = [] if name == "empty" else [f"--from-literal=password={CANARY}"]
        control_plane.run_kubectl(
            "create", "secret", "generic", name, *literals, namespace=NAMESPACE
        )
    path = control_plane.service_account_kubeconfig(NAMESPACE, "operator")
    control_plane.run_kubectl("apply", "-f", "-", input=ROLE, namespace=NAMESPACE)
    return path


def secrets(kubeconfig: Path) -> Secrets:
    client = config.new_client_from_config(str(kubeconfig))  # type: ignore[no-untyped-call]  # of the client library
    return KubernetesSecrets(client)


def test_a_secret_is_its_decoded_entries_and_its_version(
    account: Path, control_plane: ControlPlane
) -> None:
    shown = control_plane.run_kubectl(
        "get", "secret", "fabrikam", "-o", "json", namespace=NAMESPACE
    )
    entries, version = secrets(account).read(NAMESPACE, "fabrikam")
    assert entries == {"password": CANARY.encode()}
    assert version == json.loads(shown.stdout)["metadata"]["resourceVersion"]


def test_a_secret_without_entries_is_empty(account: Path, control_plane: ControlPlane) -> None:
    del account  # has made it
    assert secrets(control_plane.kubeconfig).read(NAMESPACE, "empty")[0] == {}


def test_a_secret_that_is_missing_is_named(account: Path) -> None:
    with pytest.raises(Refused) as refused:
        secrets(account).read(NAMESPACE, "missing")
    assert refused.value.reason is Reason.SECRET_NOT_FOUND
    assert str(refused.value) == (
        "Secret secrets-adapter/missing does not exist; create it, or correct its name in spec"
    )


@pytest.mark.parametrize("where", [NAMESPACE, "default"])
def test_a_secret_that_rbac_keeps_back_is_named(account: Path, where: str) -> None:
    with pytest.raises(Refused) as refused:
        secrets(account).read(where, "foreign")
    assert refused.value.reason is Reason.ACCESS_DENIED
    assert f"Secret {where}/foreign may not be read" in str(refused.value)


class _Api(BaseHTTPRequestHandler):
    """Answers with the status that the Secret's name is, and a body that nobody may repeat."""

    bodies = (b'{"metadata": {}, "data": {"p": "%s"}}', b"[]", b"%s", b'{"data": {"p": 1}}')

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2].partition("%")[0]
        status, _, body = name.partition("-")
        text = self.bodies[int(body or 0)].replace(b"%s", CANARY.encode())
        self.send_response(int(status))
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture(name="broken")
def broken_api() -> Iterator[Secrets]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Api)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    settings = Configuration()
    settings.host = f"http://127.0.0.1:{server.server_port}"
    settings.retries = False
    with ApiClient(settings) as client:
        yield KubernetesSecrets(client)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.lab
@pytest.mark.parametrize("name", ["401", "409", "500", "503", "200", "200-1", "200-2", "200-3"])
def test_what_cannot_be_read_is_unreachable_and_shows_nothing(
    broken: Secrets, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Unreachable, match="Secret exchange/") as failed:
        broken.read("exchange", name)
    assert CANARY not in str(failed.value) + caplog.text
    if name.startswith("200"):
        assert CANARY not in "".join(traceback.format_exception(failed.value))


@pytest.mark.lab
def test_an_api_server_that_is_away_is_unreachable() -> None:
    settings = Configuration()
    settings.host = "http://127.0.0.1:1"
    settings.retries = False
    with ApiClient(settings) as client, pytest.raises(Unreachable, match="does not answer"):
        KubernetesSecrets(client).read("exchange", "fabrikam")


@pytest.mark.lab
def test_a_name_cannot_lead_to_another_address(broken: Secrets) -> None:
    # This server answers with the status behind the last slash.
    with pytest.raises(Unreachable, match="HTTP 500"):
        broken.read("exchange", "500/403")
