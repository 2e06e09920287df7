"""What a person does in a cluster: read a resource and its events, annotate it. No status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from kubernetes.client import ApiClient
from kubernetes.config import ConfigException, list_kube_config_contexts

from exchange_push_operator.adapters.kubernetes_api import KubernetesApi, sign_in_as_person
from exchange_push_operator.core.cluster import Resource
from exchange_push_operator.core.config import GROUP, PLURAL, VERSION
from exchange_push_operator.core.errors import SpecError

_CONNECTIONS = 4
_MERGE_PATCH = "application/merge-patch+json"


class Person:
    """Somebody with a kubeconfig, as kubectl finds it."""

    def __init__(self, kubeconfig: Path | None, context: str | None, namespace: str | None) -> None:
        """Sign in; the namespace is the one given, else the context's, else ``default``.

        Raises: SpecError.
        """
        self.client: ApiClient = sign_in_as_person(kubeconfig, context, _CONNECTIONS)
        self._api = KubernetesApi(self.client)
        self.namespace = namespace or _namespace(kubeconfig, context) or "default"

    def get(self, name: str) -> Resource:
        """The resource.

        Raises: SpecError: there is none. PushError: as every call.
        """
        return self._found(name, self.find(name, self.namespace))

    def find(self, name: str, namespace: str) -> Resource | None:
        """The resource of a namespace; None where there is none. Raises: PushError."""
        found: Resource | None = self._api.call("GET", self._path(name, namespace))
        return found

    def annotate(self, name: str, annotations: Mapping[str, str | None]) -> Resource:
        """Set annotations; None takes one away.

        Raises: SpecError: there is none. PushError: as every call.
        """
        body = {"metadata": {"annotations": dict(annotations)}}
        return self._found(
            name, self._api.call("PATCH", self._path(name, self.namespace), body, _MERGE_PATCH)
        )

    def events(self, resource: Resource) -> Sequence[Mapping[str, Any]]:
        """The events of this object, none of an earlier one of its name.

        By the core API: who may view a namespace may read them there.

        Raises: PushError: as every call.
        """
        query = urlencode({"fieldSelector": f"involvedObject.uid={resource['metadata']['uid']}"})
        path = f"/api/v1/namespaces/{self.namespace}/events?{query}"
        answer = self._api.call("GET", path) or {}
        return list(answer.get("items") or ())

    def listed(self, *, everywhere: bool) -> Sequence[Resource]:
        """All resources of the cluster, or of the namespace.

        Raises: Refused: not for this person. PushError: as every call.
        """
        place = "" if everywhere else f"/namespaces/{self.namespace}"
        answer = self._api.call("GET", f"/apis/{GROUP}/{VERSION}{place}/{PLURAL}") or {}
        return list(answer.get("items") or ())

    def _found(self, name: str, resource: Any) -> Resource:
        if resource is None:
            message = (
                f"there is no ExchangePushConfig {self.namespace}/{name}; "
                f"kubectl get {PLURAL} -A lists what there is"
            )
            raise SpecError(message)
        found: Resource = resource
        return found

    def _path(self, name: str, namespace: str) -> str:
        return f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}/{name}"


def _namespace(kubeconfig: Path | None, context: str | None) -> str | None:
    try:
        contexts, current = list_kube_config_contexts(str(kubeconfig) if kubeconfig else None)  # type: ignore[no-untyped-call]  # no hints
    except ConfigException:  # in a Pod
        return None
    found = next((it for it in contexts if it["name"] == context), current)
    namespace = found["context"].get("namespace")
    return str(namespace) if namespace else None
