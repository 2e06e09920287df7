"""A plan for people."""

from __future__ import annotations

from collections.abc import Iterator

from exchange_push_operator.core.plan import Step
from exchange_push_operator.core.status import NOT_YET, STAGE_CONDITIONS
from exchange_push_operator.plan.passive import Planned, Verdict
from exchange_push_operator.workstation.forms import columns, printable

AFTERWARDS = "What follows from these changes is not known yet: plan again when they are made."
THEN = "Then, when these are made, as part of the same plan:"
HELD_BACK = "Held back until what is in the way has been mended:"
_NOTHING = "Nothing to do: Exchange and Entra ID are as declared."


def as_text(planned: Planned) -> str:
    """The changes in order, then what was found. What servers said cannot move the cursor."""
    return printable("\n".join(_lines(planned)) + "\n")


def headline(planned: Planned) -> str:
    """What came out, in one line."""
    if planned.steps:
        count = len(planned.steps) + len(planned.waiting)
        known = f", plan {planned.plan_hash}" if planned.plan_hash else ""
        return f"{planned.name}: {count} change{'' if count == 1 else 's'}{known}"
    none = "no plan could be made" if planned.in_the_way else "no changes"
    return f"{planned.name}: {none}"


def _lines(planned: Planned) -> Iterator[str]:
    yield headline(planned)
    for number, (stage, step) in enumerate(planned.steps, start=1):
        yield from ("", *_step(number, stage, step))
    if planned.waiting:
        yield from ("", HELD_BACK if planned.in_the_way else THEN)
    for number, (stage, step) in enumerate(planned.waiting, start=len(planned.steps) + 1):
        yield from ("", *_step(number, stage, step))
    yield ""
    if planned.steps:
        yield from planned.leave.told()
        yield AFTERWARDS
    for text in planned.in_the_way:
        yield f"In the way: {text}"
    for text in planned.unseen:
        yield f"Not looked at: {text}"
    if planned.verdict is Verdict.NOTHING_TO_DO:
        yield _NOTHING
    yield from _found(planned)


def _step(number: int, stage: str, step: Step) -> Iterator[str]:
    where = f", on {step.server}" if step.server else ""
    safety = ", a safety act" if step.safety else ""
    yield f"{number:2}. {stage}: {step.action} ({step.target}){where}{safety}"
    if step.summary:
        yield f"    # {step.summary}"
    yield f"    {step.spelled_out}"


def _found(planned: Planned) -> Iterator[str]:
    told = set(planned.in_the_way)
    found = planned.status.get("conditions") or ()
    stages = [one for one in found if one["type"] in STAGE_CONDITIONS]
    conditions = [
        one
        for one in stages
        if f"{one['reason']}: {one['message']}" not in told and one["message"] != NOT_YET
    ]
    if conditions:
        yield ""
    yield from columns(
        [(c["type"], c["status"], f"{c['reason']}: {c['message']}") for c in conditions]
    )
    advisories = planned.status.get("advisories") or ()
    if advisories:
        yield ""
    for advisory in advisories:
        yield f"Advisory {advisory['type']}: {advisory['message']}"
