"""Performing one step: policy, safety, the call, and its errors by what to do next."""

from __future__ import annotations

from dataclasses import replace

from exchange_push_operator.core import organization
from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.errors import CmdletFailed, PushError, Unreachable
from exchange_push_operator.core.looks import ORGANIZATION, Observations, not_permitted
from exchange_push_operator.core.plan import Step
from exchange_push_operator.core.reading import reading
from exchange_push_operator.core.safety import (
    check_cmdlet,
    touches_auth_config,
)
from exchange_push_operator.reconcile.key_writing import write_keys
from exchange_push_operator.reconcile.session import Session


def perform(session: Session, observed: Observations, step: Step) -> None:
    """Make one change.

    Raises: Refused, CmdletFailed, GraphFailed, Unreachable, Throttled, OutcomeUnknown, PlanVoid.
    """
    session.check()
    policy = session.world.policy()
    policy.check(session.config)
    policy.check_tenant(session.config, session.tenant_id)
    if isinstance(step.command, Cmdlet):
        with reading("Get-AuthConfig"):
            check_cmdlet(step, organization.auth_config(observed))
        if touches_auth_config(step):
            _still_the_same(session, observed)
        _run(session, step.server or writer(observed), step.command)
    else:
        write_keys(session, step)


def _still_the_same(session: Session, observed: Observations) -> None:
    """Ask every listed server again, right before a certificate is made, assigned or published.

    Somebody may have assigned one since the look, through a domain controller whose change the
    one of this pass does not know yet, so each server asks its own: replacing it would break what
    rests on it (safety rule 1). Publishing takes whatever is the next one by then.

    Raises: Unreachable.
    """
    coming = organization.auth_config(observed).next
    for server in observed.answered:
        (answer,) = session.everywhere.run(server, (organization.AUTH_CONFIG,))
        again = replace(observed, cmdlets={(ORGANIZATION, organization.AUTH_CONFIG): answer})
        with reading("Get-AuthConfig"):
            now = organization.auth_config(again)
        if now.current is not None or now.next != coming:
            named = now.current or now.next or "nothing"
            raise Unreachable(
                f"{server}: AuthConfig names {named} by now; the other servers are waited for "
                "before anything is assigned"
            )


def writer(observed: Observations) -> str:
    """The server that organisation-wide changes are made on: it answers and is not resting.

    Raises: Unreachable where every answering server is in maintenance.
    """
    resting = organization.in_maintenance(observed)
    for name in observed.answered:
        if name not in resting:
            return name
    raise Unreachable(f"every server that answers is in maintenance: {', '.join(sorted(resting))}")


def _run(session: Session, server: str, command: Cmdlet) -> None:
    (answer,) = session.exchange.run(server, (command,), changes=True)
    if answer.error is not None:
        raise _described(server, command, answer.error)


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
