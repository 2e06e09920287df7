"""Every request that leaves the cluster is told once, with few words and no names of anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.https_server import HttpsServer
from adapters.scripted_wire import CHANGE, EX1, LOOKS, Clock, Fixture, World, access, http
from exchange_push_operator.adapters.exchange_winrm import WinRMExchanges
from exchange_push_operator.adapters.http import Https
from exchange_push_operator.adapters.kubernetes_requests import described
from exchange_push_operator.adapters.observed import observed
from exchange_push_operator.adapters.powershell_host import decode
from exchange_push_operator.core.endpoints import of_batch, of_https
from exchange_push_operator.core.errors import OutcomeUnknown, Unreachable
from exchange_push_operator.core.request_id import one_write
from lab.microsoft365 import ConnectionCut, HttpRequest, HttpResponse
from lab.network.ca import PrivateCA

if TYPE_CHECKING:
    from pathlib import Path

    from exchange_push_operator.core.ports import Request

pytestmark = pytest.mark.lab

GRAPH = "https://graph.microsoft.com/v1.0"
LOGIN = "https://login.microsoftonline.com"
OURS = "/apis/exchangepush.dev/v1alpha1"
ACS = "https://accounts.accesscontrol.windows.net"


@pytest.mark.parametrize(
    ("method", "url", "endpoint", "operation"),
    [
        ("GET", f"{GRAPH}/servicePrincipals(appId='x')?$select=id", "graph", "servicePrincipals"),
        ("PATCH", f"{GRAPH}/servicePrincipals/11-22", "graph", "servicePrincipals"),
        ("GET", "https://graph.microsoft.us/v1.0/applications/1", "graph", "applications"),
        ("GET", "https://graph.microsoft.com/odd", "graph", "other"),
        ("POST", f"{LOGIN}/b1/oauth2/v2.0/token", "entra", "SignIn"),
        (
            "GET",
            f"{LOGIN}/contoso.com/v2.0/.well-known/openid-configuration",
            "entra",
            "OpenIdConfiguration",
        ),
        ("GET", f"{ACS}/metadata/json/1?realm=contoso.com", "entra", "AcsMetadata"),
        ("GET", "https://sts.contoso.com/x", "entra", "Document"),
    ],
)
def test_what_a_call_is_for_names_no_tenant(
    method: str, url: str, endpoint: str, operation: str
) -> None:
    wanted = f"{method} {operation}" if endpoint == "graph" else operation
    assert of_https(method, url) == (endpoint, wanted)


def test_several_cmdlets_in_one_request_are_a_look() -> None:
    assert [of_batch(LOOKS), of_batch(CHANGE)] == ["Look", "Restart-Service"]


@pytest.mark.parametrize(
    ("method", "path", "verb", "resource"),
    [
        (
            "GET",
            "/apis/exchangepush.dev/v1alpha1/exchangepushconfigs",
            "list",
            "exchangepushconfigs",
        ),
        (
            "PUT",
            f"{OURS}/namespaces/a/exchangepushconfigs/b/status",
            "update",
            "exchangepushconfigs/status",
        ),
        ("GET", "/api/v1/namespaces/a/secrets/b", "get", "secrets"),
        ("POST", "/apis/events.k8s.io/v1/namespaces/a/events", "create", "events"),
        (
            "POST",
            "/api/v1/namespaces/a/serviceaccounts/b/token",
            "create",
            "serviceaccounts/token",
        ),
        ("PATCH", "/apis/events.k8s.io/v1/namespaces/a/events/b.1", "patch", "events"),
        ("GET", "/version", "get", "other"),
    ],
)
def test_a_request_to_the_api_server_is_called_as_rbac_calls_it(
    method: str, path: str, verb: str, resource: str
) -> None:
    assert described(method, path) == (verb, resource)


def test_a_bug_is_a_code_too() -> None:
    told: list[Request] = []
    with pytest.raises(KeyError), observed(told.append, "graph", "GET x"):
        raise KeyError("x")
    assert [request.code for request in told] == ["KeyError"]


def cut(_: HttpRequest) -> HttpResponse:
    raise ConnectionCut(applied=True)


def test_each_call_over_https_is_told_with_its_status_or_its_error(tmp_path: Path) -> None:
    told: list[Request] = []
    ca = PrivateCA()
    https = Https(str(ca.write(tmp_path / "ca.crt")), observer=told.append)
    with HttpsServer(ca, tmp_path, lambda _: HttpResponse(429, {}, b"{}")) as server:
        https.call("GET", f"{server.url}/x")
        server.respond = cut
        with pytest.raises(Unreachable):
            https.call("GET", f"{server.url}/x")
        with pytest.raises(OutcomeUnknown):
            https.call("POST", f"{server.url}/x", changes=True)
        https.close()
    assert [request.code for request in told] == ["429", "Unreachable", "OutcomeUnknown"]
    assert all(request.seconds > 0 for request in told)


def test_each_request_to_a_server_is_told_once_however_often_it_is_sent() -> None:
    told: list[Request] = []
    world, clock = World(), Clock()
    pool = WinRMExchanges(
        protocol_factory=world, clock=clock, pause=clock.pause, observer=told.append
    )
    exchange = pool.connect(access())
    world.trouble["after receive"] = [http(500)]
    exchange.run(EX1, LOOKS)
    exchange.run(EX1, CHANGE, changes=True)
    world.trouble["receive"] = [http(500)] * 9
    with pytest.raises(OutcomeUnknown):
        exchange.run(EX1, CHANGE, changes=True)
    pool.close()
    assert [(request.operation, request.code) for request in told] == [
        ("Look", "ok"),
        ("Restart-Service", "ok"),
        ("Restart-Service", "OutcomeUnknown"),
    ]


def test_a_change_goes_out_under_the_id_that_the_audit_has() -> None:
    lab = Fixture()
    lab.look()
    with one_write() as identifier:
        lab.change()
    message = decode(lab.world.sent[-1])
    assert message is not None
    assert message["id"] == identifier
