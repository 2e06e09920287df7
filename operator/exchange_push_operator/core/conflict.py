"""Two resources that mean one Exchange organisation: the older one rules (safety rule 7)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from exchange_push_operator.core.cluster import Resource
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.errors import Refused
from exchange_push_operator.core.reasons import Reason


@dataclass(frozen=True, slots=True)
class Peer:
    """What must be known of another resource. ``organization_id`` is None until it signed in."""

    namespace: str
    name: str
    uid: str
    created: str
    organization_id: str | None
    deleting: bool


Peers: TypeAlias = Callable[[str], Sequence[Peer]]
"""Gives the other resources of an organisation, as they are known at this moment."""


def peer_of(resource: Resource) -> Peer:
    """What the resource is to others."""
    metadata: Mapping[str, Any] = resource["metadata"]
    return Peer(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        created=metadata["creationTimestamp"],
        organization_id=(resource.get("status") or {}).get("organizationId"),
        deleting="deletionTimestamp" in metadata,
    )


def older_peer(config: PushConfig, organization_id: str, peers: Iterable[Peer]) -> str | None:
    """The oldest other resource of an organisation, as namespace/name, where it is older.

    Age is the creationTimestamp, then the UID, among those that have signed in. One that is being
    deleted counts until it is gone.
    """
    mine = (config.created, config.uid)
    rivals = [p for p in peers if p.organization_id == organization_id and p.uid != config.uid]
    older = (peer for peer in rivals if (peer.created, peer.uid) < mine)
    oldest = min(older, key=lambda peer: (peer.created, peer.uid), default=None)
    return f"{oldest.namespace}/{oldest.name}" if oldest else None


def check_conflict(config: PushConfig, organization_id: str, peers: Iterable[Peer]) -> None:
    """Let the oldest resource of an organisation through.

    Raises:
        Refused: ConflictingConfig, naming the older resource.
    """
    older = older_peer(config, organization_id, peers)
    if older is not None:
        raise Refused(
            Reason.CONFLICTING_CONFIG,
            f"{older} is older and describes the same Exchange organization {organization_id}; "
            "delete one of the two",
        )
