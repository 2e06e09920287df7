"""The doors to the outside. Adapters fill them; tests fill them with the in-process lab."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from exchange_push_operator.core.commands import Cmdlet, GraphRequest, Row
from exchange_push_operator.core.errors import CmdletFailed

Fence: TypeAlias = Callable[[], float]
"""Asked right before a write: the seconds within which it must have left us. Raises: Unreachable
where this replica may not write (any more)."""


def no_fence() -> float:
    """The fence of an operator that is alone: it may always write."""
    return math.inf


@dataclass(frozen=True, slots=True, repr=False)
class Sensitive:
    """A text that must not be shown; ``reveal`` is called where it is sent, nowhere else."""

    reveal: Callable[[], str]

    @classmethod
    def of(cls, text: str) -> Sensitive:
        """Wrap a text."""
        return cls(lambda: text)

    def __repr__(self) -> str:
        """Never the text."""
        return "***"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class ExchangeAccess:
    """How to sign in to the servers of one resource.

    Exactly one of ``password`` and ``keytab`` is set; the keytab's bytes are in base64.
    ``version`` names the state of the Secrets it was made of, so that a session made with an
    older password is never used again. ``read_only``: the host refuses every change, and so does
    the adapter before it.
    """

    transport: str
    scheme: str
    port: int
    username: str
    password: Sensitive | None
    ca_pem: str | None
    version: str
    keytab: Sensitive | None = None
    host_installed: bool = False  # whether the host script is a signed file on the servers
    read_only: bool = False

    @property
    def proof(self) -> Sensitive:
        """What proves the account: the password, else the keytab."""
        return self.password or self.keytab or Sensitive.of("")


@dataclass(frozen=True, slots=True)
class GraphAccess:
    """How to sign in to one tenant.

    Exactly one of ``client_secret``, ``certificate`` and ``federated_token`` is set; the last asks
    the cluster for a new token each time it is revealed, and raises what ``ServiceAccounts`` does.

    ``authority`` is ``https://host`` without the tenant, ``graph`` is ``https://host``.
    ``certificate`` is PEM: the certificate (chain optional) first in ``certificate``, its key in
    ``private_key``. ``version`` is ``<where the credential is>@<its state>``.
    """

    authority: str
    graph: str
    tenant_id: str
    client_id: str
    client_secret: Sensitive | None
    certificate: str | None
    private_key: Sensitive | None
    version: str
    federated_token: Sensitive | None = None
    certificate_ends: datetime | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said to one cmdlet: rows, or the error it ended with."""

    rows: tuple[Row, ...] = ()
    error: CmdletFailed | None = None


class Exchange(Protocol):
    """The servers of one resource, signed in with its credentials."""

    def run(
        self, server: str, batch: Sequence[Cmdlet], *, changes: bool = False
    ) -> tuple[Answer, ...]:
        """Run cmdlets on a server, in one request, and give one answer each.

        With ``changes`` the batch stops at the first error (fewer answers than cmdlets).

        Raises:
            SpecError: the transport cannot be used here.
            Refused: the server turned the credentials down (AccessDenied, SecondHopFailed), or
                its certificate is not trusted (AccessDenied).
            Unreachable: no answer; nothing was changed.
            OutcomeUnknown: ``changes`` was set and the answer is lost.
        """
        ...


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the operator is in a tenant, from its access token."""

    tenant_id: str
    roles: frozenset[str]


class Graph(Protocol):
    """Microsoft Graph of one tenant, signed in with a resource's credentials."""

    def identity(self, *, since: datetime | None = None) -> Identity:
        """Sign in, or use the cached token; with ``since`` only one that is not older.

        A token tells the permissions of the moment it was issued in.

        Raises: Refused, Unreachable, Throttled.
        """
        ...

    def send(self, request: GraphRequest) -> Mapping[str, Any]:
        """Send one call; the JSON body, ``{}`` for an empty one.

        Raises:
            GraphFailed: a 4xx with a meaning (400, 403, 404, 409).
            Refused: the token was turned down twice (AccessDenied).
            Throttled: 429, or 503 with Retry-After.
            Unreachable: 5xx or no answer; for a PATCH, OutcomeUnknown instead.
        """
        ...


class Metadata(Protocol):
    """Public documents: OpenID configuration and ACS metadata."""

    def fetch(self, url: str) -> Mapping[str, Any] | None:
        """Get a JSON document without credentials; None where the service says there is none.

        None stands for an HTTP 400 or 404: the tenant is unknown. Raises: Unreachable, Throttled.
        """
        ...


class Secrets(Protocol):
    """Secrets by name."""

    def read(self, namespace: str, name: str) -> tuple[Mapping[str, bytes], str]:
        """The data of a Secret and its resourceVersion.

        Raises: Refused (SecretNotFound, AccessDenied), Unreachable.
        """
        ...


class ServiceAccounts(Protocol):
    """Tokens of the cluster's service accounts, for others than the API server."""

    def token(self, namespace: str, name: str, audience: str) -> str:
        """A new token of an account, for one audience and ten minutes.

        Raises: Refused (ServiceAccountNotFound, AccessDenied), Unreachable, Throttled.
        """
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """One request that has left the cluster, and its end.

    ``endpoint`` and ``operation`` are words of ``core.endpoints``. ``code`` is the HTTP status,
    ``ok``, or the name of the error where there was no answer. ``seconds`` is how long it took.
    """

    endpoint: str
    operation: str
    code: str
    seconds: float


Observer: TypeAlias = Callable[[Request], None]
"""Hears of every request. Called in any thread; returns at once and never raises."""


def unobserved(_request: Request) -> None:
    """Nobody keeps count."""
