"""What the rows of the roll-over's table come to: the finding and the steps of each act."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from exchange_push_operator.core import auth_certificate, certificate_making, key_distribution
from exchange_push_operator.core.config import RollOver
from exchange_push_operator.core.following import AT_ONCE, Following, following
from exchange_push_operator.core.plan import Advisory, Plan, Step, fails, holds, unknown
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.rollover import Act, Key, Life, decide
from exchange_push_operator.core.rollover_seen import Seen
from exchange_push_operator.core.timestamps import utc_text
from exchange_push_operator.core.x509 import Certificate

_NEEDS_ONE_TIME = (Act.CREATE, Act.STAGE, Act.BRING_FORWARD, Act.PUBLISH)


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that the steps are made of. ``skewed``: servers whose clock is another one."""

    roll_over: RollOver
    seen: Seen
    transport: Mapping[str, str | None]
    skewed: tuple[str, ...]
    current: Certificate
    found: Following

    @property
    def expired(self) -> bool:
        """Whether Exchange has no certificate that it could sign with."""
        return self.found.situation.current is Life.EXPIRED

    @property
    def why(self) -> str:
        """Why the current one is to be followed; dates, so that the message stands still."""
        ends = f"{'expired' if self.expired else 'expires'} on {utc_text(self.current.not_after)}"
        given_up = self.found.situation.current is Life.GIVEN_UP
        before = "was made before spec.certificate.rotateAfter and " if given_up else ""
        return f"{self.current.thumbprint} {before}{ends}"

    @property
    def coming(self) -> str:
        """The thumbprint of the one to come; "" where there is none."""
        return self.found.thumbprint or ""


def plan(
    roll_over: RollOver,
    seen: Seen,
    transport: Mapping[str, str | None],
    skewed: tuple[str, ...],
    current: Certificate,
    now: datetime,
) -> Plan | None:
    """The next act of a roll-over; None where nothing is to be done or said."""
    found = following(roll_over, seen, now)
    case = Case(roll_over, seen, transport, skewed, current, found)
    act = decide(found.situation).act
    if act in _NEEDS_ONE_TIME and skewed:
        message = f"{', '.join(skewed)}: clocks more than 5 minutes off; no roll-over before"
        return Plan(fails(Reason.CLOCK_DIFFERS, f"{case.why}; {message} they agree"))
    does = _ACTS.get(act)
    return does(case) if does else None


def _waits(case: Case, what: str) -> Plan:
    """Nothing for us to do; the certificate is in order as long as it has not expired."""
    message = f"{case.why}; {what}"
    if case.expired:
        return Plan(fails(Reason.EXPIRED, message))
    waits = Advisory("RollOverWaits", message)
    return Plan(holds(Reason.ROLL_OVER_WAITS, message), advisories=(waits,))


def _wait_for_servers(case: Case) -> Plan:
    names = ", ".join(case.seen.unseen())
    return _waits(case, f"{names} must answer, and be in service, before it is followed")


def _create(case: Case) -> Plan:
    life = case.current.not_after - case.current.not_before
    if case.found.situation.current is Life.NEAR and life <= case.roll_over.renew_before:
        return Plan(
            fails(
                Reason.RENEW_BEFORE_TOO_LONG,
                f"spec.certificate.renewBefore is longer than the life of {case.current.thumbprint}"
                ": every certificate like it would be followed at once; make it shorter",
            )
        )
    server, after = min(case.seen.listed), case.found.after
    transport, organization_id = case.transport[server], case.seen.organization_id
    message, number = f"{case.why}; the next one is made", case.seen.made_after(after) + 1
    return certificate_making.make(server, transport, organization_id, message, after, number)


def _due(case: Case, what: str, step: Step) -> Plan:
    return Plan(fails(Reason.ROLL_OVER_DUE, f"{case.why}; {what}"), (step,))


def _repair(case: Case) -> Plan:
    where = case.seen.where[case.coming]
    clocks = (case.seen.clock,)
    changed = case.seen.auth.changed if case.found.staged else None
    made = key_distribution.plan(where, changed, clocks, frozenset(case.seen.idle))
    if made is None or made.finding.reason is Reason.SETTLING:
        return made or _waits(case, f"{case.coming} is to be on every server before it follows")
    return made if made.steps else _waits(case, f"before it is followed: {made.finding.message}")


def _wait_for_key(case: Case) -> Plan:
    waits = _waits(case, f"{case.coming} follows once the principal holds its key")
    return waits if case.found.staged else replace(waits, later=(_staging(case),))


def _wait_for_entra(case: Case) -> Plan:
    return _waits(case, f"{case.coming} follows once it is seen that the principal holds its key")


def _stage(case: Case) -> Plan:
    return _due(case, f"{case.coming} is staged", _staging(case))


def _staging(case: Case) -> Step:
    at_once = case.found.situation.current in (Life.EXPIRED, Life.GIVEN_UP, Life.ENDING)
    ahead = AT_ONCE if at_once else case.roll_over.activate_after
    return auth_certificate.stage(case.coming, min(case.seen.listed), ahead)


def _move_date(case: Case) -> Plan:
    seen = case.found.situation
    why = "is not on every server" if seen.key is not Key.MISSING else "has no key in Entra ID"
    if seen.next is Life.GIVEN_UP:
        why = "was made before spec.certificate.rotateAfter"
    message = f"{case.coming}, which would become current, {why}; its date"
    holders = case.seen.holders(case.coming)
    if not holders:
        return Plan(fails(Reason.ROLL_OVER_DUE, f"{message} cannot be moved: no server has it"))
    ahead = case.roll_over.activate_after
    step = auth_certificate.stage(case.coming, holders[0], ahead, again=True)
    moved = replace(step, safety=True)
    return Plan(fails(Reason.ROLL_OVER_DUE, f"{message} is moved"), (moved,))


def _bring_forward(case: Case) -> Plan:
    step = auth_certificate.stage(case.coming, min(case.seen.listed), AT_ONCE, again=True)
    return _due(case, f"the date of {case.coming} is brought forward", step)


def _publish(case: Case) -> Plan:
    step = auth_certificate.publish(case.coming, min(case.seen.listed))
    step = replace(step, event="CertificatePublished")
    return _due(case, f"{case.coming} is published", step)


def _wait_for_date(case: Case) -> Plan:
    date = case.seen.auth.next_effective
    when = f" on {utc_text(date)}" if date else ""
    message = f"{case.coming} follows{when}"
    if case.found.situation.current is Life.GIVEN_UP:
        return Plan(unknown(Reason.SETTLING, f"{case.why}; {message}"))
    return Plan(holds(Reason.VALID, f"{case.current.thumbprint} is current and valid; {message}"))


_ACTS: Mapping[Act, Callable[[Case], Plan]] = {
    Act.REPAIR: _repair,
    Act.WAIT_FOR_SERVERS: _wait_for_servers,
    Act.CREATE: _create,
    Act.WAIT_FOR_KEY: _wait_for_key,
    Act.WAIT_FOR_ENTRA: _wait_for_entra,
    Act.STAGE: _stage,
    Act.MOVE_DATE: _move_date,
    Act.BRING_FORWARD: _bring_forward,
    Act.PUBLISH: _publish,
    Act.WAIT_FOR_DATE: _wait_for_date,
}
