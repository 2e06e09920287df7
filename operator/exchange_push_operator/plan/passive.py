"""A plan: the operator's own pass in a world that is not written to."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

from exchange_push_operator.core.cluster import Resource
from exchange_push_operator.core.conditions import IN_SYNC, STALLED_CONDITION
from exchange_push_operator.core.config import SUSPENDED, PushConfig
from exchange_push_operator.core.conflict import Peer
from exchange_push_operator.core.errors import SpecError
from exchange_push_operator.core.parse import parse
from exchange_push_operator.core.plan import Step
from exchange_push_operator.core.reasons import NOT_LOOKED_AT, NOTHING_MOVES
from exchange_push_operator.core.status import NOT_YET
from exchange_push_operator.plan.leave import Leave, asked
from exchange_push_operator.reconcile import Memory, Outcome, World, reconcile

_FIRST_STAGE = "PrerequisitesMet"


class Verdict(IntEnum):
    """What came out, and the exit code of ``plan``."""

    NOTHING_TO_DO = 0
    ERROR = 1
    CHANGES = 2


@dataclass(frozen=True, slots=True)
class Planned:
    """What a passive pass saw.

    ``steps``: what comes first, in order, with its stage; ``waiting``: what else the plan has.
    ``graph`` is ``https://host`` of the cloud, ``tenant_id`` whose it is ("" where nobody signed
    in). ``plan_hash`` is that of status; "" without a plan, and where the cluster has not told what
    was changed last, because an approval is for one time. ``unseen`` is what the operator looks at
    and this plan could not.
    """

    name: str
    graph: str
    status: Mapping[str, Any]
    steps: tuple[tuple[str, Step], ...]
    waiting: tuple[tuple[str, Step], ...] = ()
    plan_hash: str = ""
    leave: Leave = field(default_factory=Leave)
    unseen: tuple[str, ...] = ()

    @property
    def tenant_id(self) -> str:
        """The tenant that the Graph calls are for."""
        return str(self.status.get("tenantId") or "")

    @property
    def in_the_way(self) -> tuple[str, ...]:
        """Why the plan is not whole: what could not be looked at, or waits for a person."""
        known = {name for name, _ in self.steps}
        found = [c for c in self.status.get("conditions") or () if _stops(c, known)]
        told = [c for c in found if c["message"] != NOT_YET] or found
        return tuple(dict.fromkeys(f"{c['reason']}: {c['message']}" for c in told))

    @property
    def verdict(self) -> Verdict:
        """An error goes before changes: a plan that is not whole is not one to act on."""
        if self.in_the_way:
            return Verdict.ERROR
        return Verdict.CHANGES if self.steps else Verdict.NOTHING_TO_DO


def look(resource: Resource, world: World, peers: Sequence[Peer] = ()) -> Planned:
    """Plan for a resource, suspended or not. Nothing is written, in Kubernetes neither.

    ``peers`` are the other resources of the cluster, as far as they are known.

    Raises: SpecError.
    """
    config, awake = parse(resource), _awake(resource)
    if config.deleting:
        raise SpecError(f"{config.namespace}/{config.name} is being deleted; nothing is planned")
    passive = replace(world, read_only=True, unreachable_grace=timedelta(0))
    memory = Memory()

    def others(organization: str) -> Sequence[Peer]:
        return [peer for peer in peers if peer.organization_id == organization]

    outcome = reconcile(awake, others, passive, memory)
    if outcome.requeue.kind == "now":  # by now it is known which organization it is
        seen = {**awake, "status": outcome.status}
        outcome = reconcile(seen, others, passive, memory)
    return _planned(config, outcome, world.clock())


def _planned(config: PushConfig, outcome: Outcome, now: datetime) -> Planned:
    stored = config.uid != ""
    plan_hash = str(outcome.status.get("planHash") or "") if stored else ""
    return Planned(
        name=f"{config.namespace}/{config.name}",
        graph=config.tenant.cloud.graph,
        status=outcome.status,
        steps=outcome.planned,
        waiting=tuple(named for named in outcome.foreseen if named not in outcome.planned),
        plan_hash=plan_hash,
        leave=asked(config, plan_hash, now),
    )


def _awake(resource: Resource) -> Resource:
    """Who asks for a plan wants one: not a suspension, nor a finalizer that is to be written."""
    awake: dict[str, Any] = copy.deepcopy(dict(resource))
    awake["spec"]["suspend"] = False
    awake["metadata"].pop("finalizers", None)
    (awake["metadata"].get("annotations") or {}).pop(SUSPENDED, None)
    return awake


def _stops(condition: Mapping[str, Any], stages_with_steps: set[str]) -> bool:
    if condition["type"] == STALLED_CONDITION:
        return bool(condition["status"] == "True")
    if condition["status"] == "True":
        return False
    if condition["type"] == _FIRST_STAGE and condition["status"] == "False":
        return _FIRST_STAGE not in stages_with_steps
    if condition["type"] == IN_SYNC:  # it repeats the others
        return False
    return condition["reason"] in NOT_LOOKED_AT | NOTHING_MOVES
