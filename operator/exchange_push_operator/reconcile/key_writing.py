"""Read-modify-write of a principal's keys: one writer at a time, on a list read a moment ago.

Microsoft Graph has no condition for a write (no ETag), so a key that somebody else adds between
the last read and the PATCH, one round trip, is lost, and nobody can tell. Everything else is kept
out here.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from exchange_push_operator.core import refusals
from exchange_push_operator.core.before_after import keys, listed
from exchange_push_operator.core.commands import GraphRequest
from exchange_push_operator.core.errors import GraphFailed, OutcomeUnknown, PushError, Throttled
from exchange_push_operator.core.key_credentials import KeyCredential, key_ids, read_credentials
from exchange_push_operator.core.plan import Guard, Step
from exchange_push_operator.core.ports import Graph
from exchange_push_operator.core.safety import check_write, still_valid
from exchange_push_operator.reconcile.audit import Trail
from exchange_push_operator.reconcile.session import Session


class PlanVoid(Exception):
    """What the plan rested on has changed in the meantime: look again, plan again."""


def write_keys(session: Session, step: Step, trail: Trail) -> None:
    """Send a step's PATCH; where an expired key is in its way, its other forms in turn.

    Raises: Refused, GraphFailed, Unreachable, Throttled, OutcomeUnknown, PlanVoid.
    """
    graph, guard, command = session.graph, step.guard, step.command
    if graph is None or guard is None or not isinstance(command, GraphRequest):
        raise AssertionError("a Graph change needs a session and a guard")
    name = f"principal/{session.tenant_id}/{session.config.app_id.lower()}"
    with session.world.locks.of(name).hold(session.left()):
        for again, form in enumerate((command, *step.fallbacks)):
            entries = _entries(session, graph, guard, form)
            check_write(form, guard, entries, again=again > 0)
            session.check()  # the turn at the principal may have been long in coming
            refused = _send(session, step, trail, form, entries)
            if refused is None:
                _read_back(session, graph, guard, form)
                return
            last = again == len(step.fallbacks)
            if last or refusals.EXPIRED_ENTRY not in refused.codes:
                # What the token says by now: a role may have been taken away.
                identity, now = graph.identity(), session.world.clock()
                raise refusals.refused_write(session.config, refused, identity, entries, now)


def _entries(
    session: Session, graph: Graph, guard: Guard, form: GraphRequest
) -> tuple[KeyCredential, ...]:
    """The list as it is now. A read that lags behind our own last write is not written on."""
    entries, now = read_credentials(graph.send(guard.look)), session.world.clock()
    if session.world.written.unseen(form.path, entries, now, key_ids(form)):
        raise Throttled("Microsoft Graph does not show the last change of this principal yet")
    if not still_valid(guard, entries):
        raise PlanVoid
    return entries


def _send(
    session: Session,
    step: Step,
    trail: Trail,
    form: GraphRequest,
    entries: Sequence[KeyCredential],
) -> GraphFailed | None:
    graph, where = session.graph, urlsplit(session.config.tenant.cloud.graph).netloc
    if graph is None:
        raise AssertionError("a Graph change needs a session")
    try:
        with trail.writing(step, where, form, keys(entries)) as made:
            graph.send(form)
            made.after = listed((form.body or {})["keyCredentials"])
    except GraphFailed as error:
        return error
    except OutcomeUnknown:
        # Perhaps it was carried out: a list without it may only be an old one.
        session.world.written.note(form.path, key_ids(form), session.world.clock())
        raise
    return None


def _read_back(session: Session, graph: Graph, guard: Guard, form: GraphRequest) -> None:
    """Look for what was written, so that the next writer of this principal need not wait for it."""
    written, now = session.world.written, session.world.clock()
    written.note(form.path, key_ids(form), now)
    with suppress(PushError):  # the change is made; the next look tells more
        written.unseen(form.path, read_credentials(graph.send(guard.look)), now)
