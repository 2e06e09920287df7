"""The HTTP proxy: everything for Microsoft goes through it, its password goes to it alone."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from adapters.connect_proxy import ConnectProxy
from adapters.https_server import HttpsServer
from exchange_push_operator.adapters.graph_msal import EntraGraphs
from exchange_push_operator.adapters.http import Https
from exchange_push_operator.adapters.http_proxy import HttpProxy
from exchange_push_operator.adapters.metadata_http import HttpMetadata
from exchange_push_operator.core.commands import GraphRequest
from exchange_push_operator.core.errors import PushError, Refused, Unreachable
from exchange_push_operator.core.ports import GraphAccess, Sensitive
from exchange_push_operator.core.reasons import Reason
from lab.microsoft365 import HttpRequest, HttpResponse, Microsoft365
from lab.microsoft365.clouds import EXCHANGE_ONLINE, HOSTS
from lab.microsoft365.sample import CLIENT, FABRIKAM, SECRET, sample
from lab.microsoft365.server import NAMES, Microsoft365Servers
from lab.microsoft365.world import system_clock
from lab.network.ca import PrivateCA

pytestmark = pytest.mark.lab

CANARY = "canary/pass:word"
LOGIN = "https://login.microsoftonline.com"
LOOK = GraphRequest("GET", f"servicePrincipals(appId='{EXCHANGE_ONLINE}')")
OPENID = f"{LOGIN}/fabrikam.com/v2.0/.well-known/openid-configuration"
ACCESS = GraphAccess(
    LOGIN,
    "https://graph.microsoft.com",
    FABRIKAM,
    CLIENT,
    Sensitive.of(SECRET),
    None,
    None,
    "exchange/fabrikam-entra@1",
)


@dataclass
class Site:
    """Microsoft's real names, which only the proxy can resolve."""

    ca: PrivateCA
    ca_file: str
    folder: Path
    model: Microsoft365
    routes: dict[str, str]

    def proxy(self, *, tls: bool = False) -> ConnectProxy:
        return ConnectProxy(self.routes, self.folder, self.ca if tls else None)

    def credentials(self, username: str = "svc-proxy", password: str = CANARY) -> Path:
        folder = self.folder / "proxy-secret"
        folder.mkdir(exist_ok=True)
        (folder / "username").write_text(username)
        (folder / "password").write_text(password)
        return folder


@pytest.fixture(name="site")
def site_in_the_lab(tmp_path: Path) -> Iterator[Site]:
    ca, model = PrivateCA(), sample()
    ca_file = str(ca.write(tmp_path / "ca.crt"))
    with Microsoft365Servers(model, ca.issue(NAMES).server_context(tmp_path)) as servers:
        ports = {host: port for host, _, port in servers.redirections()}
        routes = {f"{host}:443": f"127.0.0.1:{ports[host]}" for host in HOSTS}
        yield Site(ca, ca_file, tmp_path, model, routes)


def failure(https: Https, *, changes: bool = False) -> PushError:
    with pytest.raises(PushError) as failed:
        https.call("PATCH" if changes else "GET", OPENID, changes=changes)
    https.close()
    return failed.value


def test_discovery_sign_in_and_graph_go_through_the_proxy(site: Site) -> None:
    with site.proxy() as proxy:
        https = Https(site.ca_file, proxy=HttpProxy(proxy.url))
        graph = EntraGraphs(https, system_clock).connect(ACCESS)
        assert graph.send(LOOK)["appId"] == EXCHANGE_ONLINE
        assert HttpMetadata(https).fetch(OPENID) is not None
        https.close()
    assert set(proxy.asked) == {"login.microsoftonline.com:443", "graph.microsoft.com:443"}


def test_a_proxy_over_tls_gets_the_password_and_nobody_behind_it(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with (
        HttpsServer(site.ca, site.folder, lambda _: HttpResponse(200, {}, b"{}")) as server,
        site.proxy(tls=True) as proxy,
    ):
        proxy.routes[server.host] = server.host
        proxy.users["svc-proxy"] = CANARY
        https = Https(site.ca_file, proxy=HttpProxy(proxy.url, site.credentials()))
        assert https.call("GET", server.url).status_code == 200
        assert https.call("GET", server.url).status_code == 200
        https.close()
    assert proxy.asked == [server.host]  # one tunnel for both
    assert not any("proxy-authorization" in request.headers for request in server.requests)
    assert CANARY not in caplog.text


def test_a_rotated_password_is_used_at_once(site: Site) -> None:
    with site.proxy(tls=True) as proxy:
        proxy.users["svc-proxy"] = "old"
        https = Https(site.ca_file, proxy=HttpProxy(proxy.url, site.credentials(password="old")))
        assert https.call("GET", OPENID).status_code == 200
        proxy.users["svc-proxy"] = "new"
        site.credentials(password="new\n")  # as an editor leaves it
        assert https.call("GET", OPENID).status_code == 200
        https.close()
    assert (len(proxy.asked), proxy.refused) == (2, [])


def test_a_refused_password_is_tried_once_and_shown_to_nobody(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with site.proxy(tls=True) as proxy:
        proxy.users["svc-proxy"] = "another"
        refused = failure(Https(site.ca_file, proxy=HttpProxy(proxy.url, site.credentials())))
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.ACCESS_DENIED
    assert str(refused) == (
        "login.microsoftonline.com: the HTTP proxy does not take the operator's credentials; "
        "check the Secret behind --entra-proxy-credentials"
    )
    assert len(proxy.refused) == 1
    shown = "".join(traceback.format_exception(refused)) + caplog.text
    assert CANARY not in shown
    assert "Basic " not in shown


def test_a_host_that_the_proxy_does_not_allow_is_named(site: Site) -> None:
    with site.proxy() as proxy:
        proxy.routes.clear()
        told = failure(Https(site.ca_file, proxy=HttpProxy(proxy.url)), changes=True)
    assert type(told) is Unreachable  # not OutcomeUnknown: nothing was sent
    assert str(told) == (
        "login.microsoftonline.com: the HTTP proxy answers HTTP 403 instead of connecting; allow "
        "login.microsoftonline.com, port 443, there"
    )


@pytest.mark.parametrize("url", ["http://localhost:1", "https://localhost:1"])
def test_a_proxy_that_is_not_there_is_named(site: Site, url: str) -> None:
    told = failure(Https(site.ca_file, proxy=HttpProxy(url)), changes=True)
    assert type(told) is Unreachable
    assert "no connection to the HTTP proxy can be made; check --entra-proxy" in str(told)


def test_a_proxy_of_an_unknown_authority_gets_no_password(site: Site) -> None:
    other = replace(site, ca=PrivateCA("somebody else's"))
    with other.proxy(tls=True) as proxy:
        proxy.users["svc-proxy"] = CANARY
        told = failure(Https(site.ca_file, proxy=HttpProxy(proxy.url, site.credentials())))
    assert type(told) is Unreachable
    assert str(told) == (
        "login.microsoftonline.com: no connection to the HTTP proxy can be made; check "
        "--entra-proxy, and --ca-file for its certificate"
    )
    assert (proxy.asked, proxy.refused) == ([], [])


def test_a_secret_that_cannot_be_read_is_named_and_nothing_is_sent(site: Site) -> None:
    folder = site.credentials()
    (folder / "password").write_bytes(b"\xff\xfe")
    with site.proxy(tls=True) as proxy:
        told = failure(Https(site.ca_file, proxy=HttpProxy(proxy.url, folder)))
    assert str(told).endswith("password cannot be read; check the Secret")
    assert (proxy.asked, proxy.refused) == ([], [])


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_an_answer_through_the_proxy_keeps_to_the_time_limit(site: Site, *, tls: bool) -> None:
    def drip(_: HttpRequest) -> HttpResponse:
        return HttpResponse(200, {"transfer-encoding": "chunked"}, b"400\r\nhalf")

    with HttpsServer(site.ca, site.folder, drip) as server, site.proxy(tls=tls) as proxy:
        proxy.routes[server.host] = server.host
        https = Https(site.ca_file, longest=0.3, proxy=HttpProxy(proxy.url))
        with pytest.raises(Unreachable, match="no answer in time"):
            https.call("GET", server.url)
        https.close()
