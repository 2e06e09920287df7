"""The in-process port raises what the real adapter raises, word for word."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from exchange_push_operator.adapters.graph_msal import EntraGraphs
from exchange_push_operator.core.commands import GraphRequest
from exchange_push_operator.core.errors import GraphFailed, PushError, Refused, Throttled
from exchange_push_operator.core.ports import Graph, GraphAccess, Sensitive
from lab.microsoft365 import Microsoft365, sample
from lab.microsoft365.clouds import EXCHANGE_ONLINE
from lab.microsoft365.in_process import InProcessGraph, InProcessHttps
from lab.network.ca import key_pem, rsa_key, self_signed

PRINCIPAL = f"servicePrincipals(appId='{EXCHANGE_ONLINE}')"
READ = GraphRequest("GET", f"{PRINCIPAL}?$select=id,keyCredentials")
CLEAR = GraphRequest("PATCH", PRINCIPAL, {"keyCredentials": []})
CERTIFICATE = sample.client_certificate()
STRANGER = self_signed("stranger", key=rsa_key(sample.CLIENT_NAME))
OLD = self_signed("old", start=datetime.now(UTC) - timedelta(days=9), days=3)

SECRET = GraphAccess(
    authority="https://login.microsoftonline.com",
    graph="https://graph.microsoft.com",
    tenant_id=sample.FABRIKAM,
    client_id=sample.CLIENT,
    client_secret=Sensitive.of(sample.SECRET),
    certificate=None,
    private_key=None,
    version="1",
)


def by_certificate(
    certificate: x509.Certificate, key_name: str = sample.CLIENT_NAME
) -> GraphAccess:
    return replace(
        SECRET,
        client_secret=None,
        certificate=certificate.public_bytes(Encoding.PEM).decode(),
        private_key=Sensitive.of(key_pem(rsa_key(key_name)).decode()),
    )


ACCESSES = {
    "secret": SECRET,
    "certificate": by_certificate(CERTIFICATE),
    "by domain": replace(SECRET, tenant_id="fabrikam.com"),
    "wrong secret": replace(SECRET, client_secret=Sensitive.of("not~the~secret")),
    "certificate not registered": by_certificate(STRANGER),
    "certificate expired": by_certificate(OLD, "old"),
    "certificate and key of two pairs": by_certificate(CERTIFICATE, "thief"),
    "unknown client": replace(SECRET, client_id="00000000-0000-4000-8000-000000000009"),
    "unknown tenant": replace(SECRET, tenant_id="nobody.example"),
    "another tenant": replace(SECRET, tenant_id=sample.CONTOSO),
    "host that does not exist": replace(SECRET, authority="https://login.example"),
}

FAULTS: Mapping[str, Mapping[str, Any]] = {
    "authority throttled": {"authority_failure": {"status": 429, "retryAfter": 9}},
    "authority out of order": {"authority_failure": {"status": 503}},
    "authority cut": {"authority_failure": {"status": 0}},
    "conditional access": {"conditional_access": True},
    "token rejected once": {"token_rejected": 1},
    "token rejected for good": {"token_rejected": 9},
    "graph throttled": {"graph_failure": {"status": 429, "retryAfter": 9}},
    "graph throttled, no word on time": {"graph_failure": {"status": 429}},
    "graph out of order": {"graph_failure": {"status": 500}},
    "graph out of order for a while": {"graph_failure": {"status": 503, "retryAfter": 9}},
    "graph cut": {"graph_failure": {"status": 0}},
    "answer lost": {"reset_after_patch": 1},
    "concurrent": {"concurrency_violation": 1},
    "locked": {"first_party_locked": True},
    "instance lock": {"instance_property_lock": True},
    "policy": {"app_policy": "CredentialInvalidLifetimeAsPerAppPolicy"},
    "not provisioned": {"not_provisioned": True},
    "too many keys": {"max_keys": 0},
}


def light(model: Microsoft365, access: GraphAccess) -> Graph:
    return InProcessGraph(model, access)


def _at_once(seconds: float) -> None:
    del seconds


def real(model: Microsoft365, access: GraphAccess) -> Graph:
    graphs = EntraGraphs(InProcessHttps(model), model.now, pause=_at_once)
    return graphs.connect(access)


Make = Callable[[Microsoft365, GraphAccess], Graph]


def outcome(
    make: Make, access: GraphAccess, faults: Mapping[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    """What identity, a look and a change come to."""
    model = sample.sample(certificate=CERTIFICATE)
    for name, value in (faults or {}).items():
        model.set_fault(name, value)
    port = make(model, access)
    attempts: tuple[Callable[[], Any], ...] = (
        port.identity,
        lambda: len(port.send(READ)["keyCredentials"]),
        lambda: port.send(CLEAR),
    )
    return [_tell(attempt) for attempt in attempts]


def _tell(attempt: Callable[[], Any]) -> tuple[Any, ...]:
    try:
        return ("fine", attempt())
    except PushError as error:
        return (type(error), str(error), *_details(error))


def _details(error: PushError) -> tuple[Any, ...]:
    match error:
        case Refused():
            return (error.reason,)
        case Throttled():
            return (error.retry_after,)
        case GraphFailed():
            return (error.status, error.codes)
        case _:
            return ()


@pytest.mark.parametrize("name", ACCESSES)
def test_both_ports_say_the_same_of_an_access(name: str) -> None:
    assert outcome(light, ACCESSES[name]) == outcome(real, ACCESSES[name])


@pytest.mark.parametrize("name", FAULTS)
def test_both_ports_say_the_same_of_a_fault(name: str) -> None:
    assert outcome(light, SECRET, FAULTS[name]) == outcome(real, SECRET, FAULTS[name])


def test_the_token_is_kept_and_renewed_by_the_clock_of_the_model() -> None:
    moment = [datetime(2030, 1, 1, tzinfo=UTC)]
    certificate = sample.client_certificate(lambda: moment[0])
    model = sample.sample(clock=lambda: moment[0], certificate=certificate)
    port = InProcessGraph(model, by_certificate(certificate))
    for _ in range(3):
        port.send(READ)
    assert model.dump()["tokensIssued"]["entra"] == 1
    moment[0] += timedelta(hours=2)
    assert port.identity().tenant_id == sample.FABRIKAM
    assert model.dump()["tokensIssued"]["entra"] == 2
    look = ["GET", "POST"]  # discovery and token
    assert [call.split(" ")[0] for call in port.https.calls] == [*look, *["GET"] * 3, *look]
