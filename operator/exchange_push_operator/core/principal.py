"""The principal in Entra ID: where its keys are, and the write that keeps every one of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from exchange_push_operator.core.certificate_store import stored_certificates
from exchange_push_operator.core.commands import GraphRequest
from exchange_push_operator.core.config import EXCHANGE_ONLINE, PushConfig, Target
from exchange_push_operator.core.errors import GraphFailed, Refused
from exchange_push_operator.core.key_credentials import KeyCredential, read_credentials, recognised
from exchange_push_operator.core.looks import Observations
from exchange_push_operator.core.organization import organization_id
from exchange_push_operator.core.plan import Finding, fails
from exchange_push_operator.core.reading import reading
from exchange_push_operator.core.reasons import Reason

_NOT_FOUND = 404
_FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class Principal:
    """The object that holds the keys. ``exists`` is False where the tenant has none."""

    path: str
    exists: bool
    entries: tuple[KeyCredential, ...]


def _collection(config: PushConfig) -> str:
    """Where the key lives: a dedicated application's keys are on the application object."""
    return "applications" if config.target is Target.DEDICATED else "servicePrincipals"


def _one(collection: str, app_id: str) -> GraphRequest:
    """Read one object: only then, and only with $select, Graph gives out ``key``."""
    select = "$select=id,appId,displayName,keyCredentials"
    return GraphRequest("GET", f"{collection}(appId='{app_id}')?{select}")


def request(config: PushConfig) -> GraphRequest:
    """The look at the principal that the resource targets."""
    return _one(_collection(config), config.app_id)


SHARED = _one("servicePrincipals", EXCHANGE_ONLINE)
"""The look at the first-party principal, which other organisations' keys may be on too."""


def requests(config: PushConfig) -> tuple[GraphRequest, ...]:
    """The target; beside a dedicated application the principal that it is to replace as well."""
    beside = (SHARED,) if config.target is Target.DEDICATED else ()
    return (request(config), *beside)


def read_shared(config: PushConfig, observed: Observations) -> tuple[KeyCredential, ...] | None:
    """The keys of the first-party principal beside a dedicated application.

    None where our identity may not read it, which ``Application.ReadWrite.OwnedBy`` alone does
    not allow.

    Raises: Refused, GraphFailed, Unreachable, Throttled.
    """
    if config.target is not Target.DEDICATED:
        return ()
    try:
        return read_credentials(observed.graph(SHARED))
    except GraphFailed as error:
        if error.status == _FORBIDDEN:
            return None
        if error.status == _NOT_FOUND:
            return ()
        raise


def read(config: PushConfig, observed: Observations) -> Principal:
    """Read the answer. Raises: Refused, GraphFailed, Unreachable, Throttled."""
    try:
        body = observed.graph(request(config))
    except GraphFailed as error:
        if error.status == _NOT_FOUND:
            return Principal("", exists=False, entries=())
        if error.status == _FORBIDDEN:
            raise Refused(
                Reason.ACCESS_DENIED,
                f"Microsoft Graph does not let {config.tenant.credentials_id} read the principal; "
                "grant it the application permission Application.Read.All, and "
                f"{_to_write(config)}, with admin consent",
            ) from error
        raise
    with reading("Microsoft Graph, principal"):
        path = f"{_collection(config)}/{body['id']}"
    return Principal(path, exists=True, entries=_known(observed, read_credentials(body)))


def _known(observed: Observations, entries: tuple[KeyCredential, ...]) -> tuple[KeyCredential, ...]:
    """Where Graph gives out neither ``key`` nor digest, our own keys are known by their ids."""
    if all(entry.digest for entry in entries):
        return entries
    stores = (stored_certificates(observed, name).values() for name in observed.answered)
    certificates = {stored.certificate for store in stores for stored in store}
    return recognised(entries, organization_id(observed), certificates)


def _to_write(config: PushConfig) -> str:
    if config.target is Target.DEDICATED:
        return "Application.ReadWrite.OwnedBy as an owner of it where the operator is to write"
    return "Application.ReadWrite.All where the operator is to write"


def missing(config: PushConfig) -> Finding:
    """A tenant without the principal."""
    if config.target is Target.DEDICATED:
        cure = "correct spec.principal.appId, or create the application in this tenant"
    else:
        cure = "the tenant has no Exchange Online; enroll the organization in Microsoft 365"
    return fails(
        Reason.PRINCIPAL_NOT_FOUND,
        f"tenant {config.tenant.domain} has no principal {config.app_id}: {cure}",
    )


def patch(principal: Principal, entries: Iterable[Any]) -> GraphRequest:
    """The write of a whole list: what is not in it is gone."""
    return GraphRequest("PATCH", principal.path, {"keyCredentials": list(entries)})
