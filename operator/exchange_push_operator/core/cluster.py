"""The doors to our own resources in the cluster: read, write status, tell what happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from exchange_push_operator.core.errors import PushError
from exchange_push_operator.core.events import Event

Resource: TypeAlias = Mapping[str, Any]


class Conflict(PushError):
    """The object has moved on since it was read: read it again, decide again."""


class Objects(Protocol):
    """ExchangePushConfigs of the API server.

    Every method raises Unreachable (no answer, or a 5xx), Throttled (429) and Refused
    (AccessDenied: RBAC) besides what it names itself.
    """

    def get(self, namespace: str, name: str) -> Resource | None:
        """Read the object as it is now; None where it is gone."""
        ...

    def write_status(self, resource: Resource, status: Mapping[str, Any]) -> Resource | None:
        """Replace the whole status; the object as it is afterwards, None where it is gone.

        Raises:
            Conflict: the object has changed since ``resource`` was read.
        """
        ...

    def set_finalizer(self, resource: Resource, *, present: bool) -> Resource | None:
        """Put our finalizer on the object, or take it off; others' stay.

        Raises:
            Conflict: the object has changed since ``resource`` was read.
        """
        ...


class Recorder(Protocol):
    """Kubernetes events."""

    def record(self, resource: Resource, events: Sequence[Event]) -> None:
        """Tell what happened to a resource. Returns at once and never raises."""
        ...
