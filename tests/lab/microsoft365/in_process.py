"""The product's ports Graph and Metadata straight on the model: no sockets, the same errors.

Requests go through ``Microsoft365.handle`` and answers through the adapters' own reading of
them, so what a test meets here is what the real adapters would raise (a test compares them). Left
out are the network and MSAL, whose clock cannot be set. ``InProcessHttps`` is the seam below the
real adapters, for tests that want those: ``EntraGraphs(InProcessHttps(model), model.now)``.
"""

from __future__ import annotations

import functools
import json
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeAlias
from urllib.parse import urlencode, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from exchange_push_operator.adapters.entra_refusals import refusal
from exchange_push_operator.adapters.graph_replies import content, throttled
from exchange_push_operator.adapters.http import Https, Reply, host_of
from exchange_push_operator.adapters.http_trouble import lost
from exchange_push_operator.adapters.metadata_http import HttpMetadata
from exchange_push_operator.core.client_certificate import check_client_certificate
from exchange_push_operator.core.clouds import CLOUDS
from exchange_push_operator.core.commands import GraphRequest
from exchange_push_operator.core.errors import Refused, Unreachable
from exchange_push_operator.core.fresh_token import SPREAD
from exchange_push_operator.core.ports import GraphAccess, Identity, Sensitive
from exchange_push_operator.core.reasons import Reason
from lab.exchange.trust import NoConnection
from lab.microsoft365 import jwts
from lab.microsoft365.http import ConnectionCut, HttpRequest
from lab.microsoft365.sample import CLIENT, FABRIKAM, SECRET
from lab.microsoft365.sts import ASSERTION_TYPE
from lab.microsoft365.world import Microsoft365

_OPENID = "v2.0/.well-known/openid-configuration"
_USABLE_UNTIL: dict[tuple[str, str], datetime] = {}

Hook: TypeAlias = Callable[[str, bool], None]


def _nothing(call: str, changes: bool) -> None:  # noqa: FBT001 - a hook is called by position
    del call, changes


class InProcessHttps(Https):
    """The product's ``Https`` without a network: every call ends in the model.

    ``before`` and ``after`` get the call ("PATCH https://graph...") and whether it changes
    anything; they may raise whatever they like, and so cut it before or after its effect.
    """

    def __init__(
        self, model: Microsoft365, *, before: Hook = _nothing, after: Hook = _nothing
    ) -> None:
        self._model = model
        self._before = before
        self._after = after
        self.calls: list[str] = []

    def call(  # noqa: PLR0913 - as the adapter
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        json_body: Mapping[str, Any] | None = None,
        changes: bool = False,
    ) -> Reply:
        """See the adapter. A host that the model does not have is Unreachable."""
        host, name = host_of(url), f"{method} {url}"
        body = json.dumps(json_body) if json_body is not None else urlencode(data or {})
        request = _request(method, url, params, headers, body.encode())
        self.calls.append(name)
        self._before(name, changes)
        reply = self._reply(request, host, changes=changes)
        self._after(name, changes)
        return reply

    def _reply(self, request: HttpRequest, host: str, *, changes: bool) -> Reply:
        try:
            response = self._model.handle(request)
        except NoConnection as error:
            message = f"{host}: the name cannot be resolved; check the DNS of the cluster"
            raise Unreachable(message) from error
        except ConnectionCut as error:
            message = f"{host}: the connection was cut before the answer was complete"
            raise lost(message, changes=changes) from error
        fields = {key.title(): value for key, value in response.headers.items()}
        return Reply(response.status, fields, response.body.decode())

    def close(self) -> None:
        """Nothing is open."""


class InProcessGraph:
    """Fills the port ``Graph`` for one access. ``https.calls`` is what was asked.

    Make one per access and per life of the operator: the token is kept as long as it lasts.
    """

    def __init__(
        self,
        model: Microsoft365,
        access: GraphAccess,
        *,
        before: Hook = _nothing,
        after: Hook = _nothing,
    ) -> None:
        self._model = model
        self._access = access
        self._token: str | None = None
        self._since = model.now()
        self.https = InProcessHttps(model, before=before, after=after)

    def identity(self, *, since: datetime | None = None) -> Identity:
        """See the port."""
        if since and self._since < since:
            self._token = None
        claims = jwts.unverified(self._signed_in())
        return Identity(str(claims["tid"]), frozenset(claims["roles"]))

    def send(self, request: GraphRequest) -> Mapping[str, Any]:
        """See the port. A token that is turned down is replaced once."""
        reply = self._once(request)
        if reply.status_code == 401:
            self._token = None
            reply = self._once(request)
        elif reply.status_code == 403 and self._forget_stale():
            reply = self._once(request)
        host = host_of(self._access.graph)
        return content(reply, host, changes=request.method != "GET")

    def _once(self, request: GraphRequest) -> Reply:
        headers = {"Authorization": f"Bearer {self._signed_in()}"}
        url = f"{self._access.graph}/v1.0/{request.path}"
        changes = request.method != "GET"
        return self.https.call(
            request.method, url, headers=headers, json_body=request.body, changes=changes
        )

    def _forget_stale(self) -> bool:
        """As the adapter: a token of the last five minutes knows the permissions of by now."""
        stale = self._model.now() - self._since >= SPREAD
        self._token = None if stale else self._token
        return stale

    def _signed_in(self) -> str:
        token = self._token
        if token is None or self._ends_soon(token):
            token, self._since = self._sign_in(), self._model.now()
        self._token = token
        return token

    def _ends_soon(self, token: str) -> bool:
        left: float = jwts.unverified(token)["exp"] - self._model.now().timestamp()
        return left < jwts.CLOCK_TOLERANCE

    def _sign_in(self) -> str:
        access = self._access
        self._check_certificate()
        reply = self._ask("GET", f"{access.authority}/{access.tenant_id}/{_OPENID}")
        host = host_of(access.authority)
        if reply.status_code >= 400:
            cure = "check tenant.tenantId and tenant.cloud"
            message = f"{host}: there is no tenant {access.tenant_id}; {cure}"
            raise Refused(Reason.ACCESS_DENIED, message)
        url = str((reply.json_object() or {})["token_endpoint"])
        form = {
            "client_id": access.client_id,
            "grant_type": "client_credentials",
            "scope": f"{access.graph}/.default",
            **self._proof(url),
        }
        result = self._ask("POST", url, form).json_object() or {}
        if "access_token" not in result:
            raise refusal(result, access)
        return str(result["access_token"])

    def _ask(self, method: str, url: str, form: Mapping[str, str] | None = None) -> Reply:
        reply, host = self.https.call(method, url, data=form), host_of(url)
        if patience := throttled(reply, host):
            raise patience
        if reply.status_code >= 500:
            message = f"{host}: HTTP {reply.status_code}; the service has trouble"
            raise Unreachable(message)
        return reply

    def _check_certificate(self) -> None:
        """As the adapter does before it asks anybody; an access that passed is not read again."""
        access, now = self._access, self._model.now()
        if access.certificate is None or access.private_key is None:
            return
        pair = (access.certificate, access.private_key.reveal())
        if _USABLE_UNTIL.get(pair, now) <= now:
            _USABLE_UNTIL[pair] = check_client_certificate(*pair, now)

    def _proof(self, url: str) -> dict[str, str]:
        access = self._access
        if access.client_secret is not None:
            return {"client_secret": access.client_secret.reveal()}
        if access.federated_token is not None:
            token = access.federated_token.reveal()
            return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": token}
        if access.certificate is None or access.private_key is None:
            message = "an access needs a client secret or a certificate with its key"
            raise AssertionError(message)
        now, key = int(self._model.now().timestamp()), access.private_key.reveal()
        assertion = client_assertion(access.client_id, url, access.certificate, key, now)
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}


class InProcessMetadata(HttpMetadata):
    """Fills the port ``Metadata``: the real adapter on ``InProcessHttps``."""

    def __init__(
        self, model: Microsoft365, *, before: Hook = _nothing, after: Hook = _nothing
    ) -> None:
        self.https = InProcessHttps(model, before=before, after=after)
        super().__init__(self.https)


def client_assertion(client_id: str, audience: str, pem: str, key: str, now: int) -> str:
    """A client assertion as MSAL makes it from a certificate (PS256, x5t#S256)."""
    certificate = x509.load_pem_x509_certificate(pem.encode())
    digest = jwts.base64url(certificate.fingerprint(hashes.SHA256()))
    claims = {
        "aud": audience,
        "iss": client_id,
        "sub": client_id,
        "nbf": now,
        "exp": now + 600,
        "jti": str(uuid.uuid4()),
    }
    return jwt.encode(claims, _key(key), algorithm="PS256", headers={"x5t#S256": digest})


@functools.lru_cache(maxsize=16)
def _key(pem: str) -> rsa.RSAPrivateKey:
    key = load_pem_private_key(pem.encode(), None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey):
        message = "the lab signs with RSA keys only"
        raise TypeError(message)
    return key


def _request(
    method: str,
    url: str,
    params: Mapping[str, str] | None,
    headers: Mapping[str, str] | None,
    body: bytes,
) -> HttpRequest:
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, urlencode(params or {}))))
    fields = {name.lower(): value for name, value in (headers or {}).items()}
    return HttpRequest(method, parts.netloc, parts.path or "/", query, fields, body)


def workstation_graph(
    model: Microsoft365, tenant_id: str = FABRIKAM, client_id: str = CLIENT
) -> InProcessGraph:
    """Signed in as an application with its client secret, from a workstation."""
    cloud = CLOUDS["Global"]
    access = GraphAccess(
        authority=cloud.authority,
        graph=cloud.graph,
        tenant_id=tenant_id,
        client_id=client_id,
        client_secret=Sensitive.of(SECRET),
        certificate=None,
        private_key=None,
        version="workstation",
    )
    return InProcessGraph(model, access)
