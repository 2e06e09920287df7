"""The port Objects: ExchangePushConfigs of the API server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from exchange_push_operator.adapters.kubernetes_api import Invalid, KubernetesApi
from exchange_push_operator.core.cluster import Conflict, Resource
from exchange_push_operator.core.config import FINALIZER, GROUP, PLURAL, VERSION
from exchange_push_operator.core.errors import Refused, SpecError
from exchange_push_operator.core.ports import Fence, no_fence

_ROOT = f"/apis/{GROUP}/{VERSION}"


class KubernetesObjects:
    """Fills the port ``Objects``."""

    def __init__(self, api: KubernetesApi, fence: Fence = no_fence) -> None:
        """Talk through ``api``. Safe in threads."""
        self._api, self._fence = api, fence

    def check(self, namespaces: Sequence[str]) -> None:
        """See whether our resource exists and may be listed: better at the start than never.

        Raises:
            SpecError: the CRD is not installed.
            PushError: as every call.
        """
        places = [f"/namespaces/{name}" for name in namespaces] or [""]
        for place in places:
            if self._list_one(place) is None:
                message = (
                    f"the cluster does not know {PLURAL}.{GROUP}/{VERSION}; "
                    "install the CRD first (kubectl apply -f crds/, or the chart)"
                )
                raise SpecError(message)

    def get(self, namespace: str, name: str) -> Resource | None:
        """Read the object as it is now; None where it is gone."""
        found: Resource | None = self._api.call("GET", _path(namespace, name))
        return found

    def write_status(self, resource: Resource, status: Mapping[str, Any]) -> Resource | None:
        """Replace the whole status (PUT: a patch could not drop keys); None where it is gone.

        Raises: Conflict.
        """
        metadata = resource["metadata"]
        # The API server takes nothing but the status from what is put there.
        identity = ("name", "namespace", "uid", "resourceVersion")
        body = {
            "apiVersion": resource["apiVersion"],
            "kind": resource["kind"],
            "metadata": {field: metadata[field] for field in identity},
            "status": status,
        }
        path = _path(metadata["namespace"], metadata["name"])
        self._fence()
        written: Resource | None = self._api.call("PUT", f"{path}/status", body)
        return written

    def set_finalizer(self, resource: Resource, *, present: bool) -> Resource | None:
        """Put our finalizer on, or take it off; None where the object went with it.

        Raises: Conflict.
        """
        metadata = resource["metadata"]
        current: list[str] = list(metadata.get("finalizers") or [])
        if (FINALIZER in current) is present:
            return resource
        wanted = [*current, FINALIZER] if present else [it for it in current if it != FINALIZER]
        changed = self._patch(metadata, wanted)
        if changed is None or _has_gone(changed):
            return None
        return changed

    def _list_one(self, place: str) -> Any:
        try:
            return self._api.call("GET", f"{_ROOT}{place}/{PLURAL}?limit=1")
        except Refused as error:
            cure = "grant it, as the chart does, or name the namespaces to watch with --namespace"
            raise Refused(error.reason, f"{error}; {cure}") from error

    def _patch(self, metadata: Mapping[str, Any], finalizers: list[str]) -> Resource | None:
        patch = [
            {
                "op": "test",
                "path": "/metadata/resourceVersion",
                "value": metadata["resourceVersion"],
            },
            {"op": "add", "path": "/metadata/finalizers", "value": finalizers},
        ]
        path = _path(metadata["namespace"], metadata["name"])
        self._fence()
        try:
            patched: Resource | None = self._api.call(
                "PATCH", path, patch, "application/json-patch+json"
            )
        except Invalid as error:  # a test that fails is answered with HTTP 422
            raise Conflict(str(error)) from error
        return patched


def _has_gone(resource: Resource) -> bool:
    metadata = resource["metadata"]
    return "deletionTimestamp" in metadata and not metadata.get("finalizers")


def _path(namespace: str, name: str) -> str:
    return f"{_ROOT}/namespaces/{namespace}/{PLURAL}/{name}"
