"""What goes wrong while signing in: who has to do what, without a word of the credential."""

from __future__ import annotations

import base64
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from adapters.https_server import HttpsServer
from exchange_push_operator.adapters.graph_msal import EntraGraphs
from exchange_push_operator.adapters.http import Https
from exchange_push_operator.core.commands import GraphRequest
from exchange_push_operator.core.errors import PushError, Refused, Throttled, Unreachable
from exchange_push_operator.core.ports import GraphAccess, Identity, Sensitive
from exchange_push_operator.core.reasons import Reason
from lab.microsoft365 import ConnectionCut, HttpRequest, HttpResponse
from lab.microsoft365.errors import StsError, no_tenant
from lab.microsoft365.http import answer
from lab.microsoft365.sample import CLIENT, FABRIKAM
from lab.microsoft365.world import system_clock
from lab.network.ca import PrivateCA, key_pem, rsa_key, self_signed

pytestmark = pytest.mark.lab

CANARY = "canary-secret~0123456789"
KEY = rsa_key("canary")
KEY_PEM = key_pem(KEY).decode()
KEY_LINE = KEY_PEM.splitlines()[5]
CLAIMS = base64.urlsafe_b64encode(json.dumps({"tid": FABRIKAM}).encode()).decode().rstrip("=")
TOKEN = f"eyJhbGciOiJub25lIn0.{CLAIMS}.canarysignature"
ISSUED = {"token_type": "Bearer", "expires_in": 3599, "access_token": TOKEN}

Token = Callable[[HttpRequest], HttpResponse]


def certificate(days: int = 30) -> str:
    signed = self_signed("c", start=system_clock() - timedelta(days=10), days=days, key=KEY)
    return signed.public_bytes(Encoding.PEM).decode()


def secret_access(authority: str) -> GraphAccess:
    secret = Sensitive.of(CANARY)
    return GraphAccess(authority, authority, FABRIKAM, CLIENT, secret, None, None, "v1")


def certificate_access(authority: str, days: int = 30) -> GraphAccess:
    key = Sensitive.of(KEY_PEM)
    return GraphAccess(authority, authority, FABRIKAM, CLIENT, None, certificate(days), key, "v1")


@dataclass
class Authority:
    """Entra ID with one scripted answer of its token endpoint."""

    server: HttpsServer
    https: Https

    def says(self, token: Token) -> None:
        def respond(request: HttpRequest) -> HttpResponse:
            return token(request) if request.method == "POST" else self.openid(request)

        self.server.respond = respond

    def openid(self, _: HttpRequest) -> HttpResponse:
        root = f"{self.server.url}/{FABRIKAM}"
        return answer(
            200,
            {
                "issuer": f"{root}/v2.0",
                "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
                "token_endpoint": f"{root}/oauth2/v2.0/token",
            },
        )

    def identity(self, access: GraphAccess | None = None) -> Identity:
        graphs = EntraGraphs(self.https, system_clock)
        return graphs.connect(access or secret_access(self.server.url)).identity()

    def failure(self, access: GraphAccess | None = None) -> PushError:
        with pytest.raises(PushError) as failed:
            self.identity(access)
        return failed.value


@pytest.fixture(name="authority")
def scripted_authority(tmp_path: Path) -> Iterator[Authority]:
    ca = PrivateCA()
    https = Https(str(ca.write(tmp_path / "ca.crt")))
    with HttpsServer(ca, tmp_path, lambda _: answer(500, {})) as server:
        yield Authority(server, https)
        https.close()


def refusing(number: int, error: str, text: str = "It is so.", status: int = 400) -> Token:
    refused = StsError(number, error, text, status)
    return lambda request: refused.response(request.name, system_clock())


def saying(status: int, body: str = "", **headers: str) -> Token:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: HttpResponse(status, fields, body.encode())


def reset(_: HttpRequest) -> HttpResponse:
    raise ConnectionCut(applied=False)


def test_the_token_says_who_the_operator_is(authority: Authority) -> None:
    authority.says(lambda _: answer(200, ISSUED))
    assert authority.identity() == Identity(FABRIKAM, frozenset())


def test_a_certificate_signs_with_the_strong_form(authority: Authority) -> None:
    """PS256 and x5t#S256; the older x5t would be a SHA-1 digest."""
    authority.says(lambda _: answer(200, ISSUED))
    authority.identity(certificate_access(authority.server.url))
    form = parse_qs(authority.server.requests[-1].body.decode())
    first = form["client_assertion"][0].split(".")[0]
    header = json.loads(base64.urlsafe_b64decode(first + "=="))
    assert header["alg"] == "PS256"
    assert "x5t#S256" in header
    assert "x5t" not in header


REFUSALS: dict[str, tuple[Any, ...]] = {
    "wrong secret": (
        refusing(7000215, "invalid_client", status=401),
        Reason.SECRET_INVALID,
        "is wrong",
    ),
    "expired secret": (
        refusing(7000222, "invalid_client", status=401),
        Reason.SECRET_INVALID,
        "has expired",
    ),
    "unknown certificate": (
        refusing(700027, "invalid_client", status=401),
        Reason.SECRET_INVALID,
        "not registered",
    ),
    "clock": (refusing(700024, "invalid_client", status=401), Reason.ACCESS_DENIED, "the clock"),
    "no application": (
        refusing(700016, "unauthorized_client"),
        Reason.ACCESS_DENIED,
        "has no application",
    ),
    "disabled": (refusing(7000112, "unauthorized_client"), Reason.ACCESS_DENIED, "is disabled"),
    "conditional access": (
        refusing(53003, "access_denied"),
        Reason.ACCESS_DENIED,
        "Conditional Access",
    ),
    "unknown proof": (refusing(99, "invalid_client"), Reason.SECRET_INVALID, "It is so"),
    "unknown else": (
        refusing(99, "invalid_scope"),
        Reason.ACCESS_DENIED,
        "invalid_scope: It is so",
    ),
    "no description": (saying(401, '{"error": "invalid_client"}'), Reason.SECRET_INVALID, "renew"),
    "nothing": (saying(400, "{}"), Reason.ACCESS_DENIED, "no reason given"),
}


@pytest.mark.parametrize(("token", "reason", "said"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_says_who_must_act(
    authority: Authority, token: Token, reason: Reason, said: str
) -> None:
    authority.says(token)
    refused = authority.failure()
    assert isinstance(refused, Refused)
    assert refused.reason is reason
    assert said in str(refused)
    assert str(refused).startswith("localhost: ")


def test_a_refusal_reads_the_same_each_time(authority: Authority) -> None:
    text = "At 2026-11-21T09:00:00Z session 5f0e0000-0000-4000-8000-000000000000 failed. More."
    authority.says(refusing(99, "invalid_grant", text))
    first, second = authority.failure(), authority.failure()
    assert str(first) == str(second)
    assert str(first) == (
        "localhost: invalid_grant: At ... session ... failed (AADSTS99); "
        f"check application {CLIENT} in tenant {FABRIKAM}"
    )


def test_the_field_of_the_credential_is_named(authority: Authority) -> None:
    authority.says(refusing(700027, "invalid_client", status=401))
    refused = authority.failure(certificate_access(authority.server.url))
    assert "tenant.credentials.clientCertificate" in str(refused)
    authority.says(refusing(7000222, "invalid_client", status=401))
    assert "tenant.credentials.clientSecret" in str(authority.failure())


PASSING: dict[str, tuple[Any, ...]] = {
    "unavailable": (refusing(0, "temporarily_unavailable"), Unreachable),
    "server error": (refusing(0, "server_error"), Unreachable),
    "500": (saying(500), Unreachable),
    "503": (saying(503), Unreachable),
    "503 with a pause": (saying(503, Retry_After="30"), Throttled),
    "429 with a pause": (
        saying(429, '{"error": "temporarily_unavailable"}', Retry_After="30"),
        Throttled,
    ),
    "429 of a proxy": (saying(429, "<html>"), Throttled),
    "200 of a proxy": (saying(200, "<html>"), Unreachable),
    "403 of a proxy": (saying(403, "<html>blocked by the proxy</html>"), Unreachable),
    "redirect": (saying(302, location="https://portal.example/"), Unreachable),
    "unsafe token": (saying(200, '{"access_token": "line\\nbreak canary"}'), Unreachable),
    "opaque token": (saying(200, '{"access_token": "opaque"}'), Unreachable),
    "garbled token": (saying(200, '{"access_token": "a.b.c"}'), Unreachable),
    "a token that is a number": (saying(200, '{"access_token": 5}'), Unreachable),
    "a lifetime in words": (
        saying(200, json.dumps({**ISSUED, "expires_in": "an hour"})),
        Unreachable,
    ),
    "a list for a lifetime": (saying(200, json.dumps({**ISSUED, "expires_in": []})), Unreachable),
    "an odd id token": (saying(200, json.dumps({**ISSUED, "id_token": 5})), Unreachable),
    "odd client info": (saying(200, json.dumps({**ISSUED, "client_info": "x"})), Unreachable),
    "nested too deep": (saying(200, '{"access_token":' + "[" * 100_000), Unreachable),
    "reset": (reset, Unreachable),
}


@pytest.mark.parametrize(("token", "expected"), PASSING.values(), ids=PASSING)
def test_trouble_that_passes_is_not_a_refusal(
    authority: Authority, token: Token, expected: type[PushError]
) -> None:
    authority.says(token)
    assert type(authority.failure()) is expected


def test_the_pause_that_entra_id_asks_for_is_kept(authority: Authority) -> None:
    authority.says(saying(429, "{}", Retry_After="30"))
    throttled = authority.failure()
    assert isinstance(throttled, Throttled)
    assert throttled.retry_after == 30


def test_an_unknown_tenant_is_refused(authority: Authority) -> None:
    unknown = no_tenant(FABRIKAM, "invalid_tenant")
    authority.server.respond = lambda request: unknown.response(request.name, system_clock())
    refused = authority.failure()
    assert isinstance(refused, Refused)
    assert f"there is no tenant {FABRIKAM}" in str(refused)


def test_discovery_without_endpoints_is_out_of_order(authority: Authority) -> None:
    authority.server.respond = lambda _: answer(200, {"issuer": "x"})
    assert isinstance(authority.failure(), Unreachable)


def test_the_credential_goes_to_no_other_host(authority: Authority, tmp_path: Path) -> None:
    with HttpsServer(PrivateCA(), tmp_path, lambda _: answer(200, ISSUED)) as other:
        openid = authority.openid(HttpRequest("GET", authority.server.host, "/"))
        moved = openid.body.replace(authority.server.url.encode(), other.url.encode())
        authority.server.respond = lambda _: replace(openid, body=moved)
        refused = authority.failure()
        assert isinstance(refused, Refused)
        assert "another host" in str(refused)
        assert not other.requests


def test_the_token_goes_to_no_other_host(authority: Authority) -> None:
    def elsewhere(request: HttpRequest) -> HttpResponse:
        if request.method == "POST":
            return answer(200, ISSUED)
        if "v1.0" in request.path:
            return HttpResponse(307, {"location": f"{authority.server.url}/stolen"})
        return authority.openid(request)

    authority.server.respond = elsewhere
    graph = EntraGraphs(authority.https, system_clock).connect(secret_access(authority.server.url))
    with pytest.raises(Unreachable, match="redirect"):
        graph.send(GraphRequest("GET", "organization"))
    assert "GET /stolen" not in authority.server.asked()


def test_a_token_that_would_break_a_header_is_not_shown(authority: Authority) -> None:
    """An HTTP library quotes a header that it does not take."""
    authority.says(lambda _: answer(200, {**ISSUED, "access_token": f"{TOKEN}\r\nX: y"}))
    graph = EntraGraphs(authority.https, system_clock).connect(secret_access(authority.server.url))
    with pytest.raises(Unreachable, match="access token is unreadable") as failed:
        graph.send(GraphRequest("GET", "organization"))
    assert "canary" not in "".join(traceback.format_exception(failed.value))


@pytest.mark.parametrize("secret", ["", " ", CANARY + "\n", " " + CANARY])
def test_a_secret_that_cannot_be_right_is_not_sent(authority: Authority, secret: str) -> None:
    access = replace(secret_access(authority.server.url), client_secret=Sensitive.of(secret))
    refused = authority.failure(access)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.SECRET_INVALID
    assert not authority.server.requests


def test_an_expired_certificate_is_not_sent(authority: Authority) -> None:
    refused = authority.failure(certificate_access(authority.server.url, days=5))
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.SECRET_INVALID
    assert not authority.server.requests


def echo(request: HttpRequest) -> HttpResponse:
    """What a broken gateway might do: say what it was told."""
    said = parse_qs(request.body.decode())
    text = f"Bad request {said} {TOKEN}"
    document = {"error": "invalid_client", "error_description": text, "error_codes": [7]}
    return answer(401, document)


TROUBLE: dict[str, Token] = {
    "echo": echo,
    "wrong secret": refusing(7000215, "invalid_client", status=401),
    "token with a line break": saying(200, json.dumps({"access_token": f"{CANARY}\n"})),
    "429": saying(429, CANARY),
    "503": saying(503, CANARY),
    "400": saying(400, CANARY),
    "200": saying(200, CANARY),
    "redirect": saying(302, CANARY, location=f"https://portal.example/{CANARY}"),
    "reset": reset,
}


@pytest.mark.parametrize("token", TROUBLE.values(), ids=TROUBLE)
@pytest.mark.parametrize("access_of", [secret_access, certificate_access])
def test_no_error_and_no_log_shows_a_credential(
    authority: Authority,
    caplog: pytest.LogCaptureFixture,
    token: Token,
    access_of: Callable[[str], GraphAccess],
) -> None:
    caplog.set_level(logging.DEBUG)
    authority.says(token)
    access = access_of(authority.server.url)
    error = authority.failure(access)
    shown = [repr(error), *traceback.format_exception(error), caplog.text, repr(access)]
    for hidden in (CANARY, KEY_LINE, TOKEN, "canarysignature"):
        assert not any(hidden in text for text in shown)


def test_a_successful_sign_in_logs_no_credential(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    authority.says(lambda _: answer(200, ISSUED))
    authority.identity()
    authority.identity(certificate_access(authority.server.url))
    for hidden in (CANARY, KEY_LINE, "canarysignature"):
        assert hidden not in caplog.text


@pytest.mark.parametrize("cut", range(150, 200, 7))
def test_no_part_of_a_quoted_secret_is_shown(authority: Authority, cut: int) -> None:
    """A message is cut after 200 characters: what is masked afterwards is no secret any more."""
    secret = "Q8~s3cr3t/with+signs=and~more_4711"
    access = replace(secret_access(authority.server.url), client_secret=Sensitive.of(secret))

    def say(request: HttpRequest) -> HttpResponse:
        quoted = request.body.decode().partition("client_secret=")[2].partition("&")[0]
        assert quoted != secret
        document = {"error": "invalid_client", "error_description": "x" * cut + quoted}
        return answer(401, document)

    authority.says(say)
    assert "Q8" not in str(authority.failure(access))
