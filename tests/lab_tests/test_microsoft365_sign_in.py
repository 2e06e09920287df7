"""The token endpoint, asked by the real MSAL over TLS: it lets in whom it should, nobody else."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import msal
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from lab.microsoft365 import Microsoft365, sample
from lab.microsoft365.clouds import EXCHANGE_ONLINE, Service
from lab.microsoft365.directory import ClientSecret, KeyCredential
from lab.microsoft365.http import HttpRequest
from lab.microsoft365.server import NAMES, Microsoft365Servers
from lab.microsoft365.sts import ASSERTION_TYPE
from lab.network.ca import PrivateCA, key_pem, rsa_key, self_signed

pytestmark = pytest.mark.lab

KEY = rsa_key(sample.CLIENT_NAME)


@dataclass(frozen=True)
class Lab:
    """The model behind real sockets, and a session that trusts its CA."""

    model: Microsoft365
    servers: Microsoft365Servers
    session: requests.Session

    @property
    def authority(self) -> str:
        return self.servers.urls()["authority"]

    @property
    def graph(self) -> str:
        return self.servers.urls()["graph"]

    def acquire(self, credential: Any, **other: Any) -> dict[str, Any]:
        """MSAL's answer to a sign-in."""
        application = msal.ConfidentialClientApplication(
            other.get("client_id", sample.CLIENT),
            authority=f"{self.authority}/{other.get('tenant', sample.FABRIKAM)}",
            client_credential=credential,
            http_client=self.session,
            instance_discovery=False,
        )
        scope = other.get("scope", f"{self.graph}/.default")
        result: dict[str, Any] = application.acquire_token_for_client([scope])
        return result


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("microsoft365")
    authority = PrivateCA()
    model = sample.sample(certificate=sample.client_certificate())
    session = requests.Session()
    session.trust_env = False
    session.verify = str(authority.write(folder / "ca.pem"))
    plain: Any = functools.partial(session.request, timeout=(3, 10))
    session.request = plain  # type: ignore[method-assign] # as MSAL's documentation sets a timeout
    context = authority.issue(NAMES).server_context(folder)
    with Microsoft365Servers(model, context) as servers, session:
        yield Lab(model, servers, session)


@pytest.fixture
def lab(running: Lab) -> Iterator[Lab]:
    application = sample.principal(running.model, sample.CLIENT)
    keys, secrets = application.keys, application.secrets
    yield running
    application.keys, application.secrets = keys, secrets
    running.model.faults.clear()


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def registered(lab: Lab) -> x509.Certificate:
    return sample.principal(lab.model, sample.CLIENT).keys[0].certificate


def with_certificate(certificate: x509.Certificate) -> dict[str, str]:
    """PS256 and x5t#S256: MSAL's way today."""
    return {"private_key": key_pem(KEY).decode(), "public_certificate": pem(certificate)}


def with_thumbprint(certificate: x509.Certificate) -> dict[str, str]:
    """RS256 and x5t: MSAL's older way."""
    sha1 = certificate.fingerprint(hashes.SHA1())  # noqa: S303 - Microsoft's thumbprint
    return {"private_key": key_pem(KEY).decode(), "thumbprint": sha1.hex()}


def test_a_secret_signs_in_and_the_token_opens_graph(lab: Lab) -> None:
    token = lab.acquire(sample.SECRET)["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["tid"], claims["appid"]) == (sample.FABRIKAM, sample.CLIENT)
    assert claims["aud"] == lab.graph
    url = f"{lab.graph}/v1.0/servicePrincipals(appId='{EXCHANGE_ONLINE}')"
    headers = {"Authorization": f"Bearer {token}"}
    assert lab.session.get(url, headers=headers).json()["appId"] == EXCHANGE_ONLINE


@pytest.mark.parametrize("form", [with_certificate, with_thumbprint])
def test_a_registered_certificate_signs_in(lab: Lab, form: Any) -> None:
    assert "access_token" in lab.acquire(form(registered(lab)), tenant="fabrikam.com")


def test_the_keys_that_sign_tokens_are_published(lab: Lab) -> None:
    token = lab.acquire(sample.SECRET)["access_token"]
    document = lab.session.get(f"{lab.authority}/common/discovery/v2.0/keys").json()
    key = jwt.PyJWK(document["keys"][0])
    assert jwt.decode(token, key.key, algorithms=["RS256"], audience=lab.graph)


def test_the_audience_may_be_microsofts_own(lab: Lab) -> None:
    token = lab.acquire(sample.SECRET, scope="https://graph.microsoft.com/.default")["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    answer = lab.session.get(f"{lab.graph}/v1.0/organization", headers=headers)
    assert answer.json()["value"][0]["id"] == sample.FABRIKAM


def refused(result: dict[str, Any]) -> tuple[str, int]:
    assert "access_token" not in result
    assert result["error_description"].startswith(f"AADSTS{result['error_codes'][0]}: ")
    assert set(result) >= {"timestamp", "trace_id", "correlation_id", "error_uri"}
    return result["error"], result["error_codes"][0]


def test_a_wrong_secret_is_refused(lab: Lab) -> None:
    assert refused(lab.acquire("wrong")) == ("invalid_client", 7000215)


def test_an_expired_secret_is_refused(lab: Lab) -> None:
    past = datetime.now(UTC) - timedelta(days=1)
    sample.principal(lab.model, sample.CLIENT).secrets = (ClientSecret("old", past),)
    assert refused(lab.acquire("old")) == ("invalid_client", 7000222)


def test_an_unknown_client_is_refused(lab: Lab) -> None:
    unknown = "00000000-0000-4000-8000-000000000009"
    result = lab.acquire(sample.SECRET, client_id=unknown)
    assert refused(result) == ("unauthorized_client", 700016)
    elsewhere = lab.acquire(sample.SECRET, tenant=sample.CONTOSO)
    assert refused(elsewhere) == ("unauthorized_client", 700016)


@pytest.mark.parametrize("form", [with_certificate, with_thumbprint])
def test_a_certificate_that_is_not_registered_is_refused(lab: Lab, form: Any) -> None:
    stranger = self_signed("stranger", key=KEY)
    assert refused(lab.acquire(form(stranger))) == ("invalid_client", 700027)


@pytest.mark.parametrize("form", [with_certificate, with_thumbprint])
def test_an_expired_certificate_is_refused(lab: Lab, form: Any) -> None:
    old = self_signed("old", key=KEY, start=datetime.now(UTC) - timedelta(days=20), days=10)
    sample.principal(lab.model, sample.CLIENT).keys = (KeyCredential.of(old),)
    result = lab.acquire(form(old))
    assert refused(result) == ("invalid_client", 700027)
    assert "The key used is expired" in result["error_description"]


def test_another_key_behind_a_registered_thumbprint_is_refused(lab: Lab) -> None:
    credential = with_thumbprint(registered(lab))
    credential["private_key"] = key_pem(rsa_key("thief")).decode()
    result = lab.acquire(credential)
    assert refused(result) == ("invalid_client", 700027)
    assert "verify the signature failed" in result["error_description"]


def test_an_assertion_that_has_run_out_is_refused(lab: Lab) -> None:
    lab.model.set_fault("clock_skew", 7200)
    result = lab.acquire(with_certificate(registered(lab)))
    assert refused(result) == ("invalid_client", 700024)


def test_conditional_access_blocks_everybody(lab: Lab) -> None:
    lab.model.set_fault("conditional_access", value=True)
    assert refused(lab.acquire(sample.SECRET))[1] == 53003


@pytest.mark.parametrize(
    "scope", ["https://graph.microsoft.us/.default", "https://x.example/.default"]
)
def test_a_resource_of_another_cloud_is_refused(lab: Lab, scope: str) -> None:
    assert refused(lab.acquire(sample.SECRET, scope=scope)) == ("invalid_resource", 500011)


def test_an_unknown_tenant_is_refused_by_discovery_and_by_msal(lab: Lab) -> None:
    url = f"{lab.authority}/nobody.example/v2.0/.well-known/openid-configuration"
    answer = lab.session.get(url)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_tenant")
    assert answer.json()["error_description"].startswith("AADSTS90002: Tenant 'nobody.example'")
    with pytest.raises(ValueError, match=r"nobody\.example"):
        lab.acquire(sample.SECRET, tenant="nobody.example")


def test_msal_may_ask_for_the_instances_of_the_cloud(lab: Lab) -> None:
    url = f"{lab.authority}/common/discovery/instance?api-version=1.1"
    document = lab.session.get(url).json()
    assert "login.microsoftonline.com" in document["metadata"][0]["aliases"]


def test_discovery_answers_with_the_host_it_was_asked_by(lab: Lab) -> None:
    path = "/fabrikam.com/v2.0/.well-known/openid-configuration"
    local = lab.session.get(lab.authority + path).json()
    assert local["issuer"] == f"{lab.authority}/{sample.FABRIKAM}/v2.0"
    assert local["token_endpoint"].startswith(f"{lab.authority}/")
    real = lab.model.handle(
        HttpRequest.to("GET", f"https://login.microsoftonline.com{path}")
    ).json()
    assert real["issuer"] == f"https://login.microsoftonline.com/{sample.FABRIKAM}/v2.0"


def test_every_port_serves_every_host_name(lab: Lab) -> None:
    url = lab.servers.urls()["graph"] + "/contoso.com/v2.0/.well-known/openid-configuration"
    headers = {"Host": "login.microsoftonline.us"}
    document = lab.session.get(url, headers=headers).json()
    assert document["issuer"] == f"https://login.microsoftonline.us/{sample.CONTOSO}/v2.0"
    assert lab.session.get(url, headers={"Host": "example.org"}).status_code == 421
    assert {port for _, _, port in lab.servers.redirections()} == set(lab.servers.ports.values())


def test_a_connection_is_kept_open_and_can_be_reset(lab: Lab) -> None:
    url = f"{lab.graph}/v1.0/organization"
    assert [lab.session.get(url).status_code for _ in range(3)] == [401, 401, 401]
    lab.model.set_fault("graph_failure", {"status": 0, "times": 1})
    with pytest.raises(requests.ConnectionError):
        lab.session.get(url)
    lab.model.set_fault("graph_failure", {"status": 503, "times": 1, "retryAfter": 3})
    answer = lab.session.get(url)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "3")


def test_throttling_reaches_msal(lab: Lab) -> None:
    application = msal.ConfidentialClientApplication(
        sample.CLIENT,
        authority=f"{lab.authority}/{sample.FABRIKAM}",
        client_credential=sample.SECRET,
        http_client=lab.session,
        instance_discovery=False,
    )
    lab.model.set_fault("authority_failure", {"status": 429, "times": 1, "retryAfter": 1})
    result = application.acquire_token_for_client([f"{lab.graph}/.default"])
    assert result["error"] == "temporarily_unavailable"


def _assertion(lab: Lab, **claims: Any) -> dict[str, str]:
    """A token request with a hand-made assertion, wrong in the claims that are given."""
    endpoint = f"{lab.authority}/{sample.FABRIKAM}/oauth2/v2.0/token"
    now = int(datetime.now(UTC).timestamp())
    good = {
        "aud": endpoint,
        "iss": sample.CLIENT,
        "sub": sample.CLIENT,
        "nbf": now,
        "exp": now + 600,
    }
    sha1 = registered(lab).fingerprint(hashes.SHA1())  # noqa: S303 - Microsoft's thumbprint
    thumbprint = jwt.utils.base64url_encode(sha1).decode()
    sent = {name: value for name, value in {**good, **claims}.items() if value is not None}
    form = {
        "client_id": sample.CLIENT,
        "grant_type": "client_credentials",
        "scope": "https://graph.microsoft.com/.default",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": jwt.encode(sent, KEY, algorithm="RS256", headers={"x5t": thumbprint}),
    }
    answer: dict[str, str] = lab.session.post(endpoint, data=form).json()
    return answer


@pytest.mark.parametrize(
    ("claims", "number"),
    [
        ({"aud": "https://login.example/token"}, 700023),
        ({"iss": "somebody"}, 700021),
        ({"sub": "somebody"}, 700021),
        ({"exp": None}, 700024),
        ({"nbf": 4_000_000_000, "exp": 4_000_000_600}, 700024),
    ],
)
def test_every_claim_of_an_assertion_counts(lab: Lab, claims: dict[str, Any], number: int) -> None:
    assert "access_token" in _assertion(lab)
    assert "access_token" in _assertion(lab, nbf=None)  # MSAL sends none
    assert refused(_assertion(lab, **claims))[1] == number


def test_an_assertion_may_name_microsofts_own_endpoint(lab: Lab) -> None:
    endpoint = f"https://login.microsoftonline.com/{sample.FABRIKAM}/oauth2/v2.0/token"
    assert "access_token" in _assertion(lab, aud=endpoint)


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "invalid_scope"),
        ({"grant_type": "client_credentials", "scope": "https://x/.default"}, "invalid_resource"),
        ({"grant_type": "client_credentials", "scope": "GRAPH"}, "invalid_client"),
        (
            {"grant_type": "client_credentials", "scope": "GRAPH", "client_assertion": "x"},
            "invalid_request",
        ),
    ],
)
def test_a_request_that_is_not_complete_is_refused(
    lab: Lab, form: dict[str, str], error: str
) -> None:
    scope = form.get("scope", "").replace("GRAPH", "https://graph.microsoft.com/.default")
    sent = {"client_id": sample.CLIENT, **form, "scope": scope}
    endpoint = f"{lab.authority}/{sample.FABRIKAM}/oauth2/v2.0/token"
    assert lab.session.post(endpoint, data=sent).json()["error"] == error


def test_slow_answers_are_answers(lab: Lab) -> None:
    lab.model.set_fault("slow", {Service.GRAPH.value: 0.01})
    assert lab.session.get(f"{lab.graph}/v1.0/organization").status_code == 401
