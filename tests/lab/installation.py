"""What an installer puts into a cluster: CRD, the chart's RBAC, namespaces, Secrets, the policy."""

from __future__ import annotations

import base64
import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from lab.cluster import Cluster
from lab.resources import CRD, ROOT

Manifest: TypeAlias = dict[str, Any]

CRD_NAME = "exchangepushconfigs.exchangepush.dev"
_OPERATOR = ROOT / "deploy" / "operator.yaml"
_POLICY = ROOT / "examples" / "policy.yaml"
_RBAC = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
_IN_THE_OPERATORS_NAMESPACE = ("ServiceAccount", "Role", "RoleBinding")


@dataclass(frozen=True, slots=True)
class Names:
    """Where things go. Other names than the defaults leave what is there alone."""

    namespace: str = "exchange"
    operator_namespace: str = "exchange-push-operator"
    role: str = "exchange-push-operator"


class Installation:
    """Puts it in, and takes out what it has made."""

    def __init__(self, cluster: Cluster, names: Names) -> None:
        self.cluster, self.names = cluster, names
        self._made: list[tuple[str, str]] = []

    def install(self) -> None:
        """Everything but the operator's Deployment: the operator runs beside the cluster."""
        self._install_crd()
        for namespace in dict.fromkeys((self.names.operator_namespace, self.names.namespace)):
            self._made.append(("namespace", namespace))
            self.cluster.create_namespace(namespace)
        rbac = self._rbac()
        self._made += [(one["kind"], one["metadata"]["name"]) for one in rbac]
        self.apply(*rbac)

    def remove(self) -> None:
        """Take out what `install` has made, last made first; namespaces go in the background."""
        delete = ("delete", "--ignore-not-found", "--wait=false")
        namespace = self.names.namespace
        self.cluster.run_kubectl(*delete, "epc,secrets", "--all", namespace=namespace, check=False)
        for kind, name in reversed(self._made):
            inside = kind in _IN_THE_OPERATORS_NAMESPACE
            where = self.names.operator_namespace if inside else None
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
        self._made.append(("crd", CRD_NAME))
        self.cluster.run_kubectl("apply", "--server-side", "-f", str(CRD))
        self.cluster.wait_until_established(CRD_NAME)

    def _rbac(self) -> list[Manifest]:
        documents = yaml.safe_load_all(_OPERATOR.read_text("utf-8"))
        found = [copy.deepcopy(one) for one in documents if one and one["kind"] in _RBAC]
        for manifest in found:
            if manifest["kind"] in _IN_THE_OPERATORS_NAMESPACE:
                manifest["metadata"]["namespace"] = self.names.operator_namespace
            else:
                manifest["metadata"]["name"] = self.names.role
            if manifest["kind"] == "ClusterRoleBinding":
                manifest["roleRef"]["name"] = self.names.role
            for subject in manifest.get("subjects", ()):
                subject["namespace"] = self.names.operator_namespace
        return found
