"""Looking: one request to each server with the looks of all stages, then Graph and documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.errors import PushError, Unreachable
from exchange_push_operator.core.looks import ORGANIZATION, Looks, Observations, merge
from exchange_push_operator.core.organization import ORGANIZATION_CONFIG
from exchange_push_operator.core.ports import Answer
from exchange_push_operator.core.reading import reading
from exchange_push_operator.reconcile.servers import keyed, look_at_servers
from exchange_push_operator.reconcile.session import Session
from exchange_push_operator.stages import STAGES

# Which organisation this is must be known whatever is managed (safety rule 7).
_WHOSE = Looks(organization=(ORGANIZATION_CONFIG,))
Key = TypeVar("Key")


def gather(session: Session) -> Observations:
    """Look at everything that any stage wants to see.

    Raises:
        Refused: the first server turned the credentials down, or every one that answers did.
        Throttled, Unreachable: no server answers.
    """
    config = session.config
    looks = merge((_WHOSE, *(stage.looks(config) for stage in STAGES)))
    began = session.world.clock()
    observed = look_at_servers(session, looks)
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
    return replace(observed, cmdlets={**observed.cmdlets, **keyed(server, looks, answers)})


def _more(session: Session, observed: Observations) -> Iterable[Looks]:
    for stage in STAGES:
        try:
            with reading(stage.condition):
                more = stage.more(session.config, observed)
            yield more
        except PushError:
            # The stage meets the same error when it reads its first looks, and reports it there.
            continue


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
