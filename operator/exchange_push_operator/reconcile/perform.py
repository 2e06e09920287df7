"""Performing one step: policy, safety, the call, and its errors by what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from exchange_push_operator.core import certificate_store, organization
from exchange_push_operator.core.before_after import after, before
from exchange_push_operator.core.commands import Ahead, Cmdlet, Row
from exchange_push_operator.core.errors import CmdletFailed, PushError, Unreachable
from exchange_push_operator.core.looks import ORGANIZATION, Observations, not_permitted
from exchange_push_operator.core.organization import AuthConfig
from exchange_push_operator.core.plan import Step
from exchange_push_operator.core.reading import reading
from exchange_push_operator.core.safety import (
    check_cmdlet,
    touches_auth_config,
)
from exchange_push_operator.core.timestamps import parse_utc, utc_text
from exchange_push_operator.reconcile.audit import Trail
from exchange_push_operator.reconcile.key_writing import write_keys
from exchange_push_operator.reconcile.session import Session


def perform(session: Session, observed: Observations, step: Step, trail: Trail) -> None:
    """Make one change.

    Raises: Refused, CmdletFailed, GraphFailed, Unreachable, Throttled, OutcomeUnknown, PlanVoid.
    """
    session.check()
    if session.world.read_only or session.config.observe:
        message = "nothing may be written, and a write was about to be made"
        raise AssertionError(message)
    policy = session.world.policy()
    policy.check(session.config)
    policy.check_tenant(session.config, session.tenant_id)
    if isinstance(step.command, Cmdlet):
        _change(session, observed, step, step.command, trail)
    else:
        write_keys(session, step, trail)


def _change(
    session: Session, observed: Observations, step: Step, command: Cmdlet, trail: Trail
) -> None:
    server = step.server or writer(observed)
    with reading("Get-AuthConfig"):
        auth = organization.auth_config(observed)
        manage = session.config.roll_over is not None
        made = certificate_store.made_to_follow(observed, auth) if manage else ()
        check_cmdlet(step, auth, manage=manage, made=made)
    if touches_auth_config(step):
        _still_the_same(session, observed, auth)
    command = session.exchange.sent(dated(session, server, command))
    session.check()  # what was asked right before may have taken its time
    was = before(observed, server, command)
    with trail.writing(step, server, command, was) as written:
        written.after = after(was, command, _run(session, server, command))


def _still_the_same(session: Session, observed: Observations, auth: AuthConfig) -> None:
    """Ask every listed server again, right before a certificate is made, assigned or published.

    Somebody may have assigned or staged one since the look, through a domain controller whose
    change the one of this pass does not know yet, so each server asks its own: replacing it would
    break what rests on it (safety rule 1). Publishing takes whatever is the next one by then.

    Raises: Unreachable.
    """
    for server in observed.answered:
        (answer,) = session.everywhere.run(server, (organization.AUTH_CONFIG,))
        again = replace(observed, cmdlets={(ORGANIZATION, organization.AUTH_CONFIG): answer})
        with reading("Get-AuthConfig"):
            now = organization.auth_config(again)
        if (now.current, now.next) != (auth.current, auth.next):
            named = now.next if now.current == auth.current else now.current
            raise Unreachable(
                f"{server}: AuthConfig names {named or 'nothing'} by now; the other servers are "
                "waited for before anything is assigned"
            )


def dated(session: Session, server: str, command: Cmdlet) -> Cmdlet:
    """The cmdlet with its dates, by the clock of the server that it is sent to.

    Raises: Unreachable where the server does not tell its time.
    """
    spans = {name: value for name, value in command.parameters if isinstance(value, Ahead)}
    if not spans:
        return command
    (answer,) = session.exchange.run(server, (organization.LOCAL_SERVER,))
    told = answer.rows[0].get("TimeUTC") if len(answer.rows) == 1 else None
    if not told:
        raise Unreachable(f"{server}: does not tell its time, which a date has to be counted from")
    # A second more: what is cut off must not make it nearer than asked for.
    start = parse_utc(told) + timedelta(seconds=1)
    dates = {name: utc_text(start + ahead.span) for name, ahead in spans.items()}
    return replace(command, parameters=tuple((n, dates.get(n, v)) for n, v in command.parameters))


def writer(observed: Observations) -> str:
    """The server that organisation-wide changes are made on: it answers and is not resting.

    Raises: Unreachable where every answering server is in maintenance.
    """
    resting = organization.in_maintenance(observed)
    for name in observed.answered:
        if name not in resting:
            return name
    raise Unreachable(f"every server that answers is in maintenance: {', '.join(sorted(resting))}")


def _run(session: Session, server: str, command: Cmdlet) -> Sequence[Row]:
    (answer,) = session.exchange.run(server, (command,), changes=True)
    if answer.error is not None:
        raise _described(server, command, answer.error)
    return answer.rows


def _described(server: str, command: Cmdlet, error: CmdletFailed) -> PushError:
    described = not_permitted(command, error)
    if described is not error:
        return described
    return CmdletFailed(
        f"{server}: {command.name} failed: {error}",
        identifier=error.identifier,
        category=error.category,
        kind=error.kind,
        where=error.where,
    )
