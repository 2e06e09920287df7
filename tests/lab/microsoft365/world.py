"""The Microsoft 365 half of the lab: one model, asked over HTTPS or in process.

``handle`` is the door for everything; the three methods that an Exchange server needs
(``lab.exchange.trust.Microsoft365``) and the in-process ports go through it as well, so every
rule and every switch holds on each way.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from lab.exchange.trust import NoConnection, TokenRefused
from lab.microsoft365.acs import GRANT, AccessControl
from lab.microsoft365.clouds import SERVICES, Service
from lab.microsoft365.directory import FederatedCredential, Kind, Tenant
from lab.microsoft365.errors import GraphError
from lab.microsoft365.faults import Faults
from lab.microsoft365.http import ConnectionCut, HttpRequest, HttpResponse, answer
from lab.microsoft365.routes import Routes
from lab.microsoft365.sts import TokenService

_LOG_LENGTH = 1000


def system_clock() -> datetime:
    """The real time."""
    return datetime.now(UTC)


class Microsoft365:
    """Tenants with their directory, and the services in front of them."""

    def __init__(self, *tenants: Tenant, clock: Callable[[], datetime] = system_clock) -> None:
        self.tenants = list(tenants)
        self.faults = Faults()
        self.local: dict[str, Service] = {}
        self._clock = clock
        self._lock = threading.RLock()
        self._pause = threading.Event()
        self._log: deque[str] = deque(maxlen=_LOG_LENGTH)
        self.tokens = TokenService(self.faults, self.now)
        self.acs = AccessControl(self.now)
        self._routes = Routes(self.tenants, self.faults, self.tokens, self.acs, self.now)

    def now(self) -> datetime:
        """Microsoft's clock: the lab's, plus the skew that was set."""
        return self._clock() + timedelta(seconds=self.faults["clock_skew"])

    def tenant(self, reference: str) -> Tenant:
        """The tenant of a GUID or domain. Raises KeyError."""
        for tenant in self.tenants:
            if tenant.known_as(reference):
                return tenant
        raise KeyError(reference)

    def set_fault(self, name: str, value: Any) -> None:
        """Set one of ``lab.microsoft365.faults.SWITCHES``. Raises ValueError."""
        with self._lock:
            self.faults.set(name, value)

    def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer one request.

        Raises:
            ConnectionCut: a switch breaks the connection.
            NoConnection: nothing of this model answers at that host.
        """
        service = self._service(request)
        delay = self.faults["slow"].get(service)
        if delay:
            self._pause.wait(delay)
        with self._lock:
            return self._answer(service, request)

    def metadata(self, url: str) -> Mapping[str, Any] | None:
        """What Exchange reads at ``-AuthMetadataUrl``. See ``lab.exchange.trust``."""
        response = self._ask(HttpRequest.to("GET", url))
        if response.status in {400, 404}:
            return None
        if response.status != 200:
            message = f"{url} answered {response.status}"
            raise NoConnection(message)
        document: Mapping[str, Any] = response.json()
        return document

    def issue_token(self, assertion: str, realm: str) -> str:
        """A token of ACS for an assertion of Exchange. See ``lab.exchange.trust``."""
        url = f"https://accounts.accesscontrol.windows.net/{realm}/tokens/OAuth/2"
        form = {"grant_type": GRANT, "assertion": assertion}
        response = self._ask(HttpRequest.to("POST", url, form=form))
        if response.status == 200:
            return str(response.json()["access_token"])
        raise TokenRefused(_refusal(response))

    def push(self, uri: str, token: str) -> int:
        """The status of a push. See ``lab.exchange.trust``."""
        request = HttpRequest.to("POST", uri)
        headers = {"authorization": f"Bearer {token}"}
        sent = HttpRequest(request.method, request.host, request.path, request.query, headers)
        return self._ask(sent).status

    def remove_keys(self, tenant: str, app_id: str, key_id: str | None = None) -> int:
        """Take one key of a principal or application away, or all; gives how many went."""
        gone = 0
        with self._lock:
            for holder in self.tenant(tenant).holders:
                if holder.app_id == app_id:
                    kept = tuple(k for k in holder.keys if key_id not in {None, k.key_id})
                    gone += len(holder.keys) - len(kept)
                    holder.keys, holder.stale_reads = kept, 0
        return gone

    def grant(self, tenant: str, app_id: str, roles: Iterable[str]) -> None:
        """Set the app roles of an application; tokens already issued keep the old ones."""
        with self._lock:
            principal = self.tenant(tenant).find(Kind.PRINCIPAL, app_id)
            if principal is None:
                raise KeyError(app_id)
            principal.roles = frozenset(roles)

    def federate(
        self, tenant: str, app_id: str, trusted: FederatedCredential, jwks: Mapping[str, Any]
    ) -> None:
        """Let an application trust an issuer, which shows these keys on the internet."""
        with self._lock:
            application = self.tenant(tenant).find(Kind.APPLICATION, app_id)
            if application is None:
                raise KeyError(app_id)
            application.federated = (*application.federated, trusted)
            self.tokens.issuers[trusted.issuer] = lambda: jwks

    def verify_domain(self, tenant: str, domain: str) -> None:
        """Make a domain one of the tenant's."""
        with self._lock:
            found = self.tenant(tenant)
            found.domains = (*found.domains, domain)

    def dump(self) -> dict[str, Any]:
        """The state for people: JSON, no secret."""
        with self._lock:
            return {
                "tenants": [_tenant_state(tenant) for tenant in self.tenants],
                "tokensIssued": {"entra": self.tokens.issued, "acs": self.acs.issued},
                "faults": self.faults.dump(),
                "requests": list(self._log),
            }

    def requests(self) -> tuple[str, ...]:
        """The log: method, host, path and status of what was asked, oldest first."""
        with self._lock:
            return tuple(self._log)

    def _service(self, request: HttpRequest) -> Service:
        service = self.local.get(request.host) or SERVICES.get(request.name)
        if service is None:
            message = f"no service of Microsoft answers at {request.host}"
            raise NoConnection(message)
        return service

    def _ask(self, request: HttpRequest) -> HttpResponse:
        try:
            return self.handle(request)
        except ConnectionCut as error:
            message = f"{request.host}: {error}"
            raise NoConnection(message) from error

    def _answer(self, service: Service, request: HttpRequest) -> HttpResponse:
        failure = self.faults.failure(service, request.method)
        if failure:
            response = _failed(failure, service, request, self.now())
            self._note(request, response)
            if not response.status:
                raise ConnectionCut(applied=False)
            return response
        response = self._routes.answer(service, request)
        self._note(request, response)
        if response.status == 204 and self.faults.take("reset_after_patch"):
            raise ConnectionCut(applied=True)
        return response

    def _note(self, request: HttpRequest, response: HttpResponse) -> None:
        status = response.status or "reset"
        self._log.append(f"{request.method} https://{request.host}{request.path} {status}")


def _failed(
    failure: Mapping[str, Any], service: Service, request: HttpRequest, now: datetime
) -> HttpResponse:
    """The answer of a service that fails, in the shape it would have."""
    status, pause = int(failure["status"]), failure.get("retryAfter")
    headers = {} if pause is None else {"retry-after": str(pause)}
    if service is Service.GRAPH and status:
        code = {429: "TooManyRequests", 503: "serviceUnavailable"}.get(status, "generalException")
        error = GraphError(status, code, "The service cannot answer now.")
        response = error.response(request.headers, now)
        return HttpResponse(status, {**response.headers, **headers}, response.body)
    if service is Service.AUTHORITY and status == 429:
        error_body = {"error": "temporarily_unavailable", "error_description": "Throttled."}
        return answer(status, error_body, headers)
    return HttpResponse(status, headers)


def _refusal(response: HttpResponse) -> str:
    """What Exchange shows of a refused token (as administrators see it; wording inferred)."""
    if not response.body:
        return f"The remote server returned an error: ({response.status})."
    document = response.json()
    text = str(document["error_description"]).split(" Trace ID:")[0]
    return (
        f"Unable to get the token from Auth Server. Error code: '{document['error']}'. "
        f"Description: '{text}'."
    )


def _tenant_state(tenant: Tenant) -> dict[str, Any]:
    return {
        "tenantId": tenant.tenant_id,
        "domains": list(tenant.domains),
        "directory": [holder.state() for holder in tenant.holders],
    }
