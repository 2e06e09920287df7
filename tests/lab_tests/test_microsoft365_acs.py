"""ACS and the push endpoint: a token is worth what the principal's keys make of it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes

from lab.exchange.trust import Microsoft365 as Trust
from lab.exchange.trust import NoConnection, TokenRefused
from lab.microsoft365 import HttpRequest, Microsoft365, sample
from lab.microsoft365.acs import GRANT
from lab.microsoft365.clouds import EXCHANGE_ONLINE
from lab.microsoft365.directory import KeyCredential
from lab.microsoft365.in_process import InProcessMetadata
from lab.network.ca import rsa_key, self_signed

PUSH = "https://outlook.office365.com/PushNotifications"
KEY = rsa_key("auth certificate")
CERTIFICATE = self_signed("auth certificate", days=1826)
AUDIENCE = "00000001-0000-0000-c000-000000000000/accounts.accesscontrol.windows.net"


def world(*certificates: Any, app_id: str = EXCHANGE_ONLINE) -> Microsoft365:
    """fabrikam.com whose principal holds these keys."""
    model = sample.sample()
    keys = tuple(KeyCredential.of(certificate) for certificate in certificates)
    sample.principal(model, app_id).keys = keys
    return model


def assertion(certificate: Any = CERTIFICATE, key: Any = KEY, **claims: Any) -> str:
    now = int(datetime.now(UTC).timestamp())
    sent = {
        "iss": f"{EXCHANGE_ONLINE}@{sample.FABRIKAM}",
        "aud": f"{AUDIENCE}@{sample.FABRIKAM}",
        "nbf": now,
        "exp": now + 3600,
        **claims,
    }
    sha1 = certificate.fingerprint(hashes.SHA1())  # noqa: S303 - Microsoft's thumbprint
    x5t = base64.urlsafe_b64encode(sha1).rstrip(b"=").decode()
    return jwt.encode(sent, key, algorithm="RS256", headers={"x5t": x5t})


def test_the_model_is_what_exchange_needs() -> None:
    needed: Trust = world()
    assert needed.metadata("https://accounts.accesscontrol.windows.net/metadata/json/1")


def test_a_key_on_the_principal_gets_a_token_that_the_push_endpoint_takes() -> None:
    model = world(CERTIFICATE)
    for realm in (sample.FABRIKAM, "fabrikam.com"):
        assert model.push(PUSH, model.issue_token(assertion(), realm)) == 200


def test_the_token_is_signed_by_the_key_of_the_metadata() -> None:
    model = world(CERTIFICATE)
    token = model.issue_token(assertion(), sample.FABRIKAM)
    document = model.metadata("https://accounts.accesscontrol.windows.net/metadata/json/1")
    assert document is not None
    value = document["keys"][0]["keyValue"]
    assert jwt.get_unverified_header(token)["x5t"] == value["keyInfo"]["x5t"]
    assert value["value"] == base64.b64encode(model.acs.signer.der).decode()


REFUSALS: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "the key is not on the principal": ({}, "The key was not found", ()),
    "the key's time is over": ({}, "The key used is expired", ("expired",)),
    "another key signed": ({"key": rsa_key("thief")}, "verify the signature failed", ("good",)),
    "another tenant's issuer": (
        {"iss": f"{EXCHANGE_ONLINE}@{sample.CONTOSO}"},
        "does not belong to the tenant",
        ("good",),
    ),
    "an application that is not there": (
        {"iss": f"00000000-0000-4000-8000-000000000009@{sample.FABRIKAM}"},
        "was not found in the directory",
        ("good",),
    ),
    "another audience": ({"aud": AUDIENCE}, "audience", ("good",)),
    "an assertion that has run out": ({"exp": 1}, "valid time range", ("good",)),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_no_token_is_issued_where(name: str) -> None:
    change, text, keys = REFUSALS[name]
    old = self_signed(
        "auth certificate", start=datetime.now(UTC) - timedelta(days=30), days=20, key=KEY
    )
    held = {"good": CERTIFICATE, "expired": old}
    model = world(*(held[key] for key in keys))
    certificate = old if "expired" in keys else CERTIFICATE
    with pytest.raises(TokenRefused, match=text) as refused:
        model.issue_token(assertion(certificate, **change), sample.FABRIKAM)
    assert str(refused.value).startswith("Unable to get the token from Auth Server. Error code: '")
    assert "Trace ID" not in str(refused.value)


def test_what_is_no_token_and_no_tenant_is_refused() -> None:
    with pytest.raises(TokenRefused, match="malformed"):
        world().issue_token("text", sample.FABRIKAM)
    with pytest.raises(TokenRefused, match="AADSTS90002"):
        world().issue_token(assertion(), "nobody.example")


def test_the_dedicated_application_signs_in_and_its_token_is_taken_by_switch_only() -> None:
    model = world(CERTIFICATE, app_id=sample.DEDICATED)
    signed = assertion(iss=f"{sample.DEDICATED}@{sample.FABRIKAM}")
    token = model.issue_token(signed, sample.FABRIKAM)
    assert model.push(PUSH, token) == 401
    model.set_fault("accept_dedicated_application", value=True)
    assert model.push(PUSH, token) == 200


def test_a_token_that_is_not_for_push_is_refused() -> None:
    model = world(CERTIFICATE)
    token = model.issue_token(assertion(), sample.FABRIKAM)
    assert model.push(PUSH, "not.a.token") == 401
    assert model.push(PUSH, token[:-8] + "AAAAAAAA") == 401
    assert model.handle(HttpRequest.to("POST", PUSH)).status == 401
    other = _token_for(model, f"{EXCHANGE_ONLINE}/mail.example@{sample.FABRIKAM}")
    assert model.push(PUSH, other) == 401
    assert _token_for(
        world(CERTIFICATE), f"{EXCHANGE_ONLINE}/outlook.office365.com@{sample.FABRIKAM}"
    )
    model.set_fault("clock_skew", 7200)
    assert model.push(PUSH, token) == 401


def _token_for(model: Microsoft365, resource: str) -> str:
    url = f"https://accounts.accesscontrol.windows.net/{sample.FABRIKAM}/tokens/OAuth/2"
    form = {"grant_type": GRANT, "assertion": assertion(), "resource": resource}
    token: str = model.handle(HttpRequest.to("POST", url, form=form)).json()["access_token"]
    return token


@pytest.mark.parametrize("status", [404, 410, 503])
def test_the_push_endpoint_may_be_gone(status: int) -> None:
    model = world(CERTIFICATE)
    model.set_fault("push_failure", {"status": status})
    token = model.issue_token(assertion(), sample.FABRIKAM)
    assert model.push(PUSH, token) == status


def test_another_path_or_host_is_not_the_push_endpoint() -> None:
    model = world()
    assert model.push("https://outlook.office365.com/Elsewhere", "x") == 404
    with pytest.raises(NoConnection):
        model.push("https://push.example/PushNotifications", "x")


ACS = "https://accounts.accesscontrol.windows.net"
LOGIN = "https://login.microsoftonline.com"


@pytest.mark.parametrize(
    "url",
    [
        f"{ACS}/metadata/json/1/?realm=fabrikam.com",
        f"{ACS}/metadata/json/1?realm={sample.FABRIKAM}",
        f"{ACS}/{sample.FABRIKAM}/metadata/json/1",
        f"{ACS}/fabrikam.com/metadata/json/1/",
        f"{LOGIN}/metadata/json/1?realm=fabrikam.com",
        f"{LOGIN}/fabrikam.com/metadata/json/1",
    ],
)
def test_the_metadata_of_a_realm_has_its_issuer(url: str) -> None:
    document = InProcessMetadata(sample.sample()).fetch(url)
    assert document is not None
    assert document["realm"] == sample.FABRIKAM
    assert document["issuer"] == f"00000001-0000-0000-c000-000000000000@{sample.FABRIKAM}"
    issuance = f"{ACS}/{sample.FABRIKAM}/tokens/OAuth/2"
    assert document["endpoints"][0] == {
        "location": issuance,
        "protocol": "OAuth2",
        "usage": "issuance",
    }


def test_without_a_realm_there_is_no_issuer() -> None:
    document = InProcessMetadata(sample.sample()).fetch(f"{ACS}/metadata/json/1")
    assert document is not None
    assert not {"issuer", "realm"} & set(document)


def test_of_an_unknown_realm_there_is_no_document() -> None:
    model = sample.sample()
    url = f"{ACS}/metadata/json/1/?realm=nobody.example"
    assert InProcessMetadata(model).fetch(url) is None
    assert model.metadata(url) is None
    assert model.metadata(f"{ACS}/elsewhere") is None


def test_a_service_that_fails_is_no_connection_to_exchange() -> None:
    model = world(CERTIFICATE)
    model.set_fault("acs_failure", {"status": 503, "times": 1})
    with pytest.raises(NoConnection, match="503"):
        model.metadata(f"{ACS}/metadata/json/1")
    model.set_fault("acs_failure", {"status": 0, "times": 1})
    with pytest.raises(NoConnection):
        model.metadata(f"{ACS}/metadata/json/1")
    model.set_fault("acs_failure", {"status": 500, "times": 1})
    with pytest.raises(TokenRefused, match=r"\(500\)"):
        model.issue_token(assertion(), sample.FABRIKAM)


def test_keys_are_taken_away_by_hand() -> None:
    model = world(CERTIFICATE)
    key_id = sample.principal(model).keys[0].key_id
    assert model.remove_keys("fabrikam.com", EXCHANGE_ONLINE, "another") == 0
    assert model.remove_keys("fabrikam.com", EXCHANGE_ONLINE, key_id) == 1
    with pytest.raises(TokenRefused):
        model.issue_token(assertion(), sample.FABRIKAM)
