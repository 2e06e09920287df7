"""The push-notification endpoint: it takes a token of ACS and says yes or no.

Which application it accepts is inferred; the dedicated one is a switch, off by default, because
Microsoft says nowhere that it works.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from lab.microsoft365 import jwts
from lab.microsoft365.clouds import EXCHANGE_ONLINE
from lab.microsoft365.directory import Tenant
from lab.microsoft365.http import HttpRequest, HttpResponse

PATH = "/PushNotifications"


def push(
    request: HttpRequest,
    signer: jwts.Signer,
    tenants: Iterable[Tenant],
    now: Callable[[], datetime],
    *,
    accept_dedicated: bool,
) -> HttpResponse:
    """200 for a good token, else 401 with the reason in the header Exchange would log."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return _refused('2000000;reason="The request carries no token."')
    try:
        claims = signer.verify(token, now())
    except jwts.BadToken as error:
        return _refused(f'2000003;reason="The token is not valid: {error}."')
    reason = _objection(claims, request, tenants, accept_dedicated=accept_dedicated)
    return _refused(reason) if reason else HttpResponse(200)


def _objection(
    claims: Mapping[str, Any],
    request: HttpRequest,
    tenants: Iterable[Tenant],
    *,
    accept_dedicated: bool,
) -> str:
    app_id, _, tenant_id = str(claims.get("nameid", "")).partition("@")
    if not any(tenant.known_as(tenant_id) for tenant in tenants):
        return '2000008;reason="The tenant of the token is not known."'
    hosts = (request.name, "outlook.office365.com")
    if claims.get("aud") not in {f"{EXCHANGE_ONLINE}/{host}@{tenant_id}" for host in hosts}:
        return '3000003;reason="The audience claim value is invalid."'
    if app_id != EXCHANGE_ONLINE and not accept_dedicated:
        return '4000000;reason="The application is not allowed to send push notifications."'
    return ""


def _refused(reason: str) -> HttpResponse:
    challenge = 'Bearer client_id="00000002-0000-0ff1-ce00-000000000000", error="invalid_token"'
    return HttpResponse(401, {"www-authenticate": challenge, "x-ms-diagnostics": reason})
