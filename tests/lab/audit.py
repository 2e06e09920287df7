"""What a service account asked of the API server, by its audit log, and what its roles grant."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

Manifest: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class Request:
    """One request for a resource; ``name`` is empty where it named none."""

    verb: str
    resource: str  # group/resource or group/resource/subresource
    namespace: str
    name: str
    allowed: bool


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One verb on one resource; an empty namespace means all, an empty name any."""

    verb: str
    resource: str
    namespace: str
    name: str

    def covers(self, request: Request) -> bool:
        """Whether the request needed this."""
        same = (self.verb, self.resource) == (request.verb, request.resource)
        there = self.namespace in ("", request.namespace)
        return same and there and self.name in ("", request.name)


def requests(audit_log: Path, account: str) -> list[Request]:
    """What ``namespace:name`` asked for, each once; requests for no resource are left out."""
    user = f"system:serviceaccount:{account}"
    lines = audit_log.read_text("utf-8").splitlines()
    events = (json.loads(line) for line in lines if line.endswith("}"))
    return sorted(
        {
            _request(event)
            for event in events
            if event["user"].get("username") == user and "objectRef" in event
        }
    )


def _request(event: dict[str, Any]) -> Request:
    about = event["objectRef"]
    decision = event.get("annotations", {}).get("authorization.k8s.io/decision")
    parts = (about.get("apiGroup", ""), about["resource"], about.get("subresource"))
    return Request(
        verb=event["verb"],
        resource="/".join(part for part in parts if part is not None),
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
        allowed=decision == "allow",
    )


def grants(manifests: Iterable[Manifest], account: str) -> list[Grant]:
    """What the roles among these objects grant to the service account ``account``."""
    objects = list(manifests)
    return sorted(
        grant
        for binding in objects
        if binding["kind"] in ("RoleBinding", "ClusterRoleBinding")
        and account in (subject["name"] for subject in binding["subjects"])
        for role in objects
        if _is_meant(binding, role)
        for grant in _of_role(role)
    )


def _is_meant(binding: Manifest, role: Manifest) -> bool:
    reference, metadata = binding["roleRef"], role["metadata"]
    same_place = metadata.get("namespace") == binding["metadata"].get("namespace")
    named = (reference["kind"], reference["name"]) == (role["kind"], metadata["name"])
    return named and same_place


def _of_role(role: Manifest) -> Iterator[Grant]:
    namespace = role["metadata"].get("namespace", "")
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    for name in rule.get("resourceNames", [""]):
                        yield Grant(verb, f"{group}/{resource}", namespace, name)
