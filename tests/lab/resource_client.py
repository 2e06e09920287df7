"""ExchangePushConfigs of one namespace by kubectl, as a user handles them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import yaml

from lab import wait
from lab.cluster import Cluster
from lab.installation import Manifest
from lab.resources import EXAMPLE, merged

KIND = "exchangepushconfigs"
READY_TIMEOUT = 60.0


class ResourceClient:
    """``cluster`` and ``namespace`` come from the heir, and the log for those who wait in vain."""

    cluster: Cluster
    namespace: str

    @property
    def operator_log(self) -> str:
        """What the operator has printed."""
        raise NotImplementedError

    def kubectl(self, *args: str, check: bool = True, stdin: str | None = None) -> str:
        """Run kubectl as administrator in the resources' namespace; what it printed."""
        done = self.cluster.run_kubectl(*args, check=check, input=stdin, namespace=self.namespace)
        return done.stdout if check else done.stdout + done.stderr

    def example(self, name: str = "fabrikam", /, **spec: Any) -> Manifest:
        """examples/pushconfig.yaml with parts of its spec replaced, see ``merged``."""
        manifest: Manifest = yaml.safe_load(EXAMPLE.read_text("utf-8"))
        manifest["metadata"] = {"name": name, "namespace": self.namespace}
        manifest["spec"] = merged(manifest["spec"], spec)
        return manifest

    def apply(self, *manifests: Manifest) -> None:
        """`kubectl apply`; without arguments the example."""
        items = list(manifests) or [self.example()]
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        self.kubectl("apply", "-f", "-", stdin=text)

    def patch(self, spec: Mapping[str, Any], name: str = "fabrikam") -> None:
        """A merge patch of the spec."""
        text = json.dumps({"spec": spec})
        self.kubectl("patch", KIND, name, "--type=merge", "-p", text)

    def resource(self, name: str = "fabrikam") -> Manifest:
        """The object as it is; empty where there is none."""
        text = self.kubectl("get", KIND, name, "-o", "json", "--ignore-not-found")
        found: Manifest = json.loads(text) if text.strip() else {}
        return found

    def status(self, name: str = "fabrikam") -> dict[str, Any]:
        found: dict[str, Any] = self.resource(name).get("status") or {}
        return found

    def events(self, name: str = "fabrikam") -> list[Manifest]:
        """The events about the object as it is now, not about one of the same name before it."""
        uid = self.resource(name)["metadata"]["uid"]
        listed = json.loads(self.kubectl("get", "events.events.k8s.io", "-o", "json"))
        return [one for one in listed["items"] if one["regarding"].get("uid") == uid]

    def condition(self, type_: str, name: str = "fabrikam") -> dict[str, Any]:
        """A condition that speaks of the present generation; empty where there is none."""
        resource = self.resource(name)
        for one in (resource.get("status") or {}).get("conditions") or ():
            if one["type"] == type_ and one["observedGeneration"] == _generation(resource):
                found: dict[str, Any] = one
                return found
        return {}

    def wait_condition(
        self,
        type_: str,
        status: str,
        reason: str | None = None,
        *,
        name: str = "fabrikam",
        timeout: float = READY_TIMEOUT,
    ) -> dict[str, Any]:
        """Wait until a condition has this status (and reason); the condition."""

        def holds() -> dict[str, Any]:
            found = self.condition(type_, name)
            fits = found.get("status") == status and reason in (None, found.get("reason"))
            assert fits, self._story(name)
            return found

        wanted = f"{type_}={status}" + (f"/{reason}" if reason else "")
        return wait.until(holds, timeout, f"{name}: {wanted}", interval=0.1)

    def wait_ready(self, name: str = "fabrikam", timeout: float = READY_TIMEOUT) -> dict[str, Any]:
        return self.wait_condition("Ready", "True", name=name, timeout=timeout)

    def reconcile_now(self, name: str = "fabrikam") -> str:
        """Ask for a look by the annotation; its value."""
        value = f"asked-{len(self.operator_log)}-{os.urandom(4).hex()}"
        annotation = f"exchangepush.dev/reconcile-requested-at={value}"
        self.kubectl("annotate", KIND, name, annotation, "--overwrite")
        return value

    def _story(self, name: str) -> str:
        conditions = self.status(name).get("conditions") or ()
        lines = [f"  {c['type']}={c['status']}/{c['reason']}: {c['message']}" for c in conditions]
        log = "\n  ".join(self.operator_log.splitlines()[-15:])
        return "\n".join(["conditions:", *lines, f"the operator's log ends:\n  {log}"])


def _generation(resource: Manifest) -> Any:
    return resource["metadata"]["generation"]
