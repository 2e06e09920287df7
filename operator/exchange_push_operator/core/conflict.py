"""Two resources that mean one Exchange organisation: the older one rules (safety rule 7)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

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


def check_conflict(config: PushConfig, organization_id: str, peers: Iterable[Peer]) -> None:
    """Let the oldest resource of an organisation through.

    Age is the creationTimestamp, then the UID, among those that have signed in.

    Raises:
        Refused: ConflictingConfig, naming the older resource.
    """
    mine = (config.created, config.uid)
    rivals = [
        peer for peer in peers if peer.organization_id == organization_id and peer.uid != config.uid
    ]
    older = min(
        (peer for peer in rivals if (peer.created, peer.uid) < mine), key=_age, default=None
    )
    if older is not None:
        raise Refused(
            Reason.CONFLICTING_CONFIG,
            f"{older.namespace}/{older.name} is older and describes the same Exchange "
            f"organization {organization_id}; delete one of the two",
        )


def _age(peer: Peer) -> tuple[str, str]:
    return peer.created, peer.uid
