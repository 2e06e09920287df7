"""HTTPS to Microsoft: what goes wrong below HTTP is told apart by what to do next."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.https_server import HttpsServer, untrusted_context
from exchange_push_operator.adapters.http import Https, Reply, host_of
from exchange_push_operator.core.errors import (
    OutcomeUnknown,
    PushError,
    SpecError,
    Unreachable,
)
from lab.microsoft365 import ConnectionCut, HttpRequest, HttpResponse
from lab.network.ca import PrivateCA

pytestmark = pytest.mark.lab


def hello(_: HttpRequest) -> HttpResponse:
    return HttpResponse(200, {"set-cookie": "fpc=1; path=/"}, b'{"hello": "world"}')


def cut(_: HttpRequest) -> HttpResponse:
    raise ConnectionCut(applied=True)


def half(_: HttpRequest) -> HttpResponse:
    headers = {"transfer-encoding": "chunked", "connection": "close"}
    return HttpResponse(200, headers, b"400\r\nhalf")


@pytest.fixture(name="ca")
def private_ca() -> PrivateCA:
    return PrivateCA()


@pytest.fixture(name="ca_file")
def ca_path(ca: PrivateCA, tmp_path: Path) -> str:
    return str(ca.write(tmp_path / "ca.crt"))


@pytest.fixture(name="https")
def trusting(ca_file: str) -> Iterator[Https]:
    https = Https(ca_file)
    yield https
    https.close()


@pytest.fixture(name="server")
def running(ca: PrivateCA, tmp_path: Path) -> Iterator[HttpsServer]:
    with HttpsServer(ca, tmp_path, hello) as server:
        yield server


def outcome(call: Callable[[], Reply]) -> PushError:
    with pytest.raises(PushError) as failed:
        call()
    return failed.value


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_an_answer_is_read_to_its_end(https: Https, server: HttpsServer) -> None:
    reply = https.call("GET", f"{server.url}/greeting")
    assert (reply.status_code, reply.json_object()) == (200, {"hello": "world"})


def test_the_operator_names_itself(https: Https, server: HttpsServer) -> None:
    https.call("GET", server.url)
    assert server.requests[0].headers["user-agent"].startswith("exchange-push-operator/")


def test_no_cookie_goes_from_one_tenant_to_another(https: Https, server: HttpsServer) -> None:
    https.call("GET", server.url)
    https.call("GET", server.url)
    assert "cookie" not in server.requests[1].headers


def test_the_environment_has_no_say(
    https: Https, server: HttpsServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine localhost login canary password canary\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTPS_PROXY", f"http://localhost:{closed_port()}")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nothing.pem"))
    assert https.call("GET", server.url).status_code == 200
    assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(https: Https, server: HttpsServer, status: int) -> None:
    server.respond = lambda _: HttpResponse(status, {"location": f"{server.url}/elsewhere"})
    error = outcome(lambda: https.call("GET", f"{server.url}/here"))
    assert isinstance(error, Unreachable)
    assert server.asked() == ["GET /here"]


@pytest.mark.parametrize("changes", [False, True], ids=["look", "change"])
def test_a_name_that_does_not_resolve_was_asked_nothing(https: Https, *, changes: bool) -> None:
    error = outcome(lambda: https.call("PATCH", "https://nobody.invalid/x", changes=changes))
    assert isinstance(error, Unreachable)
    assert str(error) == (
        "nobody.invalid: the name cannot be resolved; check the DNS of the cluster"
    )


@pytest.mark.parametrize("changes", [False, True], ids=["look", "change"])
def test_a_refused_connection_was_asked_nothing(https: Https, *, changes: bool) -> None:
    url = f"https://localhost:{closed_port()}"
    error = outcome(lambda: https.call("PATCH", url, changes=changes))
    assert isinstance(error, Unreachable)
    assert str(error) == (
        "localhost: no connection can be made; check firewalls and network policies"
    )


@pytest.mark.parametrize("changes", [False, True], ids=["look", "change"])
def test_an_unknown_signer_is_named_with_the_cure(
    https: Https, server: HttpsServer, tmp_path: Path, *, changes: bool
) -> None:
    server.context = untrusted_context(tmp_path)
    error = outcome(lambda: https.call("PATCH", server.url, changes=changes))
    assert isinstance(error, Unreachable)
    assert "TLS certificate is not trusted" in str(error)
    assert "--ca-file" in str(error)
    assert not server.requests


def test_a_certificate_of_another_name_is_not_cured_by_a_ca(
    https: Https, server: HttpsServer, ca: PrivateCA, tmp_path: Path
) -> None:
    server.context = ca.issue(["login.example"]).server_context(tmp_path)
    error = outcome(lambda: https.call("GET", server.url))
    assert isinstance(error, Unreachable)
    assert "Hostname mismatch" in str(error)
    assert "--ca-file" not in str(error)


def test_the_ordinary_authorities_do_not_trust_a_private_ca(server: HttpsServer) -> None:
    https = Https()
    error = outcome(lambda: https.call("GET", server.url))
    https.close()
    assert "--ca-file" in str(error)


@pytest.mark.parametrize("respond", [cut, half], ids=["no answer", "half an answer"])
@pytest.mark.parametrize(
    ("changes", "expected"), [(False, Unreachable), (True, OutcomeUnknown)], ids=["look", "change"]
)
def test_a_lost_answer_leaves_a_change_open(
    https: Https,
    server: HttpsServer,
    respond: Callable[[HttpRequest], HttpResponse],
    expected: type[PushError],
    *,
    changes: bool,
) -> None:
    server.respond = respond
    error = outcome(lambda: https.call("PATCH", server.url, changes=changes))
    assert type(error) is expected
    assert str(error).startswith("localhost: ")
    assert len(server.requests) == 1


def test_an_answer_that_does_not_come_in_time_leaves_a_change_open(
    ca_file: str, server: HttpsServer
) -> None:
    enough = threading.Event()
    server.respond = lambda request: hello(request) if enough.wait(10) else cut(request)
    https = Https(ca_file, timeouts=(3.0, 0.2))
    error = outcome(lambda: https.call("PATCH", server.url, changes=True))
    enough.set()
    https.close()
    assert isinstance(error, OutcomeUnknown)
    assert "no answer in time" in str(error)


def test_an_answer_without_end_is_not_swallowed(https: Https, server: HttpsServer) -> None:
    server.respond = lambda _: HttpResponse(200, {}, b" " * (8 * 1024 * 1024 + 1))
    assert isinstance(outcome(lambda: https.call("GET", server.url)), Unreachable)


def test_a_failed_request_does_not_keep_what_it_was_to_send(
    https: Https, server: HttpsServer
) -> None:
    server.respond = cut
    error = outcome(lambda: https.call("POST", server.url, data={"client_secret": "canary"}))
    assert getattr(error.__cause__, "request", None) is None


@pytest.mark.parametrize(
    "url",
    ["http://login.example", "https://", "https://[::1", "login.example", "file:///etc/passwd"],
)
def test_only_https_addresses_are_called(https: Https, url: str) -> None:
    assert isinstance(outcome(lambda: https.call("GET", url)), SpecError)


def test_an_address_that_cannot_be_called_is_a_mistake_of_the_resource(https: Https) -> None:
    assert isinstance(outcome(lambda: https.call("GET", "https://*.example/x")), SpecError)


def test_a_file_without_certificates_is_refused_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "ca.crt"
    path.write_text("rubbish")
    with pytest.raises(ValueError, match=r"--ca-file .*ca\.crt: no PEM certificates"):
        Https(str(path))


def test_the_host_of_an_address_has_no_port() -> None:
    assert host_of("https://login.example:8443/tenant") == "login.example"


DATE = "Sat, 21 Nov 2026 09:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "999999"}, 3600.0),
        ({"Retry-After": "Sat, 21 Nov 2026 09:00:30 GMT", "Date": DATE}, 30.0),
        ({"Retry-After": "Sat, 21 Nov 2026 08:00:00 GMT", "Date": DATE}, 0.0),
        ({"Retry-After": "Sat, 21 Nov 2026 09:00:30 GMT"}, None),
        ({"Retry-After": "soon", "Date": DATE}, None),
        ({"Retry-After": "-1"}, None),
    ],
    ids=["none", "seconds", "days", "a date", "a past date", "no Date", "words", "negative"],
)
def test_the_pause_asked_for_is_understood(headers: dict[str, str], expected: float | None) -> None:
    assert Reply(429, headers, "").retry_after() == expected


def test_the_shown_form_of_an_answer_has_no_content() -> None:
    assert "canary" not in repr(Reply(200, {}, '{"access_token": "canary"}'))
