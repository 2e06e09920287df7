"""What an installer puts into a cluster: CRD, the chart's RBAC, namespaces, Secrets, the policy."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from lab import chart
from lab.cluster import Cluster
from lab.resources import CRD, ROOT

Manifest: TypeAlias = dict[str, Any]

CRD_NAME = "exchangepushconfigs.exchangepush.dev"
_OPERATOR = ROOT / "deploy" / "operator.yaml"
_POLICY = ROOT / "examples" / "policy.yaml"
_RBAC = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
_RELEASE = chart.NAME


@dataclass(frozen=True, slots=True)
class Names:
    """Where things go. Other names than the defaults leave what is there alone."""

    namespace: str = "exchange"
    operator_namespace: str = "exchange-push-operator"
    role: str = "exchange-push-operator"


class Installation:
    """Puts it in, and takes out what it has made.

    ``values`` are those of the chart; without them its defaults, as they are rendered already.
    """

    def __init__(
        self, cluster: Cluster, names: Names, values: Mapping[str, Any] | None = None
    ) -> None:
        self.cluster, self.names, self._values = cluster, names, values
        self._made: list[tuple[str, str, str | None]] = []

    def install(self) -> None:
        """Everything but the operator's Deployment: the operator runs beside the cluster."""
        self._install_crd()
        for namespace in dict.fromkeys((self.names.operator_namespace, self.names.namespace)):
            self._made.append(("namespace", namespace, None))
            self.cluster.create_namespace(namespace)
        rbac = self.rbac()
        for one in rbac:
            metadata = one["metadata"]
            self._made.append((one["kind"], metadata["name"], metadata.get("namespace")))
        if rbac:
            self.apply(*rbac)

    def remove(self) -> None:
        """Take out what `install` has made, last made first; namespaces go in the background."""
        delete = ("delete", "--ignore-not-found", "--wait=false")
        namespace = self.names.namespace
        self.cluster.run_kubectl(*delete, "epc,secrets", "--all", namespace=namespace, check=False)
        for kind, name, where in reversed(self._made):
            self.cluster.run_kubectl(*delete, kind, name, namespace=where, check=False)
        self._made.clear()

    def apply(self, *manifests: Manifest) -> None:
        """`kubectl apply --server-side` as the administrator."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)})
        self.cluster.run_kubectl(
            "apply", "--server-side", "--force-conflicts", "-f", "-", input=text
        )

    def secret(self, name: str, data: dict[str, str], type_: str = "Opaque") -> Manifest:
        """A Secret in the resources' namespace."""
        metadata = {"name": name, "namespace": self.names.namespace}
        head = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": type_}
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        return {**head, "data": encoded}

    def operator_kubeconfig(self) -> Path:
        """What the operator signs in with: its ServiceAccount, under the chart's RBAC."""
        return self.cluster.service_account_kubeconfig(
            self.names.operator_namespace, "exchange-push-operator"
        )

    def policy(self) -> Manifest:
        """The policy of the examples, for our namespace."""
        document: Manifest = yaml.safe_load(_POLICY.read_text("utf-8"))
        allowed = document["namespaces"]["exchange"]
        return {"namespaces": {self.names.namespace: allowed}}

    def _install_crd(self) -> None:
        found = self.cluster.run_kubectl("get", "crd", CRD_NAME, "--ignore-not-found", "-o", "name")
        if found.stdout.strip():
            return  # somebody else's: not ours to change
        self._made.append(("crd", CRD_NAME, None))
        self.cluster.run_kubectl("apply", "--server-side", "-f", str(CRD))
        self.cluster.wait_until_established(CRD_NAME)

    def rbac(self) -> list[Manifest]:
        """Service account, roles and bindings of the chart, with our names."""
        found = [copy.deepcopy(one) for one in self._rendered() if one["kind"] in _RBAC]
        for manifest in found:
            metadata = manifest["metadata"]
            if metadata.get("namespace") == _RELEASE:
                metadata["namespace"] = self.names.operator_namespace
            if manifest["kind"] != "ServiceAccount":
                metadata["name"] = self._role(metadata["name"])
            if "roleRef" in manifest:
                manifest["roleRef"]["name"] = self._role(manifest["roleRef"]["name"])
                manifest["subjects"][0]["namespace"] = self.names.operator_namespace
        return found

    def _rendered(self) -> list[Manifest]:
        if self._values is not None:
            return chart.render(self._values)
        return [one for one in yaml.safe_load_all(_OPERATOR.read_text("utf-8")) if one]

    def _role(self, name: str) -> str:
        return self.names.role + name.removeprefix(_RELEASE)
