"""When a server is probed, and remembering what it said."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256

from exchange_push_operator.core import organization, push_proxy
from exchange_push_operator.core.commands import Cmdlet, Row
from exchange_push_operator.core.conditions import find
from exchange_push_operator.core.config import ProxyState
from exchange_push_operator.core.errors import CmdletFailed, PushError
from exchange_push_operator.core.looks import ORGANIZATION, Observations
from exchange_push_operator.core.ports import Answer
from exchange_push_operator.core.probes import available, succeeded, token_test
from exchange_push_operator.core.probes import probe as probe_of
from exchange_push_operator.reconcile.gather import with_answers
from exchange_push_operator.reconcile.session import Session
from exchange_push_operator.reconcile.world import Memory
from exchange_push_operator.stages import verification

_STILL_GOOD = Answer(({"ResultType": "Succeeded"},))


def probe(session: Session, memory: Memory, observed: Observations, now: datetime) -> Observations:
    """Add the probes' answers. A success that is young enough is not tried again."""
    config = session.config
    servers = [n for n in verification.targets(observed) if available(config, observed, n)]
    # What comes back from an update is tried out anew.
    memory.probed = {name: seen for name, seen in memory.probed.items() if name in servers}
    state = _fingerprint(observed)
    due = [name for name in servers if not _fresh(session, memory, name, state, now)]
    for name in servers:
        if name not in due:
            look = probe_of(config, name)
            observed = with_answers(observed, name, (look,), (_STILL_GOOD,))
    observed = _try(session, observed, due, lambda name: probe_of(config, name))
    failed = []
    for name in due:
        memory.probed.pop(name, None)
        if succeeded(observed.cmdlets[name, probe_of(config, name)].rows):
            memory.probed[name] = (now, state)
        else:
            failed.append(name)
    if config.proxy.state is ProxyState.UNMANAGED:  # the probe was that test already
        return observed
    return _try(session, observed, failed, lambda _: token_test(config))


def _try(
    session: Session, observed: Observations, servers: Sequence[str], look: Callable[[str], Cmdlet]
) -> Observations:
    def ask(name: str) -> Answer:
        try:
            session.check()
            (answer,) = session.exchange.run(name, (look(name),))
        except PushError as error:
            return Answer(error=CmdletFailed(str(error)))
        return answer

    for name, answer in zip(servers, session.world.together(ask, servers), strict=True):
        observed = with_answers(observed, name, (look(name),), (answer,))
    return observed


def _fresh(session: Session, memory: Memory, server: str, state: str, now: datetime) -> bool:
    when, then = memory.probed.get(server, (None, ""))
    interval = session.config.verification.interval
    return when is not None and then == state and timedelta(0) <= now - when < interval


def recall(session: Session, memory: Memory, observed: Observations, now: datetime) -> None:
    """In a new life, take a success in status for a probe at a random point of the last interval.

    Status does not say when it was. So the probes of many resources do not all come at once after
    a start, and none comes later than it would have.
    """
    if memory.recalled:
        return
    memory.recalled = True
    status, interval = session.config.status, session.config.verification.interval
    verified = find(status, verification.STAGE.condition) or {}
    current = verified.get("observedGeneration") == session.config.generation
    if verified.get("status") != "True" or not current:
        return
    state = _fingerprint(observed)
    for row in status.get("servers") or ():
        if row.get("probe") == "Succeeded":
            when = now - session.world.chance() * interval
            memory.probed[row["name"]] = (when, state)


def _fingerprint(observed: Observations) -> str:
    """A digest of what a success rests on: it is worth nothing once any of this has changed."""
    looks: tuple[Cmdlet, ...] = (
        organization.AUTH_CONFIG,
        organization.AUTH_SERVERS,
        push_proxy.WHAT_IF,
    )
    answers = (observed.cmdlets.get((ORGANIZATION, look)) for look in looks)
    rows = [[_of_substance(row) for row in answer.rows] if answer else [] for answer in answers]
    return sha256(json.dumps(rows, sort_keys=True, default=str).encode()).hexdigest()


def _of_substance(row: Row) -> Row:
    # Each domain controller has a WhenChanged of its own, and which one answers may change.
    return {key: row[key] for key in row if key not in ("OriginatingServer", "WhenChangedUTC")}
