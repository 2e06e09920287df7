"""Signing in with a token of the cluster, over TLS, against a tenant that really checks it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.https_server import HttpsServer
from exchange_push_operator.adapters.graph_msal import EntraGraphs
from exchange_push_operator.adapters.http import Https
from exchange_push_operator.core.errors import PushError, Refused, Throttled, Unreachable
from exchange_push_operator.core.ports import Graph, GraphAccess, Sensitive
from exchange_push_operator.core.reasons import Reason
from lab.microsoft365 import HttpRequest, HttpResponse, Microsoft365
from lab.microsoft365.clouds import Service
from lab.microsoft365.directory import FederatedCredential
from lab.microsoft365.federation import GLOBAL_AUDIENCE, LabIssuer, account_subject
from lab.microsoft365.http import answer
from lab.microsoft365.sample import CLIENT, FABRIKAM, principal, sample
from lab.microsoft365.world import system_clock
from lab.network.ca import PrivateCA

pytestmark = pytest.mark.lab

ISSUER = LabIssuer()
SUBJECT = account_subject("exchange", "fabrikam-entra")
TRUSTED = ISSUER.credential(SUBJECT)
ELSEWHERE = LabIssuer("https://oidc.lab.example/another")


def issued() -> str:
    return ISSUER.token(SUBJECT, GLOBAL_AUDIENCE, system_clock())


@dataclass
class Site:
    """A tenant that trusts the cluster, and the cluster's answer to a TokenRequest."""

    model: Microsoft365
    server: HttpsServer
    https: Https
    cluster: Callable[[], str] = issued
    handed_out: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.graphs = EntraGraphs(self.https, system_clock)

    def connect(self, **changed: Any) -> Graph:
        access = GraphAccess(
            authority=self.server.url,
            graph="https://graph.microsoft.com",
            tenant_id=FABRIKAM,
            client_id=CLIENT,
            client_secret=None,
            certificate=None,
            private_key=None,
            version="serviceaccounts/exchange/fabrikam-entra@",
            federated_token=Sensitive(self._token),
        )
        return self.graphs.connect(replace(access, **changed))

    def _token(self) -> str:
        self.handed_out.append(self.cluster())
        return self.handed_out[-1]

    def trust(self, *credentials: FederatedCredential) -> None:
        principal(self.model, CLIENT).federated = credentials

    def failure(self) -> PushError:
        with pytest.raises(PushError) as failed:
            self.connect().identity()
        return failed.value


@pytest.fixture(name="site")
def site_in_the_lab(tmp_path: Path) -> Iterator[Site]:
    ca, model = PrivateCA(), sample()
    https = Https(str(ca.write(tmp_path / "ca.crt")))
    with HttpsServer(ca, tmp_path, model.handle) as server:
        model.local[server.host] = Service.AUTHORITY
        model.tokens.issuers[ISSUER.url] = ISSUER.keys
        site = Site(model, server, https)
        site.trust(TRUSTED)
        yield site
        https.close()


def test_a_token_of_the_cluster_signs_in(site: Site) -> None:
    assert site.connect().identity().tenant_id == FABRIKAM


def test_the_cluster_is_asked_only_when_entra_id_is(site: Site) -> None:
    graph = site.connect()
    assert site.handed_out == []
    for _ in range(3):
        graph.identity()
        site.connect().identity()
    assert len(site.handed_out) == 1


def test_every_sign_in_has_a_token_of_its_own(site: Site) -> None:
    site.connect().identity()
    site.connect(version="serviceaccounts/other/fabrikam-entra@").identity()
    assert len(site.handed_out) == 2


REFUSALS: dict[str, tuple[tuple[FederatedCredential, ...], str]] = {
    "nothing trusted": ((), "AADSTS700211"),
    "another issuer": ((ELSEWHERE.credential(SUBJECT),), "AADSTS700211"),
    "another account": ((replace(TRUSTED, subject=SUBJECT.upper()),), "AADSTS700213"),
    "another audience": ((replace(TRUSTED, audience="api://else"),), "AADSTS700212"),
}


CLAIMS = {"AADSTS700211": "issuer", "AADSTS700212": "audience", "AADSTS700213": "subject"}


@pytest.mark.parametrize(("trusted", "number"), REFUSALS.values(), ids=REFUSALS)
def test_a_token_that_nothing_matches_is_refused_with_what_differs_and_what_was_sent(
    site: Site, trusted: tuple[FederatedCredential, ...], number: str
) -> None:
    site.trust(*trusted)
    refused = site.failure()
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.ACCESS_DENIED
    claim = CLAIMS[number]
    assert str(refused) == (
        f"localhost: no federated credential of application {CLIENT} has the {claim} of the token "
        f"({number}); correct the {claim} of the one for the account named in "
        f"tenant.credentials.workloadIdentity, or add one (sent: issuer {ISSUER.url}, subject "
        f"{SUBJECT}, audience {GLOBAL_AUDIENCE})"
    )
    site.trust(TRUSTED)
    assert site.connect().identity().tenant_id == FABRIKAM  # the cure is seen at once


def test_an_issuer_that_entra_id_cannot_reach_is_told(site: Site) -> None:
    del site.model.tokens.issuers[ISSUER.url]
    refused = site.failure()
    assert "Request to External OIDC endpoint failed" in str(refused)
    assert f"tenant.credentials.workloadIdentity (sent: issuer {ISSUER.url}," in str(refused)


FORGED: dict[str, Callable[[], str]] = {
    "another key": lambda: LabIssuer(ISSUER.url + "/").token(
        SUBJECT, GLOBAL_AUDIENCE, system_clock()
    ),
    "cut": lambda: issued()[:-8],
    "expired": lambda: ISSUER.token(SUBJECT, GLOBAL_AUDIENCE, system_clock() - timedelta(hours=3)),
    "no token at all": lambda: "opaque",
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_entra_id_takes_no_forged_token(site: Site, forge: Callable[[], str]) -> None:
    site.cluster = forge
    assert isinstance(site.failure(), Refused)
    assert site.model.tokens.issued == 0


CLUSTER: dict[str, PushError] = {
    "no such account": Refused(Reason.SERVICE_ACCOUNT_NOT_FOUND, "there is none"),
    "no right to it": Refused(Reason.ACCESS_DENIED, "not granted"),
    "no answer": Unreachable("the API server does not answer"),
    "too many": Throttled("patience", 5),
}


@pytest.mark.parametrize("trouble", CLUSTER.values(), ids=CLUSTER)
def test_trouble_of_the_cluster_is_told_as_it_is(site: Site, trouble: PushError) -> None:
    def fail() -> str:
        raise trouble

    site.cluster = fail
    assert site.failure() is trouble
    assert not any(asked.startswith("POST") for asked in site.server.asked())


def test_a_good_token_outlives_a_cluster_that_does_not_answer(site: Site) -> None:
    """Entra ID wants it renewed early; what is there lasts until it is over."""

    def early(request: HttpRequest) -> HttpResponse:
        response = site.model.handle(request)
        body = response.body.replace(b'"expires_in"', b'"refresh_in":-1,"expires_in"')
        return replace(response, body=body)

    def fail() -> str:
        raise CLUSTER["no answer"]

    site.server.respond = early
    graph = site.connect()
    graph.identity()
    site.cluster = fail
    assert graph.identity().tenant_id == FABRIKAM


def test_no_error_and_no_log_shows_the_token(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    def echo(request: HttpRequest) -> HttpResponse:
        if request.method != "POST":
            return site.model.handle(request)
        said = {"error": "invalid_client", "error_description": request.body.decode()}
        return answer(401, said)

    caplog.set_level(logging.DEBUG)
    site.connect().identity()
    site.server.respond = echo
    refused = site.connect(version="serviceaccounts/exchange/fabrikam-entra@2")
    with pytest.raises(Refused) as failed:
        refused.identity()
    for token in site.handed_out:
        for part in token.split("."):
            assert part not in str(failed.value)
            assert part not in caplog.text
