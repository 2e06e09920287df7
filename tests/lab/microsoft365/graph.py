"""Microsoft Graph v1.0: applications, service principals and the organisation.

Permissions are those of a token's ``roles`` (docs/entra.md). That the owner-only
permission does not read objects of others is inferred.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import fields
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from lab.microsoft365.clouds import EXCHANGE_ONLINE, GLOBAL, clouds_of
from lab.microsoft365.directory import Holder, KeyCredential, Kind
from lab.microsoft365.errors import GraphError
from lab.microsoft365.faults import Faults
from lab.microsoft365.http import HttpRequest, HttpResponse, answer
from lab.microsoft365.key_credentials import Rules, replaced
from lab.microsoft365.proof_of_possession import check_proof
from lab.microsoft365.sts import Caller
from lab.network.ca import self_signed

READ_ALL = frozenset({"Application.Read.All", "Directory.Read.All"})
WRITE_ALL = frozenset({"Application.ReadWrite.All", "Directory.ReadWrite.All"})
OWNED = "Application.ReadWrite.OwnedBy"
ORGANIZATION = frozenset(
    {"Organization.Read.All", "Organization.ReadWrite.All", "Directory.Read.All"}
)

_ONE = re.compile(r"/v1\.0/(applications|servicePrincipals)(?:\(appId='([^']*)'\)|/([^/]+))/?")
_ADD_KEY = re.compile(_ONE.pattern.removesuffix("/?") + "/addKey")
_LIST = re.compile(r"/v1\.0/(applications|servicePrincipals)/?")
_FILTER = re.compile(r"appId eq '([^']*)'")


class GraphService:
    """Answers one signed-in caller's request at a time."""

    def __init__(self, faults: Faults, now: Callable[[], datetime]) -> None:
        self._faults = faults
        self._now = now

    def answer(self, caller: Caller, request: HttpRequest) -> HttpResponse:
        """The answer to one call. Raises GraphError."""
        path = unquote(request.path)
        if one := _ONE.fullmatch(path):
            return self._one(caller, request, Kind(one[1]), (one[2], one[3]))
        if (add := _ADD_KEY.fullmatch(path)) and request.method == "POST":
            return self._add_key(caller, request, Kind(add[1]), (add[2], add[3]))
        if request.method != "GET":
            raise _not_found_path(path)
        if path.rstrip("/") == "/v1.0/organization":
            return _organization(caller, request)
        if many := _LIST.fullmatch(path):
            return self._list(caller, request, Kind(many[1]))
        raise _not_found_path(path)

    def _one(
        self, caller: Caller, request: HttpRequest, kind: Kind, reference: tuple[str | None, str]
    ) -> HttpResponse:
        if request.method not in {"GET", "PATCH"}:
            raise GraphError(405, "Request_BadRequest", "Specified HTTP method is not allowed.")
        holder = self._one_of(caller, kind, reference, writes=request.method == "PATCH")
        if request.method == "PATCH":
            return self._patch(holder, request)
        return answer(200, self._read(holder, request))

    def _one_of(
        self, caller: Caller, kind: Kind, reference: tuple[str | None, str], *, writes: bool
    ) -> Holder:
        holder = self._find(caller, kind, reference)
        _check_roles(caller, holder, writes=writes)
        if holder is None:
            named = reference[0] or reference[1]
            text = f"Resource '{named}' does not exist or one of its queried reference-property "
            raise GraphError(404, "Request_ResourceNotFound", text + "objects are not present.")
        return holder

    def _add_key(
        self, caller: Caller, request: HttpRequest, kind: Kind, reference: tuple[str | None, str]
    ) -> HttpResponse:
        """One more key, for a proof. That an application needs no right to its own is left out."""
        holder, body = self._one_of(caller, kind, reference, writes=True), _json(request)
        check_proof(holder, body.get("proof"), self._now())
        self._check_locks(holder)
        held = [{"keyId": key.key_id} for key in holder.keys]
        holder.keys = replaced(holder.keys, [*held, body.get("keyCredential")], self._rules())
        return answer(200, holder.keys[-1].document(with_key=False))

    def _find(self, caller: Caller, kind: Kind, reference: tuple[str | None, str]) -> Holder | None:
        app_id, object_id = reference
        tenant = caller.tenant
        holder = tenant.by_id(kind, object_id) if app_id is None else tenant.find(kind, app_id)
        if holder and holder.app_id == EXCHANGE_ONLINE and self._faults["not_provisioned"]:
            return None
        return holder

    def _read(self, holder: Holder, request: HttpRequest) -> dict[str, Any]:
        """``key`` is shown for a single object and only where $select names keyCredentials."""
        selected = _selected(request)
        keys = holder.keys
        if holder.stale_reads > 0:
            holder.stale_reads -= 1
            keys = holder.stale
        document = _document(holder, keys, with_keys="keyCredentials" in selected)
        if self._faults.take("rival"):
            holder.keys = (*holder.keys, _rival_key(self._now()))
        return {"@odata.context": _context(request, holder.kind), **_only(document, selected)}

    def _list(self, caller: Caller, request: HttpRequest, kind: Kind) -> HttpResponse:
        _check_roles(caller, None, writes=False)
        wanted = _FILTER.fullmatch(request.parameters().get("$filter", ""))
        if wanted is None:
            raise GraphError(400, "Request_UnsupportedQuery", "Unsupported or missing $filter.")
        found = self._find(caller, kind, (wanted[1], ""))
        documents = [_document(found, found.keys, with_keys=False)] if found else []
        value = [_only(document, _selected(request)) for document in documents]
        context = _context(request, kind).removesuffix("/$entity")
        return answer(200, {"@odata.context": context, "value": value})

    def _patch(self, holder: Holder, request: HttpRequest) -> HttpResponse:
        body = _body(request)
        self._check_locks(holder)
        if self._faults.take("concurrency_violation"):
            text = (
                "Error due to concurrent requests being made to the tenant. "
                "Please wait briefly and retry."
            )
            raise GraphError(409, "Directory_ConcurrencyViolation", text)
        before = holder.keys
        holder.keys = replaced(before, body.get("keyCredentials"), self._rules())
        holder.stale, holder.stale_reads = before, self._faults["read_lag"]
        return HttpResponse(204)

    def _check_locks(self, holder: Holder) -> None:
        """Locks by which a tenant or Microsoft keeps credentials out. Raises GraphError."""
        if holder.app_id == EXCHANGE_ONLINE and self._faults["first_party_locked"]:
            raise denied()  # inferred: no text is documented for this principal
        if self._faults["instance_property_lock"]:
            text = "Property keyCredentials on the service principal is locked."
            raise GraphError(400, "CannotUpdateLockedServicePrincipalProperty", text)
        if code := self._faults["app_policy"]:
            text = "Credential is not allowed as per the app management policy of the tenant."
            raise GraphError(400, code, text)

    def _rules(self) -> Rules:
        switches = [field.name for field in fields(Rules) if field.name != "now"]
        return Rules(self._now(), **{name: self._faults[name] for name in switches})


def denied() -> GraphError:
    """403 as recorded."""
    text = "Insufficient privileges to complete the operation."
    return GraphError(403, "Authorization_RequestDenied", text)


def _check_roles(caller: Caller, holder: Holder | None, *, writes: bool) -> None:
    """Raises GraphError (403)."""
    enough = WRITE_ALL if writes else READ_ALL | WRITE_ALL
    owned = OWNED in caller.roles and holder is not None and caller.app_id in holder.owners
    if not (caller.roles & enough or owned):
        raise denied()


def _organization(caller: Caller, request: HttpRequest) -> HttpResponse:
    if not caller.roles & ORGANIZATION:
        raise denied()
    tenant = caller.tenant
    domains = [
        {
            "name": name,
            "isDefault": number == 0,
            "capabilities": "Email, OfficeCommunicationsOnline",
        }
        for number, name in enumerate(tenant.domains)
    ]
    document = {
        "id": tenant.tenant_id,
        "displayName": tenant.display_name,
        "verifiedDomains": domains,
    }
    context = f"https://{_graph_host(request)}/v1.0/$metadata#organization"
    value = [_only(document, _selected(request))]
    return answer(200, {"@odata.context": context, "value": value})


def _document(holder: Holder, keys: Iterable[KeyCredential], *, with_keys: bool) -> dict[str, Any]:
    return {
        "id": holder.object_id,
        "appId": holder.app_id,
        "displayName": holder.display_name,
        "keyCredentials": [key.document(with_key=with_keys) for key in keys],
    }


def _selected(request: HttpRequest) -> set[str]:
    text = request.parameters().get("$select", "")
    return {name.strip() for name in text.split(",") if name.strip()}


def _only(document: dict[str, Any], selected: set[str]) -> dict[str, Any]:
    if not selected:
        return document
    if unknown := sorted(selected - set(document)):
        text = f"Could not find a property named '{unknown[0]}'."
        raise GraphError(400, "BadRequest", text)
    return {name: value for name, value in document.items() if name in selected}


def _body(request: HttpRequest) -> dict[str, Any]:
    """What is to be changed; annotations like ``@odata.type`` change nothing."""
    body = {name: value for name, value in _json(request).items() if not name.startswith("@odata.")}
    if set(body) != {"keyCredentials"}:
        text = "The lab changes nothing but keyCredentials."
        raise GraphError(400, "Request_BadRequest", text)
    return body


def _json(request: HttpRequest) -> dict[str, Any]:
    try:
        body = json.loads(request.body)
    except ValueError as error:
        text = "Unable to read JSON request payload."
        raise GraphError(400, "BadRequest", text) from error
    if not isinstance(body, dict):
        raise GraphError(400, "BadRequest", "Unable to read JSON request payload.")
    return body


def _context(request: HttpRequest, kind: Kind) -> str:
    names = request.parameters().get("$select", "")
    columns = f"({names})" if names else ""
    return f"https://{_graph_host(request)}/v1.0/$metadata#{kind}{columns}/$entity"


def _graph_host(request: HttpRequest) -> str:
    cloud = clouds_of(request.name)[0]
    return request.host if cloud is GLOBAL else cloud.graph


def _rival_key(now: datetime) -> KeyCredential:
    """The key of somebody else who writes to the same principal."""
    return KeyCredential.of(self_signed("rival", start=now.replace(microsecond=0)), "rival")


def _not_found_path(path: str) -> GraphError:
    text = f"Resource not found for the segment '{path.rsplit('/', 1)[-1]}'."
    return GraphError(400, "BadRequest", text)
