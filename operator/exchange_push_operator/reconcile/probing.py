"""When a server is probed, and remembering what it said."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from exchange_push_operator.core import organization
from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.conditions import find
from exchange_push_operator.core.errors import CmdletFailed, PushError
from exchange_push_operator.core.looks import ORGANIZATION, Observations
from exchange_push_operator.core.ports import Answer
from exchange_push_operator.core.x509 import parse_utc
from exchange_push_operator.reconcile.gather import with_answers
from exchange_push_operator.reconcile.session import Session
from exchange_push_operator.reconcile.world import Memory
from exchange_push_operator.stages import verification

_AT_ONCE = 8
_STILL_GOOD = Answer(({"ResultType": "Succeeded"},))


def probe(
    session: Session, memory: Memory, observed: Observations, now: datetime, *, changed: bool
) -> Observations:
    """Add the probes' answers. A success that is young enough is not tried again.

    ``changed`` tells that this pass made changes, which voids every earlier success.
    """
    config = session.config
    servers = [
        name
        for name in verification.targets(observed)
        if verification.available(config, observed, name)
    ]
    state = _fingerprint(observed)
    fresh = {n for n in servers if not changed and _fresh(session, memory, n, state, now)}
    for name in fresh:
        look = verification.probe(config, name)
        observed = with_answers(observed, name, (look,), (_STILL_GOOD,))
    due = [name for name in servers if name not in fresh]
    if not due:
        return observed
    with ThreadPoolExecutor(min(_AT_ONCE, len(due)), "probe") as threads:
        results = threads.map(lambda name: _try(session, name), due)
    for name, answer in zip(due, results, strict=True):
        memory.probed.pop(name, None)
        if any(row.get("ResultType") in verification.SUCCESSES for row in answer.rows):
            memory.probed[name] = (now, state)
        look = verification.probe(config, name)
        observed = with_answers(observed, name, (look,), (answer,))
    return observed


def _try(session: Session, server: str) -> Answer:
    look = verification.probe(session.config, server)
    try:
        session.check()
        (answer,) = session.exchange.run(server, (look,))
    except PushError as error:
        return Answer(error=CmdletFailed(str(error)))
    return answer


def _fresh(session: Session, memory: Memory, server: str, state: str, now: datetime) -> bool:
    interval = session.config.verification.interval
    if server in memory.probed:
        when, then = memory.probed[server]
        return then == state and timedelta(0) <= now - when < interval
    # After a restart: the condition has been True since lastTransitionTime at the latest.
    return _verified_since(session, server, now)


def _verified_since(session: Session, server: str, now: datetime) -> bool:
    status = session.config.status
    verified = find(status, verification.STAGE.condition)
    if verified is None or verified["status"] != "True":
        return False
    if verified.get("observedGeneration") != session.config.generation:
        return False
    rows = {row["name"]: row.get("probe") for row in status.get("servers") or ()}
    if rows.get(server) != "Succeeded":
        return False
    age = now - parse_utc(verified["lastTransitionTime"])
    return timedelta(0) <= age < session.config.verification.interval


def _fingerprint(observed: Observations) -> str:
    """What a success rests on: it is worth nothing once any of this has changed."""
    looks: tuple[Cmdlet, ...] = (
        organization.AUTH_CONFIG,
        organization.AUTH_SERVERS,
        organization.PROXY,
    )
    answers = (observed.cmdlets.get((ORGANIZATION, look)) for look in looks)
    rows = [[dict(row) for row in answer.rows] if answer else [] for answer in answers]
    return json.dumps(rows, sort_keys=True, default=str)
