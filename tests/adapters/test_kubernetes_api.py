"""Answers of the API server, and what they mean; signing in to it."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from kubernetes.client import ApiClient, ApiException
from kubernetes.config import ConfigException
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError

from exchange_push_operator.adapters.kopf_sign_in import connection_info
from exchange_push_operator.adapters.kubernetes_api import (
    Invalid,
    KubernetesApi,
    sign_in,
)
from exchange_push_operator.adapters.kubernetes_objects import KubernetesObjects
from exchange_push_operator.core.cluster import Conflict
from exchange_push_operator.core.config import FINALIZER
from exchange_push_operator.core.errors import (
    PushError,
    Refused,
    SpecError,
    Throttled,
    Unreachable,
)

RESOURCE: dict[str, Any] = {
    "apiVersion": "exchangepush.dev/v1alpha1",
    "kind": "ExchangePushConfig",
    "metadata": {
        "namespace": "exchange",
        "name": "fabrikam",
        "uid": "u",
        "resourceVersion": "7",
        "finalizers": ["example.com/theirs"],
    },
    "spec": {},
    "status": {"observedGeneration": -1},
}


class Client:
    """An ApiClient with one answer, which keeps what it was asked."""

    def __init__(self, status: int = 200, body: Any = None, **headers: str) -> None:
        self.configuration = SimpleNamespace(host="https://10.0.0.1")
        self.asked: list[tuple[str, str, Any]] = []
        self.failure: Exception | None = None
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._answer = SimpleNamespace(
            status=status, reason="Reason", read=lambda: content, getheader=headers.get
        )

    def update_params_for_auth(self, headers: dict[str, str], *_: Any) -> None:
        headers["authorization"] = "Bearer token"

    def call_api(
        self, method: str, url: str, headers: dict[str, str], body: Any, **_: Any
    ) -> SimpleNamespace:
        assert headers["authorization"] == "Bearer token"
        self.asked.append((method, url, body))
        if self.failure is not None:
            raise self.failure
        return self._answer


def api_of(client: Client) -> KubernetesApi:
    return KubernetesApi(cast("ApiClient", client))


def test_an_answer_is_its_json() -> None:
    client = Client(200, {"kind": "X"})
    assert api_of(client).call("GET", "/apis/x") == {"kind": "X"}
    assert client.asked == [("GET", "https://10.0.0.1/apis/x", None)]


def test_what_is_not_there_is_none() -> None:
    assert api_of(Client(404, {"message": "not found"})).call("GET", "/x") is None


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Invalid),
        (401, Refused),
        (403, Refused),
        (409, Conflict),
        (422, Invalid),
        (429, Throttled),
        (500, Unreachable),
        (503, Unreachable),
    ],
)
def test_a_refusal_says_what_to_do_next(status: int, error: type[PushError]) -> None:
    with pytest.raises(error, match="GET /x: no such luck"):
        api_of(Client(status, {"message": "no such luck"})).call("GET", "/x")


def test_a_refusal_that_is_not_json_is_one_too() -> None:
    with pytest.raises(Unreachable, match="GET /x: Reason"):
        api_of(Client(502, b"<html>")).call("GET", "/x")


def test_the_pause_that_the_api_server_asks_for_is_kept() -> None:
    with pytest.raises(Throttled) as throttled:
        api_of(Client(429, {}, **{"Retry-After": "7"})).call("GET", "/x")
    assert throttled.value.retry_after == 7


@pytest.mark.parametrize(
    "failure",
    [ProtocolError("connection reset"), ApiException(0, "SSLError\ncertificate"), OSError("gone")],
    ids=["reset", "tls", "os"],
)
def test_no_answer_is_one_line(failure: Exception) -> None:
    client = Client()
    client.failure = failure
    with pytest.raises(Unreachable, match="the API server does not answer GET /x: ") as error:
        api_of(client).call("GET", "/x")
    assert "\n" not in str(error.value)


def test_a_status_is_put_with_the_version_that_was_read() -> None:
    client = Client(200, RESOURCE)
    KubernetesObjects(api_of(client)).write_status(RESOURCE, {"observedGeneration": 1})
    ((method, url, body),) = client.asked
    assert (method, url.rpartition("/exchangepushconfigs/")[2]) == ("PUT", "fabrikam/status")
    assert body["metadata"]["resourceVersion"] == "7"
    assert body["status"] == {"observedGeneration": 1}
    assert "spec" not in body


def test_a_finalizer_is_added_beside_others_and_tests_the_version() -> None:
    client = Client(200, RESOURCE)
    KubernetesObjects(api_of(client)).set_finalizer(RESOURCE, present=True)
    ((_, _, patch),) = client.asked
    assert patch == [
        {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
        {
            "op": "add",
            "path": "/metadata/finalizers",
            "value": ["example.com/theirs", FINALIZER],
        },
    ]


def test_a_finalizer_that_is_as_it_should_be_is_not_written() -> None:
    client = Client(200, RESOURCE)
    assert KubernetesObjects(api_of(client)).set_finalizer(RESOURCE, present=False) is RESOURCE
    assert client.asked == []


def test_a_test_of_the_version_that_fails_is_a_conflict() -> None:
    with pytest.raises(Conflict):
        KubernetesObjects(api_of(Client(422, {}))).set_finalizer(RESOURCE, present=True)


def test_an_object_that_went_with_its_last_finalizer_is_gone() -> None:
    metadata = {**RESOURCE["metadata"], "deletionTimestamp": "now", "finalizers": [FINALIZER]}
    left = {**RESOURCE, "metadata": {**metadata, "finalizers": []}}
    objects = KubernetesObjects(api_of(Client(200, left)))
    assert objects.set_finalizer({**RESOURCE, "metadata": metadata}, present=False) is None


def test_a_missing_crd_is_said_at_the_start() -> None:
    with pytest.raises(SpecError, match="install the CRD"):
        KubernetesObjects(api_of(Client(404, {}))).check([])


def test_missing_rights_are_said_at_the_start_with_their_cure() -> None:
    with pytest.raises(Refused, match="--namespace"):
        KubernetesObjects(api_of(Client(403, {"message": "forbidden"}))).check([])


def kubeconfig(tmp_path: Path, **user: str) -> Path:
    path = tmp_path / "kubeconfig"
    named = {
        "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443"}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    }
    path.write_text(yaml.safe_dump({"current-context": "x", **named}), encoding="utf-8")
    return path


def test_kopf_signs_in_with_the_same_token(tmp_path: Path) -> None:
    info = connection_info(sign_in(kubeconfig(tmp_path, token="t0ken"), 4))
    assert info.server == "https://10.0.0.1:6443"
    assert info.as_http_headers() == {"Authorization": "Bearer t0ken"}
    assert not info.insecure


def test_kopf_signs_in_with_the_same_password(tmp_path: Path) -> None:
    info = connection_info(sign_in(kubeconfig(tmp_path, username="admin", password="pw"), 4))
    assert info.as_http_headers() == {"Authorization": "Basic YWRtaW46cHc="}


@pytest.mark.parametrize("content", ["", "[]", "{", "current-context: nowhere"])
def test_a_kubeconfig_that_cannot_be_used_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SpecError, match=f"--kubeconfig {path} cannot be used: "):
        sign_in(path, 4)


@pytest.mark.parametrize("content", [b"hello", b"[1]", b"\xff\x00"], ids=str)
def test_what_is_no_kubeconfig_at_all_is_called_that(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "kubeconfig"
    path.write_bytes(content)
    with pytest.raises(SpecError, match="cannot be used: it is no kubeconfig, which is YAML with"):
        sign_in(path, 4)


def test_outside_of_a_pod_a_kubeconfig_is_asked_for() -> None:
    with pytest.raises(SpecError, match="say with --kubeconfig which cluster to use"):
        sign_in(None, 4)


@pytest.mark.parametrize("body", [b"<html>", b"", b"\xff", b"[" * 100_000])
def test_what_answers_without_json_is_not_the_api_server(body: bytes) -> None:
    with pytest.raises(Unreachable, match="is not the API server"):
        api_of(Client(200, body)).call("GET", "/apis/x")


@pytest.mark.parametrize("error", [ConfigException("no token"), FileNotFoundError("token")])
def test_a_sign_in_that_cannot_be_renewed_is_no_bug(error: Exception) -> None:
    class Locked(Client):
        def update_params_for_auth(self, headers: dict[str, str], *_: Any) -> None:
            del headers
            raise error

    with pytest.raises(Unreachable, match="token"):
        api_of(Locked()).call("GET", "/apis/x")


def test_no_python_stands_in_the_message_of_a_refused_connection() -> None:
    client = Client()
    refused = NewConnectionError(HTTPSConnection("10.0.0.1"), "Connection refused")
    client.failure = MaxRetryError(HTTPSConnectionPool("10.0.0.1"), "/apis/x", refused)
    with pytest.raises(Unreachable) as failed:
        api_of(client).call("GET", "/apis/x")
    assert str(failed.value) == "the API server does not answer GET /apis/x: Connection refused"


def test_a_pause_has_an_end() -> None:
    with pytest.raises(Throttled) as throttled:
        api_of(Client(429, {}, **{"Retry-After": "9" * 400})).call("GET", "/apis/x")
    assert throttled.value.retry_after == 3600
