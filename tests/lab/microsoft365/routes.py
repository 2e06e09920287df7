"""From a request's host and path to the service that answers it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from lab.microsoft365 import discovery, jwts
from lab.microsoft365 import push as push_endpoint
from lab.microsoft365.acs import AccessControl
from lab.microsoft365.clouds import Service, clouds_of
from lab.microsoft365.directory import Tenant
from lab.microsoft365.errors import GraphError, StsError, no_tenant
from lab.microsoft365.faults import Faults
from lab.microsoft365.graph import GraphService
from lab.microsoft365.http import HttpRequest, HttpResponse, answer
from lab.microsoft365.sts import Caller, TokenService

_METADATA = re.compile(r"/(?:([^/]+)/)?metadata/json/1/?")
_TOKEN = re.compile(r"/([^/]+)/oauth2/v2\.0/token")
_OPENID = re.compile(r"/([^/]+)/v2\.0/\.well-known/openid-configuration")
_KEYS = re.compile(r"/([^/]+)/discovery/v2\.0/keys")
_ACS_TOKEN = re.compile(r"/([^/]+)/tokens/OAuth/2/?")

INVALID_TOKEN = "InvalidAuthenticationToken"

Handler = Callable[[str, HttpRequest], Any]


class Routes:
    """The table of paths, and the check of a bearer token in front of Graph."""

    def __init__(
        self,
        tenants: Sequence[Tenant],
        faults: Faults,
        tokens: TokenService,
        acs: AccessControl,
        now: Callable[[], datetime],
    ) -> None:
        self._tenants = tenants
        self._faults = faults
        self._tokens = tokens
        self._acs = acs
        self._now = now
        self._graph = GraphService(faults, now)
        acs_table: dict[tuple[str, re.Pattern[str]], Handler] = {
            ("GET", _METADATA): self._acs_metadata,
            ("POST", _ACS_TOKEN): self._acs_token,
        }
        # The login host serves the documents of ACS too (docs/entra.md).
        self._tables: dict[Service, dict[tuple[str, re.Pattern[str]], Handler]] = {
            Service.ACS: acs_table,
            Service.AUTHORITY: {
                ("GET", _OPENID): self._openid,
                ("GET", _KEYS): self._keys,
                ("POST", _TOKEN): self._token,
                ("GET", re.compile(r"/(common)/discovery/instance")): self._instances,
                **acs_table,
            },
        }

    def answer(self, service: Service, request: HttpRequest) -> HttpResponse:
        """The answer of a service, refusals included."""
        try:
            if service is Service.GRAPH:
                return self._graph.answer(self._caller(request), request)
            if service is Service.PUSH:
                return self._push(request)
            return self._public(service, request)
        except GraphError as error:
            return error.response(request.headers, self._now())
        except StsError as error:
            return error.response(request.host, self._now())

    def _public(self, service: Service, request: HttpRequest) -> HttpResponse:
        for (method, pattern), handler in self._tables[service].items():
            match = pattern.fullmatch(unquote(request.path))
            if match and method == request.method:
                return answer(200, handler(match[1] or "", request))
        return HttpResponse(404)

    def _push(self, request: HttpRequest) -> HttpResponse:
        if request.path.rstrip("/").lower() != push_endpoint.PATH.lower():
            return HttpResponse(404)
        if request.method != "POST":
            return HttpResponse(405)
        return push_endpoint.push(
            request,
            self._acs.signer,
            self._tenants,
            self._now,
            accept_dedicated=self._faults["accept_dedicated_application"],
        )

    def _tenant(self, reference: str, error: str) -> Tenant:
        for tenant in self._tenants:
            if tenant.known_as(reference):
                return tenant
        raise no_tenant(reference, error)

    def _openid(self, reference: str, request: HttpRequest) -> Any:
        tenant = self._tenant(reference, "invalid_tenant")
        return discovery.openid_configuration(tenant, request)

    def _keys(self, reference: str, request: HttpRequest) -> Any:
        del reference, request
        return {"keys": [self._tokens.signer.jwk()]}

    def _instances(self, reference: str, request: HttpRequest) -> Any:
        del reference
        return discovery.instances(request)

    def _token(self, reference: str, request: HttpRequest) -> Any:
        tenant = self._tenant(reference, "invalid_request")
        return self._tokens.answer(tenant, request)

    def _acs_metadata(self, reference: str, request: HttpRequest) -> Any:
        realm = reference or request.parameters().get("realm", "")
        tenant = self._tenant(realm, "invalid_tenant") if realm else None
        return self._acs.metadata(tenant, request)

    def _acs_token(self, reference: str, request: HttpRequest) -> Any:
        return self._acs.answer(self._tenant(reference, "invalid_request"), request)

    def _caller(self, request: HttpRequest) -> Caller:
        """Who the bearer token stands for. Raises GraphError (401)."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise GraphError(401, INVALID_TOKEN, "Access token is empty.")
        try:
            claims = self._tokens.signer.verify(token, self._now())
        except jwts.BadToken as error:
            raise GraphError(
                401, INVALID_TOKEN, f"Access token validation failure: {error}."
            ) from error
        if not _audience_fits(str(claims["aud"]), request):
            raise GraphError(401, INVALID_TOKEN, "Access token validation failure: audience.")
        if self._faults.take("token_rejected"):
            raise GraphError(401, INVALID_TOKEN, "Access token has been revoked.")
        tenant = self._tenant(str(claims["tid"]), "invalid_request")
        return Caller(tenant, str(claims["appid"]), frozenset(claims["roles"]))


def _audience_fits(audience: str, request: HttpRequest) -> bool:
    """The cloud's Graph, or the lab's localhost form of it."""
    host = urlsplit(audience).hostname
    return host in {"localhost", *(cloud.graph for cloud in clouds_of(request.name))}
