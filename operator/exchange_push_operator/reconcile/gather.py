"""Looking: one request to each server with the looks of all stages, then Graph and documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

from exchange_push_operator.core import organization
from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.errors import (
    CmdletFailed,
    PushError,
    Refused,
    SpecError,
    Throttled,
    Unreachable,
)
from exchange_push_operator.core.looks import ORGANIZATION, Looks, Observations, merge
from exchange_push_operator.core.organization import ORGANIZATION_CONFIG
from exchange_push_operator.core.ports import Answer
from exchange_push_operator.core.reading import reading
from exchange_push_operator.core.scrub import scrub
from exchange_push_operator.reconcile.session import Session
from exchange_push_operator.stages import STAGES

_AT_ONCE = 8
# Which organisation this is must be known whatever is managed (safety rule 7).
_WHOSE = Looks(organization=(ORGANIZATION_CONFIG,))
Key = TypeVar("Key")
_Told: TypeAlias = tuple[Answer, ...] | PushError


def gather(session: Session) -> Observations:
    """Look at everything that any stage wants to see.

    Raises:
        Refused: a server turned the credentials down; it is tried on no other server, so that a
            wrong password does not lock the account.
        Unreachable: no server answers.
    """
    config = session.config
    looks = merge((_WHOSE, *(stage.looks(config) for stage in STAGES)))
    began = session.world.clock()
    observed = _servers(session, looks)
    observed = replace(
        observed,
        period=(began, session.world.clock()),
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
            with reading(stage.condition):
                more = stage.more(session.config, observed)
            yield more
        except PushError:
            # The stage meets the same error when it reads its first looks, and reports it there.
            continue


def _servers(session: Session, looks: Looks) -> Observations:
    """The first server that answers speaks for the organisation; the others only for themselves.

    Where the first is dead all others are asked for everything at once: one dead server after
    another would use the time of the whole pass up.
    """
    first, *others = session.config.servers
    told = {first: _ask_server(session, looks, first, speaks=True)}
    answer = told[first]
    if isinstance(answer, Refused | SpecError):
        raise answer
    alive = not isinstance(answer, PushError)
    told |= _in_parallel(others, lambda n: _ask_server(session, looks, n, speaks=not alive))
    answered = [name for name, answers in told.items() if not isinstance(answers, PushError)]
    if not answered:
        raise _worst([error for error in told.values() if isinstance(error, PushError)])
    return _collected(session, looks, told, answered[0])


def _worst(errors: Sequence[PushError]) -> PushError:
    """What is said where no server answers: what a person must mend, then who asks for patience."""
    for kind in (Refused, SpecError, Throttled):
        found = next((error for error in errors if isinstance(error, kind)), None)
        if found is not None:
            return found
    return Unreachable(str(errors[0]))


def _collected(
    session: Session, looks: Looks, told: Mapping[str, _Told], primary: str
) -> Observations:
    cmdlets: dict[tuple[str, Cmdlet], Answer] = {}
    away: dict[str, PushError] = {}
    for name, answers in told.items():
        if isinstance(answers, PushError):
            away[name] = answers
            continue
        own = looks.server(name)
        shared = len(answers) - len(own)  # none, where it was asked about itself only
        if name == primary:
            cmdlets |= _keyed(ORGANIZATION, looks.organization, answers[:shared])
        cmdlets |= _keyed(name, own, answers[shared:])
    answered = tuple(name for name in told if name not in away)
    return Observations(session.tenant_id, cmdlets=cmdlets, away=away, answered=answered)


def _ask_server(session: Session, looks: Looks, server: str, *, speaks: bool) -> _Told:
    shared = looks.organization if speaks else ()
    own = looks.server(server)
    try:
        session.check()
        answers = session.exchange.run(server, (*shared, *own))
        _knows_its_state(server, _keyed(server, own, answers[len(shared) :]))
    except PushError as error:
        return error
    return answers


def _knows_its_state(server: str, answers: Mapping[tuple[str, Cmdlet], Answer]) -> None:
    """A server that cannot tell whether it is in maintenance is away: it is left alone.

    Raises: CmdletFailed. What RBAC does not grant is said by the stage that reads it.
    """
    try:
        with reading(server):
            organization.local_server(Observations("", answers), server)
    except CmdletFailed as error:
        text = scrub(str(error))
        raise CmdletFailed(f"{server}: cannot tell whether it is in maintenance: {text}") from error
    except Refused:
        return


def _in_parallel(servers: Sequence[str], ask: Callable[[str], _Told]) -> dict[str, _Told]:
    if not servers:
        return {}
    with ThreadPoolExecutor(min(_AT_ONCE, len(servers)), "look") as threads:
        return dict(zip(servers, threads.map(ask, servers), strict=True))


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
