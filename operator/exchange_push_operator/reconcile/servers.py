"""Looking at the servers: all at once, one request each; one speaks for the organisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

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
from exchange_push_operator.core.looks import ORGANIZATION, Looks, Observations
from exchange_push_operator.core.ports import Answer
from exchange_push_operator.core.reading import reading
from exchange_push_operator.reconcile.session import Session

_Answers: TypeAlias = tuple[Answer, ...]


def look_at_servers(session: Session, looks: Looks) -> Observations:
    """The first listed server is asked about the organisation too.

    Where that one is away, the others are asked in turn, which costs the one that speaks a second
    request. Which server holds a password back from the others is the adapter's business.

    Raises: Refused, SpecError, Throttled, Unreachable where no server answers; Refused, SpecError
    where the first one is the reason.
    """
    servers = session.config.servers
    shared: Mapping[str, tuple[Cmdlet, ...]] = {servers[0]: looks.organization}

    def ask(name: str) -> _Answers | PushError:
        return _ask(session, name, shared.get(name, ()), looks.server(name))

    told: dict[str, _Answers | PushError]
    told = dict(zip(servers, session.world.together(ask, servers), strict=True))
    first = told[servers[0]]
    if isinstance(first, Refused | SpecError):
        raise first
    if isinstance(first, PushError):
        spoken = _another(session, looks.organization, told)
    else:
        size = len(looks.organization)
        spoken, told[servers[0]] = first[:size], first[size:]
    return _collected(session, looks, spoken, told)


def keyed(
    server: str, looks: Sequence[Cmdlet], answers: Sequence[Answer]
) -> dict[tuple[str, Cmdlet], Answer]:
    """The answers by where and what was looked at."""
    return {(server, look): answer for look, answer in zip(looks, answers, strict=True)}


def _another(
    session: Session, batch: Sequence[Cmdlet], told: dict[str, _Answers | PushError]
) -> _Answers:
    for name in [name for name, answers in told.items() if not isinstance(answers, PushError)]:
        spoken = _ask(session, name, batch, ())
        if not isinstance(spoken, PushError):
            return spoken
        told[name] = spoken
    raise _worst([error for error in told.values() if isinstance(error, PushError)])


def _worst(errors: Sequence[PushError]) -> PushError:
    """What is said where no server answers: what a person must mend, then who asks for patience."""
    for kind in (Refused, SpecError, Throttled):
        for error in errors:
            if isinstance(error, kind):
                return error
    return Unreachable(str(errors[0]))


def _collected(
    session: Session,
    looks: Looks,
    spoken: _Answers,
    told: Mapping[str, _Answers | PushError],
) -> Observations:
    cmdlets = keyed(ORGANIZATION, looks.organization, spoken)
    away: dict[str, PushError] = {}
    for name, answers in told.items():
        if isinstance(answers, PushError):
            away[name] = answers
        else:
            cmdlets |= keyed(name, looks.server(name), answers)
    answered = tuple(name for name in told if name not in away)
    return Observations(session.tenant_id, cmdlets=cmdlets, away=away, answered=answered)


def _ask(
    session: Session, server: str, shared: Sequence[Cmdlet], own: Sequence[Cmdlet]
) -> _Answers | PushError:
    try:
        session.check()
        answers = session.exchange.run(server, (*shared, *own))
        if own:
            _knows_its_state(server, keyed(server, own, answers[len(shared) :]))
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
        message = f"{server}: cannot tell whether it is in maintenance: {error}"
        raise CmdletFailed(message) from error
    except Refused:
        return
