"""The other resources of a cluster: one of them may describe the same Exchange organisation."""

from __future__ import annotations

from collections.abc import Sequence

from exchange_push_operator.adapters.kubernetes_person import Person
from exchange_push_operator.core.cluster import Resource
from exchange_push_operator.core.conflict import Peer, peer_of
from exchange_push_operator.core.errors import PushError


def neighbours(person: Person, own: Resource) -> tuple[Sequence[Peer], tuple[str, ...]]:
    """Those that this person may list, and what was therefore not looked at."""
    try:
        return _others(person.listed(everywhere=True), own), ()
    except PushError as error:
        unseen = f"ConflictingConfig, with resources of other namespaces: {error}"
    try:
        return _others(person.listed(everywhere=False), own), (unseen,)
    except PushError:
        return (), (unseen.replace("other namespaces", "this namespace and others"),)


def _others(found: Sequence[Resource], own: Resource) -> Sequence[Peer]:
    peers = (peer_of(one) for one in found)
    return tuple(peer for peer in peers if peer.uid != own["metadata"]["uid"])
