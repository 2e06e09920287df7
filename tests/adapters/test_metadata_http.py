"""Public documents: absent, unreachable and throttled are three different answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.https_server import HttpsServer
from exchange_push_operator.adapters.http import Https
from exchange_push_operator.adapters.metadata_http import HttpMetadata
from exchange_push_operator.core.errors import PushError, SpecError, Throttled, Unreachable
from exchange_push_operator.core.ports import Metadata
from lab.microsoft365 import ConnectionCut, HttpRequest, HttpResponse, Microsoft365
from lab.microsoft365.clouds import Service
from lab.microsoft365.sample import FABRIKAM, sample
from lab.network.ca import PrivateCA

pytestmark = pytest.mark.lab


@pytest.fixture(name="ca")
def private_ca() -> PrivateCA:
    return PrivateCA()


@pytest.fixture(name="metadata")
def adapter(ca: PrivateCA, tmp_path: Path) -> Iterator[Metadata]:
    https = Https(str(ca.write(tmp_path / "ca.crt")))
    yield HttpMetadata(https)
    https.close()


@pytest.fixture(name="server")
def running(ca: PrivateCA, tmp_path: Path) -> Iterator[HttpsServer]:
    model: Microsoft365 = sample()
    with HttpsServer(ca, tmp_path, model.handle) as server:
        model.local[server.host] = Service.AUTHORITY
        yield server


def test_discovery_of_a_domain_gives_the_tenant(metadata: Metadata, server: HttpsServer) -> None:
    url = f"{server.url}/fabrikam.com/v2.0/.well-known/openid-configuration"
    document = metadata.fetch(url)
    assert document is not None
    assert FABRIKAM in document["issuer"]


def test_the_metadata_of_acs_names_the_realm(metadata: Metadata, server: HttpsServer) -> None:
    document = metadata.fetch(f"{server.url}/metadata/json/1?realm=fabrikam.com")
    assert document is not None
    assert document["realm"] == FABRIKAM


def test_an_unknown_domain_is_none(metadata: Metadata, server: HttpsServer) -> None:
    url = f"{server.url}/nobody.example/v2.0/.well-known/openid-configuration"
    assert metadata.fetch(url) is None


def test_no_credential_is_sent(metadata: Metadata, server: HttpsServer) -> None:
    metadata.fetch(f"{server.url}/metadata/json/1")
    assert not {"authorization", "cookie"} & set(server.requests[0].headers)


@pytest.mark.parametrize("status", [400, 404])
def test_none_is_what_the_service_says_itself(
    metadata: Metadata, server: HttpsServer, status: int
) -> None:
    server.respond = lambda _: HttpResponse(status, {}, b"<html>")
    assert metadata.fetch(server.url) is None


def cut(_: HttpRequest) -> HttpResponse:
    raise ConnectionCut(applied=False)


@pytest.mark.parametrize(
    ("status", "headers", "body", "expected"),
    [
        (200, {}, b"<html>", Unreachable),
        (200, {}, b"[]", Unreachable),
        (204, {}, b"", Unreachable),
        (302, {"location": "https://elsewhere.example/"}, b"", Unreachable),
        (401, {}, b"{}", Unreachable),
        (403, {}, b"{}", Unreachable),
        (410, {}, b"{}", Unreachable),
        (429, {"retry-after": "30"}, b"", Throttled),
        (500, {}, b"{}", Unreachable),
        (503, {"retry-after": "30"}, b"", Throttled),
        (503, {}, b"", Unreachable),
    ],
)
def test_anything_else_is_not_an_answer(
    metadata: Metadata,
    server: HttpsServer,
    status: int,
    headers: dict[str, str],
    body: bytes,
    expected: type[PushError],
) -> None:
    server.respond = lambda _: HttpResponse(status, headers, body)
    with pytest.raises(PushError, match=r"^localhost: ") as failed:
        metadata.fetch(server.url)
    assert type(failed.value) is expected


def test_a_lost_connection_is_not_an_answer(metadata: Metadata, server: HttpsServer) -> None:
    server.respond = cut
    with pytest.raises(Unreachable):
        metadata.fetch(server.url)


def test_only_https_is_spoken(metadata: Metadata) -> None:
    with pytest.raises(SpecError):
        metadata.fetch("http://localhost/metadata/json/1")
