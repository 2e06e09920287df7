"""Which resources rest on which Secret; what a changed Secret wakes.

Only where the installer lets the operator watch Secrets. Of a Secret, its version alone is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from exchange_push_operator.core.cluster import Resource
from exchange_push_operator.handlers.workqueue import Key


class SecretUsers:
    """Resources by the Secrets that their spec names."""

    def __init__(self) -> None:
        """Start empty."""
        self._secrets: dict[Key, frozenset[Key]] = {}
        self._users: dict[Key, set[Key]] = {}
        self._versions: dict[Key, str] = {}

    def put(self, key: Key, resource: Resource) -> None:
        """Take in what a resource names now."""
        new = frozenset((key[0], name) for name in _named(resource.get("spec") or {}))
        old = self._secrets.get(key, frozenset())
        if new == old:
            return
        self._secrets[key] = new
        for secret in old - new:
            self._leave(secret, key)
        for secret in new - old:
            self._users.setdefault(secret, set()).add(key)

    def remove(self, key: Key) -> None:
        """The resource is gone."""
        for secret in self._secrets.pop(key, frozenset()):
            self._leave(secret, key)

    def changed(self, change: str | None, secret: Key, version: str) -> frozenset[Key]:
        """The resources to look at, after an event of the watch; ``change`` is None for a list.

        What the first list shows is no news: a resource is looked at anyway when it is seen first.
        A later list, after a gap of the watch, is.
        """
        users = self._users.get(secret)
        if not users:
            return frozenset()
        known = self._versions.get(secret)
        self._versions[secret] = version
        is_old = known == version if change else known in (None, version)
        return frozenset() if is_old else frozenset(users)

    def _leave(self, secret: Key, key: Key) -> None:
        users = self._users[secret]
        users.discard(key)
        if not users:
            del self._users[secret]
            self._versions.pop(secret, None)


def _named(value: Any) -> Iterator[str]:
    """Names below secretRef, credentialsSecretRef and their like, wherever they stand."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        if str(key).lower().endswith("secretref") and isinstance(item, dict):
            yield item["name"]
        elif isinstance(item, dict | list):
            yield from _named(item)
