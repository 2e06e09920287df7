"""Looking: one request to each server with the looks of all stages, then Graph and documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.errors import PushError, Refused, SpecError, Unreachable
from exchange_push_operator.core.looks import ORGANIZATION, Looks, Observations, merge
from exchange_push_operator.core.organization import ORGANIZATION_CONFIG
from exchange_push_operator.core.ports import Answer
from exchange_push_operator.reconcile.session import Session
from exchange_push_operator.stages import STAGES

_AT_ONCE = 8
# Which organisation this is must be known whatever is managed (safety rule 7).
_WHOSE = Looks(organization=(ORGANIZATION_CONFIG,))
Key = TypeVar("Key")


def gather(session: Session) -> Observations:
    """Look at everything that any stage wants to see.

    Raises:
        Refused: a server turned the credentials down; it is tried on no other server, so that a
            wrong password does not lock the account.
        Unreachable: no server answers.
    """
    config = session.config
    looks = merge((_WHOSE, *(stage.looks(config) for stage in STAGES)))
    observed = _servers(session, looks)
    observed = replace(
        observed,
        graph_answers=_ask(session, looks.graph, _send(session)),
        documents=_ask(session, looks.metadata, session.world.metadata.fetch),
        identity=session.identity,
    )
    more = merge(_more(session, observed))
    if not more.organization:
        return observed
    session.check()
    answers = session.exchange.run(observed.primary, more.organization)
    return with_answers(observed, ORGANIZATION, more.organization, answers)


def with_answers(
    observed: Observations, server: str, looks: Sequence[Cmdlet], answers: Sequence[Answer]
) -> Observations:
    """The observations with more answers."""
    added = {(server, look): answer for look, answer in zip(looks, answers, strict=True)}
    return replace(observed, cmdlets={**observed.cmdlets, **added})


def _more(session: Session, observed: Observations) -> Iterable[Looks]:
    for stage in STAGES:
        try:
            yield stage.more(session.config, observed)
        except PushError:
            # The stage meets the same error when it reads its first looks, and reports it there.
            continue


def _servers(session: Session, looks: Looks) -> Observations:
    """The first server that answers speaks for the organisation; the others only for themselves."""
    away: dict[str, PushError] = {}
    waiting = list(session.config.servers)
    cmdlets: dict[tuple[str, Cmdlet], Answer] = {}
    primary = ""
    while waiting and not primary:
        server = waiting.pop(0)
        own = looks.server(server)
        try:
            answers = _look(session, server, (*looks.organization, *own))
        except (Refused, SpecError):
            raise
        except PushError as error:
            away[server] = error
            continue
        primary = server
        count = len(looks.organization)
        cmdlets |= _keyed(ORGANIZATION, looks.organization, answers[:count])
        cmdlets |= _keyed(server, own, answers[count:])
    if not primary:
        raise Unreachable(str(next(iter(away.values()))))
    for server, result in _in_parallel(session, waiting, looks).items():
        if isinstance(result, PushError):
            away[server] = result
        else:
            cmdlets |= _keyed(server, looks.server(server), result)
    answered = tuple(name for name in session.config.servers if name not in away)
    # The primary comes first, whatever its place in the list.
    answered = (primary, *(name for name in answered if name != primary))
    return Observations(session.tenant_id, cmdlets=cmdlets, away=away, answered=answered)


def _look(session: Session, server: str, batch: Sequence[Cmdlet]) -> tuple[Answer, ...]:
    session.check()
    return session.exchange.run(server, batch)


def _in_parallel(
    session: Session, servers: Sequence[str], looks: Looks
) -> Mapping[str, tuple[Answer, ...] | PushError]:
    if not servers:
        return {}

    def look(server: str) -> tuple[Answer, ...] | PushError:
        try:
            return _look(session, server, looks.server(server))
        except PushError as error:
            return error

    with ThreadPoolExecutor(min(_AT_ONCE, len(servers)), "look") as threads:
        return dict(zip(servers, threads.map(look, servers), strict=True))


def _keyed(
    server: str, looks: Sequence[Cmdlet], answers: Sequence[Answer]
) -> dict[tuple[str, Cmdlet], Answer]:
    return {(server, look): answer for look, answer in zip(looks, answers, strict=True)}


def _send(session: Session) -> Callable[[Any], Mapping[str, Any]]:
    def send(request: Any) -> Mapping[str, Any]:
        if session.graph is None:
            raise Unreachable("this resource does not sign in to Entra ID")
        return session.graph.send(request)

    return send


def _ask(session: Session, keys: Iterable[Key], ask: Callable[[Key], Any]) -> dict[Key, Any]:
    """One answer each; an error is an answer too, raised where a stage reads it."""
    answers: dict[Key, Any] = {}
    for key in keys:
        session.check()
        try:
            answers[key] = ask(key)
        except PushError as error:
            answers[key] = error
    return answers
