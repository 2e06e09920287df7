"""Microsoft Graph by MSAL, over TLS, against a tenant that really checks the credentials."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from adapters.https_server import HttpsServer
from exchange_push_operator.adapters.graph_msal import EntraGraphs
from exchange_push_operator.adapters.http import Https
from exchange_push_operator.core.commands import GraphRequest
from exchange_push_operator.core.errors import (
    GraphFailed,
    OutcomeUnknown,
    Refused,
    Throttled,
    Unreachable,
)
from exchange_push_operator.core.fresh_token import SPREAD
from exchange_push_operator.core.ports import GraphAccess, Identity, Sensitive
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.request_id import one_write
from lab.microsoft365 import HttpResponse, Microsoft365
from lab.microsoft365.clouds import EXCHANGE_ONLINE, Service
from lab.microsoft365.directory import Kind
from lab.microsoft365.sample import (
    CLIENT,
    FABRIKAM,
    SECRET,
    client_certificate,
    client_key_pem,
    sample,
)
from lab.microsoft365.world import system_clock
from lab.network.ca import PrivateCA

pytestmark = pytest.mark.lab

ROLES = frozenset({"Application.ReadWrite.All", "Organization.Read.All"})
LOOK = GraphRequest(
    "GET", f"servicePrincipals(appId='{EXCHANGE_ONLINE}')?$select=id,appId,keyCredentials"
)


@dataclass
class Tenant:
    """A tenant in the lab, its two servers, and the adapter that is tested."""

    model: Microsoft365
    login: HttpsServer
    graph: HttpsServer
    https: Https
    pauses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.graphs = EntraGraphs(self.https, system_clock, pause=self.pauses.append)

    def access(self, **changed: Any) -> GraphAccess:
        secret = GraphAccess(
            authority=self.login.url,
            graph=self.graph.url,
            tenant_id=FABRIKAM,
            client_id=CLIENT,
            client_secret=Sensitive.of(SECRET),
            certificate=None,
            private_key=None,
            version="exchange/fabrikam-entra@1",
        )
        return replace(secret, **changed)

    def change(self) -> GraphRequest:
        principal = self.graphs.connect(self.access()).send(LOOK)
        kept = [{k: v for k, v in e.items() if k != "key"} for e in principal["keyCredentials"]]
        path = f"servicePrincipals/{principal['id']}"
        return GraphRequest("PATCH", path, {"keyCredentials": kept})

    def sign_ins(self) -> int:
        return sum(asked.startswith("POST") for asked in self.login.asked())


CERTIFICATE = client_certificate()
WITH_CERTIFICATE = {
    "client_secret": None,
    "certificate": CERTIFICATE.public_bytes(Encoding.PEM).decode(),
    "private_key": Sensitive.of(client_key_pem().decode()),
}


@pytest.fixture(name="tenant")
def tenant_in_the_lab(tmp_path: Path) -> Iterator[Tenant]:
    ca, model = PrivateCA(), sample(certificate=CERTIFICATE)
    https = Https(str(ca.write(tmp_path / "ca.crt")))
    with (
        HttpsServer(ca, tmp_path, model.handle) as login,
        HttpsServer(ca, tmp_path, model.handle) as graph,
    ):
        model.local |= {login.host: Service.AUTHORITY, graph.host: Service.GRAPH}
        yield Tenant(model, login, graph, https)
        https.close()


@pytest.mark.parametrize("proof", [{}, WITH_CERTIFICATE], ids=["secret", "certificate"])
def test_both_kinds_of_credential_sign_in(tenant: Tenant, proof: dict[str, Any]) -> None:
    graph = tenant.graphs.connect(tenant.access(**proof))
    assert graph.identity() == Identity(FABRIKAM, ROLES)
    assert graph.send(LOOK)["appId"] == EXCHANGE_ONLINE


def test_connecting_asks_nobody(tenant: Tenant) -> None:
    tenant.graphs.connect(tenant.access())
    assert not tenant.login.requests


def test_a_change_answers_with_nothing(tenant: Tenant) -> None:
    request = tenant.change()
    assert tenant.graphs.connect(tenant.access()).send(request) == {}


def test_every_call_can_be_found_in_the_logs_of_microsoft(tenant: Tenant) -> None:
    graph = tenant.graphs.connect(tenant.access())
    graph.send(LOOK)
    graph.send(LOOK)
    ids = {request.headers["client-request-id"] for request in tenant.graph.requests}
    assert len(ids) == 2


def test_a_token_is_used_as_long_as_it_lasts(tenant: Tenant) -> None:
    for _ in range(3):
        tenant.graphs.connect(tenant.access()).send(LOOK)
    assert tenant.sign_ins() == 1


def test_many_threads_sign_in_once(tenant: Tenant) -> None:
    graph, found = tenant.graphs.connect(tenant.access()), list[Identity]()
    threads = [threading.Thread(target=lambda: found.append(graph.identity())) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(found), tenant.sign_ins()) == (12, 1)


def test_a_new_version_of_the_secret_is_used_from_its_first_call(tenant: Tenant) -> None:
    tenant.graphs.connect(tenant.access()).identity()
    wrong = tenant.access(version="exchange/fabrikam-entra@2", client_secret=Sensitive.of("wrong"))
    with pytest.raises(Refused):
        tenant.graphs.connect(wrong).identity()


def test_a_broken_credential_of_the_same_application_blocks_nobody(tenant: Tenant) -> None:
    """Two resources, one application, a Secret each: no sign-in is thrown away for the other's."""
    broken = tenant.access(version="other/entra@1", client_secret=Sensitive.of("wrong"))
    for _ in range(2):
        assert tenant.graphs.connect(tenant.access()).identity().tenant_id == FABRIKAM
        with pytest.raises(Refused):
            tenant.graphs.connect(broken).identity()
    assert tenant.sign_ins() == 3  # one that lasts, and two that were refused


def test_tokens_of_one_tenant_are_not_used_for_another(tenant: Tenant) -> None:
    tenant.graphs.connect(tenant.access()).identity()
    elsewhere = tenant.access(tenant_id="c0ffee00-0000-4000-8000-000000000001")
    with pytest.raises(Refused):
        tenant.graphs.connect(elsewhere).identity()


def test_the_sign_in_used_longest_ago_is_forgotten(tenant: Tenant) -> None:
    graphs = EntraGraphs(tenant.https, system_clock, most=2)
    first, second, third = (
        tenant.access(client_id=client) for client in (CLIENT, CLIENT.upper(), CLIENT[:-1] + "f")
    )
    graphs.connect(first).identity()
    graphs.connect(second)
    graphs.connect(first)
    graphs.connect(third)  # second goes
    graphs.connect(first).identity()
    assert tenant.sign_ins() == 1
    graphs.connect(second)
    graphs.connect(third)  # first goes
    graphs.connect(first).identity()
    assert tenant.sign_ins() == 2


@pytest.mark.parametrize("before", [0, 1], ids=["first sign-in", "renewal"])
def test_a_cure_in_the_tenant_is_seen_at_once(tenant: Tenant, before: int) -> None:
    """MSAL would repeat a refusal (HTTP 400) from memory for a minute."""
    tenant.login.respond = lambda request: _replaced(
        tenant.model.handle(request), b'"expires_in":3599', b'"expires_in":10'
    )
    fabrikam = tenant.model.tenant(FABRIKAM)
    application = fabrikam.find(Kind.APPLICATION, CLIENT)
    assert application is not None
    graph = tenant.graphs.connect(tenant.access())
    for _ in range(before):
        graph.identity()
    fabrikam.holders.remove(application)
    with pytest.raises(Refused, match="AADSTS700016"):
        graph.identity()
    fabrikam.holders.append(application)
    assert graph.identity().tenant_id == FABRIKAM
    assert tenant.sign_ins() == before + 2


def _replaced(response: HttpResponse, old: bytes, new: bytes) -> HttpResponse:
    return replace(response, body=response.body.replace(old, new))


def test_a_token_turned_down_is_replaced_once(tenant: Tenant) -> None:
    graph = tenant.graphs.connect(tenant.access())
    graph.identity()
    tenant.model.set_fault("token_rejected", 1)
    assert graph.send(LOOK)["appId"] == EXCHANGE_ONLINE
    assert tenant.sign_ins() == 2


def test_a_token_turned_down_twice_needs_a_person(tenant: Tenant) -> None:
    tenant.model.set_fault("token_rejected", 2)
    with pytest.raises(Refused, match=r"localhost: the access token is not accepted") as refused:
        tenant.graphs.connect(tenant.access()).send(LOOK)
    assert refused.value.reason is Reason.ACCESS_DENIED
    assert len(tenant.graph.requests) == 2


def test_a_look_is_repeated_after_a_short_pause(tenant: Tenant) -> None:
    tenant.model.set_fault("graph_failure", {"status": 429, "times": 2, "retryAfter": 1})
    assert tenant.graphs.connect(tenant.access()).send(LOOK)["appId"] == EXCHANGE_ONLINE
    assert tenant.pauses == [1.0, 1.0]


@pytest.mark.parametrize(
    ("fault", "retry_after", "pauses"),
    [
        ({"status": 429, "retryAfter": 2}, 2.0, [2.0, 2.0]),
        ({"status": 503, "retryAfter": 1}, 1.0, [1.0, 1.0]),
        ({"status": 429, "retryAfter": 120}, 120.0, []),
        ({"status": 429}, None, []),
    ],
    ids=["short for ever", "503", "long", "not said"],
)
def test_patience_beyond_a_moment_is_left_to_the_work_queue(
    tenant: Tenant, fault: dict[str, Any], retry_after: float | None, pauses: list[float]
) -> None:
    tenant.model.set_fault("graph_failure", fault)
    with pytest.raises(Throttled) as throttled:
        tenant.graphs.connect(tenant.access()).send(LOOK)
    assert (throttled.value.retry_after, tenant.pauses) == (retry_after, pauses)


def test_a_change_is_never_repeated(tenant: Tenant) -> None:
    request = tenant.change()
    tenant.model.set_fault("graph_failure", {"status": 429, "retryAfter": 1, "method": "PATCH"})
    with pytest.raises(Throttled):
        tenant.graphs.connect(tenant.access()).send(request)
    assert tenant.pauses == []
    assert sum(asked.startswith("PATCH") for asked in tenant.graph.asked()) == 1


@pytest.mark.parametrize("switch", ["reset_after_patch", "graph_failure"])
def test_a_change_whose_answer_is_lost_is_open(tenant: Tenant, switch: str) -> None:
    request = tenant.change()
    tenant.model.set_fault(switch, {"status": 502} if switch == "graph_failure" else 1)
    with pytest.raises(OutcomeUnknown):
        tenant.graphs.connect(tenant.access()).send(request)


def test_a_look_whose_answer_is_lost_is_not_repeated_here(tenant: Tenant) -> None:
    tenant.model.set_fault("graph_failure", {"status": 0})
    with pytest.raises(Unreachable, match="localhost: the connection was cut"):
        tenant.graphs.connect(tenant.access()).send(LOOK)


def test_a_change_that_could_not_be_sent_is_not_open(tenant: Tenant) -> None:
    request = tenant.change()
    gone = tenant.access(graph="https://localhost:1")
    with pytest.raises(Unreachable, match="no connection can be made"):
        tenant.graphs.connect(gone).send(request)


def test_a_missing_permission_keeps_the_codes_of_graph(tenant: Tenant) -> None:
    request = tenant.change()
    principal = tenant.model.tenant(FABRIKAM).find(Kind.PRINCIPAL, CLIENT)
    assert principal is not None
    principal.roles = frozenset({"Application.Read.All"})
    fresh = tenant.graphs.connect(tenant.access(version="2"))
    with pytest.raises(GraphFailed) as failed:
        fresh.send(request)
    assert (failed.value.status, failed.value.codes) == (403, ("Authorization_RequestDenied",))
    assert fresh.identity().roles == {"Application.Read.All"}


def test_an_early_renewal_that_fails_leaves_the_good_token_in_use(tenant: Tenant) -> None:
    tenant.login.respond = lambda request: _replaced(
        tenant.model.handle(request), b'"expires_in"', b'"refresh_in":-1,"expires_in"'
    )
    graph = tenant.graphs.connect(tenant.access())
    graph.identity()
    tenant.model.set_fault("authority_failure", {"status": 503})
    assert graph.identity().tenant_id == FABRIKAM
    assert tenant.sign_ins() == 2


def test_a_certificate_that_expires_while_it_is_in_use_is_named(tenant: Tenant) -> None:
    moments = [system_clock(), system_clock() + timedelta(days=400)]
    graphs = EntraGraphs(tenant.https, lambda: moments[0])
    graph = graphs.connect(tenant.access(**WITH_CERTIFICATE))
    graph.identity()
    moments.pop(0)
    with pytest.raises(Refused, match=r"tls\.crt has expired"):
        graph.identity()


def granted(tenant: Tenant, *roles: str) -> None:
    tenant.model.grant(FABRIKAM, CLIENT, roles)


class Hours:
    """The operator's clock; the token's own life is Microsoft's."""

    def __init__(self) -> None:
        self.now = system_clock()

    def __call__(self) -> datetime:
        return self.now


@pytest.mark.parametrize(
    ("minutes", "known"), [(4, False), (6, True)], ids=["young token", "older token"]
)
def test_what_was_granted_since_is_asked_for_again_after_some_minutes(
    tenant: Tenant,
    minutes: int,
    known: bool,  # noqa: FBT001 - a table
) -> None:
    clock = Hours()
    graph = EntraGraphs(tenant.https, clock).connect(tenant.access())
    granted(tenant, "Application.Read.All")
    assert graph.identity(since=clock() - SPREAD).roles == {"Application.Read.All"}
    granted(tenant, "Application.ReadWrite.All")
    clock.now += timedelta(minutes=minutes)
    assert graph.identity().roles == {"Application.Read.All"}
    found = graph.identity(since=clock() - SPREAD).roles
    assert found == {"Application.ReadWrite.All" if known else "Application.Read.All"}
    assert graph.identity().roles == found
    assert tenant.sign_ins() == (2 if known else 1)


def test_a_call_that_is_not_permitted_is_sent_again_with_a_token_that_knows_of_a_grant(
    tenant: Tenant,
) -> None:
    clock, request = Hours(), tenant.change()
    before = tenant.sign_ins()
    granted(tenant, "Application.Read.All")
    graph = EntraGraphs(tenant.https, clock).connect(tenant.access())
    for minutes, sign_ins in ((0, 1), (6, 2), (1, 2)):
        clock.now += timedelta(minutes=minutes)
        with pytest.raises(GraphFailed):
            graph.send(request)
        assert tenant.sign_ins() == before + sign_ins
    granted(tenant, "Application.ReadWrite.All")
    clock.now += timedelta(minutes=6)
    assert graph.send(request) == {}


def test_a_write_goes_out_under_the_id_that_the_audit_has(tenant: Tenant) -> None:
    change = tenant.change()
    with one_write() as identifier:
        tenant.graphs.connect(tenant.access()).send(change)
    assert tenant.graph.requests[-1].method == "PATCH"
    assert tenant.graph.requests[-1].headers["client-request-id"] == identifier
