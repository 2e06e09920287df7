"""What is remembered of each resource: what the queue and safety rule 7 need, nothing more.

A pass never reads a spec from here; it reads the object anew. So the cache costs a few hundred
bytes a resource, and being late is harmless.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from exchange_push_operator.core.cluster import Resource
from exchange_push_operator.core.config import ABANDON, RECONCILE_REQUESTED_AT, SUSPENDED
from exchange_push_operator.core.conflict import Peer, peer_of
from exchange_push_operator.handlers.workqueue import Key

# Annotations that ask for something; all others are none of our business.
_REQUESTS = (RECONCILE_REQUESTED_AT, SUSPENDED, ABANDON)
_NOBODY: frozenset[Key] = frozenset()
_Signature: TypeAlias = tuple[str | int | bool | None, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """One resource. Two with equal signatures ask for the same.

    ``lane`` is its organisation's GUID; its first server as long as that is not known.
    """

    signature: _Signature
    version: str
    peer: Peer
    lane: str


@dataclass(frozen=True, slots=True)
class Noticed:
    """What a newer sight of an object brought.

    ``asks`` is whether the object asks for a pass; ``organizations`` are those that it joined or
    left, whose other resources may have to stand back or may take over now.
    """

    asks: bool = False
    organizations: frozenset[str] = frozenset()


class Cache:
    """All resources by key."""

    def __init__(self) -> None:
        """Start empty."""
        self._known: dict[Key, Known] = {}
        self._members: dict[str, set[Key]] = {}

    def __iter__(self) -> Iterator[Key]:
        """The keys of all resources."""
        return iter(self._known)

    def __len__(self) -> int:
        """How many resources there are."""
        return len(self._known)

    def __contains__(self, key: Key) -> bool:
        """Whether the resource exists, as far as is known."""
        return key in self._known

    def get(self, key: Key) -> Known | None:
        """What is known of one resource."""
        return self._known.get(key)

    def put(self, key: Key, resource: Resource, *, listed: bool = False) -> Noticed:
        """Take in an object as the API server gave it; an older sight than the last is ignored.

        What is ``listed`` is the truth whatever its version: after etcd has been restored from a
        backup, versions count from an earlier number.
        """
        new, old = _known(key, resource), self._known.get(key)
        if old is not None and not listed and _is_older(new, old):
            return Noticed()
        self._known[key] = new
        asks = old is None or old.signature != new.signature
        return Noticed(asks, self._move(key, old.peer if old else None, new.peer))

    def remove(self, key: Key) -> Noticed:
        """The object is gone."""
        old = self._known.pop(key, None)
        return Noticed(organizations=self._move(key, old.peer if old else None, None))

    def peers(self, key: Key, organization: str) -> Sequence[Peer]:
        """The other resources of an organisation, as they are known. Safe in every thread."""
        members = self._members.get(organization, _NOBODY).copy()  # one step of the interpreter
        others = (self._known.get(member) for member in members - {key})
        return tuple(known.peer for known in others if known is not None)

    def members(self, organizations: frozenset[str]) -> set[Key]:
        """The resources of some organisations."""
        return {key for name in organizations for key in self._members.get(name, ())}

    def _move(self, key: Key, old: Peer | None, new: Peer | None) -> frozenset[str]:
        """Keep the members of organisations; the organisations that were joined or left."""
        before, after = (peer.organization_id if peer else None for peer in (old, new))
        if before == after:
            return frozenset()
        if before:
            self._leave(key, before)
        if after:
            self._members.setdefault(after, set()).add(key)
        return frozenset(filter(None, (before, after)))

    def _leave(self, key: Key, organization: str) -> None:
        members = self._members[organization]
        members.discard(key)
        if not members:
            del self._members[organization]


def signature(resource: Resource) -> _Signature:
    """What an object asks for."""
    metadata: Mapping[str, Any] = resource["metadata"]
    annotations: Mapping[str, str] = metadata.get("annotations") or {}
    requests = (annotations.get(name) for name in _REQUESTS)
    deleting = "deletionTimestamp" in metadata
    return (metadata["uid"], metadata.get("generation"), deleting, *requests)


def _known(key: Key, resource: Resource) -> Known:
    metadata: Mapping[str, Any] = resource["metadata"]
    status: Mapping[str, Any] = resource.get("status") or {}
    return Known(
        signature=signature(resource),
        version=metadata["resourceVersion"],
        peer=peer_of(resource),
        lane=status.get("organizationId") or _first_server(resource) or "/".join(key),
    )


def _first_server(resource: Resource) -> str:
    exchange: Mapping[str, Any] = (resource.get("spec") or {}).get("exchange") or {}
    return next((str(one["name"]).lower() for one in exchange.get("servers") or ()), "")


def _is_older(new: Known, old: Known) -> bool:
    """Whether a sight is out of date: a watch may be behind what we wrote ourselves.

    Resource versions of one kind can be compared as numbers: Kubernetes says so since 1.35
    (KEP-5504), and etcd's revisions have always been. What is not a number is taken as newer.
    """
    if new.peer.uid != old.peer.uid or not (new.version.isdecimal() and old.version.isdecimal()):
        return False
    return int(new.version) < int(old.version)
