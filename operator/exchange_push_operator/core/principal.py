"""The principal in Entra ID: where its keys are, and the write that keeps every one of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from exchange_push_operator.core.commands import GraphRequest
from exchange_push_operator.core.config import PushConfig, Target
from exchange_push_operator.core.errors import GraphFailed, Refused
from exchange_push_operator.core.key_credentials import KeyCredential, read_credentials
from exchange_push_operator.core.looks import Observations
from exchange_push_operator.core.plan import Finding, Guard, fails
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


def request(config: PushConfig) -> GraphRequest:
    """Read one object: only then, and only with $select, Graph gives out ``key``."""
    select = "$select=id,appId,displayName,keyCredentials"
    return GraphRequest("GET", f"{_collection(config)}(appId='{config.app_id}')?{select}")


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
                "Application.ReadWrite.All where the operator is to write, with admin consent",
            ) from error
        raise
    with reading("Microsoft Graph, principal"):
        path = f"{_collection(config)}/{body['id']}"
    return Principal(path, exists=True, entries=read_credentials(body))


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


def guard(config: PushConfig, principal: Principal, may_go: Sequence[KeyCredential]) -> Guard:
    """What the write rests on, and what it may drop."""
    return Guard(
        look=request(config),
        entries=frozenset(entry.canonical for entry in principal.entries),
        may_go=frozenset(entry.key_id for entry in may_go),
    )
