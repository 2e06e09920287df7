"""The Graph port: Microsoft Graph v1.0 of many tenants, signed in by MSAL."""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from threading import Lock
from typing import Any

from exchange_push_operator.adapters.entra_sign_in import SignIn
from exchange_push_operator.adapters.graph_replies import content, throttled
from exchange_push_operator.adapters.http import Https, Reply, host_of
from exchange_push_operator.core.commands import GraphRequest
from exchange_push_operator.core.errors import Unreachable
from exchange_push_operator.core.ports import Graph, GraphAccess, Identity
from exchange_push_operator.core.request_id import request_id

_LOG = logging.getLogger(__name__)
_NOT_ACCEPTED = 401
_NOT_PERMITTED = 403
_REPEATS = 2
_SHORT = 2.0  # seconds; who asks for more gets it from the work queue, not from a sleeping thread


class EntraGraphs:
    """Sign-ins by tenant, application and where its credential is; the ones used longest ago go.

    An access with a new version takes the place of the old one, so an older credential is never
    used again. ``now`` gives the time, ``pause`` waits the few moments between two tries.
    """

    def __init__(
        self,
        https: Https,
        now: Callable[[], datetime],
        *,
        pause: Callable[[float], None] = time.sleep,
        most: int = 128,
    ) -> None:
        self.https = https
        self._now = now
        self._pause = pause
        self._most = most
        self._lock = Lock()
        self._sign_ins: dict[tuple[str, ...], SignIn] = {}

    def connect(self, access: GraphAccess) -> Graph:
        """The tenant's Graph. Asks nobody; the first call signs in."""
        return EntraGraph(access, self._sign_in(access), self.https, self._pause)

    def _sign_in(self, access: GraphAccess) -> SignIn:
        holder = access.version.partition("@")[0]
        key = (access.authority, access.graph, access.tenant_id, access.client_id, holder)
        with self._lock:
            sign_in = self._sign_ins.pop(key, None)
            if sign_in is None or sign_in.version != access.version:
                sign_in = SignIn(access, self.https, self._now)
            self._sign_ins[key] = sign_in  # a dict keeps the order: last used, last
            while len(self._sign_ins) > self._most:
                del self._sign_ins[next(iter(self._sign_ins))]
            return sign_in


class EntraGraph:
    """Fills the port ``Graph``."""

    def __init__(
        self, access: GraphAccess, sign_in: SignIn, https: Https, pause: Callable[[float], None]
    ) -> None:
        self._access = access
        self._sign_in = sign_in
        self._https = https
        self._pause = pause

    def identity(self, *, since: datetime | None = None) -> Identity:
        """Tenant and roles, read from the access token.

        The signature is not checked: the token came over TLS from the authority, and what it says
        is compared with the declared tenant, never a reason to grant anything.

        Raises: Refused, Unreachable, Throttled.
        """
        claims = _claims(self._sign_in.token(since=since))
        tenant, roles = claims.get("tid"), claims.get("roles") or ()
        if not isinstance(tenant, str) or not isinstance(roles, list | tuple):
            host = host_of(self._access.authority)
            message = f"{host}: the access token does not say which tenant it is for"
            raise Unreachable(message)
        return Identity(tenant, frozenset(map(str, roles)))

    def send(self, request: GraphRequest) -> Mapping[str, Any]:
        """Send one call; see the port for what it raises.

        A token that is turned down is replaced once: it may have been revoked a moment ago. One
        without the permission is, if it may be older than what an administrator has granted.
        """
        token = self._sign_in.token()
        reply = self._patiently(request, token)
        if reply.status_code == _NOT_ACCEPTED:
            reply = self._patiently(request, self._sign_in.token(rejected=token))
        elif reply.status_code == _NOT_PERMITTED:
            renewed = self._sign_in.renewed()
            reply = self._patiently(request, renewed) if renewed != token else reply
        return content(reply, host_of(self._access.graph), changes=_changes(request))

    def _patiently(self, request: GraphRequest, token: str) -> Reply:
        reply = self._once(request, token)
        for _ in range(0 if _changes(request) else _REPEATS):
            patience = throttled(reply, host_of(self._access.graph))
            pause = patience.retry_after if patience else None
            if pause is None or pause > _SHORT:
                break
            self._pause(pause)
            reply = self._once(request, token)
        return reply

    def _once(self, request: GraphRequest, token: str) -> Reply:
        own_id = request_id()
        reply = self._https.call(
            request.method,
            f"{self._access.graph}/v1.0/{request.path}",
            headers={
                "Authorization": f"Bearer {token}",
                "Accept": "application/json",
                "client-request-id": own_id,
            },
            json_body=request.body,
            changes=_changes(request),
        )
        # Both ids are what Microsoft's support asks for.
        _LOG.debug(
            "%s: HTTP %s, request-id %s, client-request-id %s",
            request,
            reply.status_code,
            reply.headers.get("request-id"),
            own_id,
        )
        return reply


def _changes(request: GraphRequest) -> bool:
    return request.method != "GET"


def _claims(token: str) -> Mapping[str, Any]:
    """The claims of a JWT; none where it is not one."""
    parts = token.split(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))
    except (IndexError, ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
