"""The port ``Leases``: one Lease (coordination.k8s.io/v1) of the API server."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from exchange_push_operator.adapters.kubernetes_api import Invalid, KubernetesApi
from exchange_push_operator.core.cluster import Conflict
from exchange_push_operator.core.errors import Refused, SpecError
from exchange_push_operator.core.lease import Lease

# Seconds to connect, and to wait: both calls of an attempt end before the renew deadline.
TIMEOUTS = (2.0, 2.5)

_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_MICRO_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


def lease_namespace(given: str | None) -> str:
    """The namespace of the Lease: the one that is named, else the Pod's own.

    Raises: SpecError outside of a Pod.
    """
    if given is not None:
        return given
    try:
        return _NAMESPACE.read_text("utf-8").strip()
    except OSError as error:
        message = (
            "not in a Pod: say with --lease-namespace where the Lease of the leader is, or with "
            "--no-leader-elect that no other operator looks after these resources"
        )
        raise SpecError(message) from error


class KubernetesLease:
    """Fills the port ``Leases``. Fields of the Lease that are not ours stay as they are."""

    def __init__(self, api: KubernetesApi, namespace: str, name: str) -> None:
        """Talk through ``api``, which ought to have ``TIMEOUTS``."""
        self._api = api
        self._folder = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._namespace, self._name = namespace, name

    def read(self) -> tuple[Lease, Mapping[str, Any]] | None:
        """As the port says. Raises besides: Refused with what to grant."""
        try:
            found = self._api.call("GET", f"{self._folder}/{self._name}")
        except Refused as error:
            cure = "grant get, create and update of leases there, as the chart does"
            raise Refused(error.reason, f"{error}; {cure}") from error
        if found is None:
            return None
        return _lease(found.get("spec") or {}), found

    def write(self, lease: Lease, found: Mapping[str, Any] | None) -> bool:
        """As the port says; the object's resourceVersion tells whether somebody was faster.

        Raises besides: SpecError where there is no such namespace.
        """
        try:
            written = self._put(lease, found) if found else self._create(lease)
        except Conflict:
            return False
        except Invalid as error:
            message = f"the Lease {self._namespace}/{self._name} cannot be written: {error}"
            raise SpecError(message) from error
        if written is None and found is None:
            message = f"--lease-namespace {self._namespace}: there is no such namespace"
            raise SpecError(message)
        return written is not None

    def _put(self, lease: Lease, found: Mapping[str, Any]) -> Any:
        spec = {**(found.get("spec") or {}), **_spec(lease)}
        return self._api.call("PUT", f"{self._folder}/{self._name}", {**found, "spec": spec})

    def _create(self, lease: Lease) -> Any:
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": _spec(lease),
        }
        return self._api.call("POST", self._folder, body)


def _spec(lease: Lease) -> dict[str, Any]:
    return {
        "holderIdentity": lease.holder,
        "leaseDurationSeconds": lease.duration,
        "acquireTime": _text(lease.acquired),
        "renewTime": _text(lease.renewed),
        "leaseTransitions": lease.transitions,
    }


def _lease(spec: Mapping[str, Any]) -> Lease:
    return Lease(
        holder=spec.get("holderIdentity") or "",
        duration=spec.get("leaseDurationSeconds") or 0,
        acquired=_date(spec.get("acquireTime")),
        renewed=_date(spec.get("renewTime")),
        transitions=spec.get("leaseTransitions") or 0,
    )


def _text(date: datetime | None) -> str | None:
    return date.astimezone(UTC).strftime(_MICRO_TIME) if date else None


def _date(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
