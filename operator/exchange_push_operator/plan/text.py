"""A plan for people."""

from __future__ import annotations

from collections.abc import Iterator

from exchange_push_operator.core.plan import Step
from exchange_push_operator.plan.passive import Planned, Verdict

AFTERWARDS = "What follows from these changes is not known yet: plan again when they are made."
_NOTHING = "Nothing to do: Exchange and Entra ID are as declared."


def as_text(planned: Planned) -> str:
    """The changes in order, then what was found. What servers said cannot move the cursor."""
    text = "\n".join(_lines(planned)) + "\n"
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def headline(planned: Planned) -> str:
    """What came out, in one line."""
    if planned.steps:
        count = len(planned.steps)
        what = f"{count} change{'' if count == 1 else 's'}, plan {planned.plan_hash}"
        return f"{planned.name}: {what}"
    none = "no plan could be made" if planned.in_the_way else "no changes"
    return f"{planned.name}: {none}"


def _lines(planned: Planned) -> Iterator[str]:
    yield headline(planned)
    for number, (stage, step) in enumerate(planned.steps, start=1):
        yield from ("", *_step(number, stage, step))
    yield ""
    if planned.steps:
        yield AFTERWARDS
    if planned.held_back:
        yield f"{planned.held_back} more are held back until what is in the way has been mended."
    for text in planned.in_the_way:
        yield f"In the way: {text}"
    if planned.verdict is Verdict.NOTHING_TO_DO:
        yield _NOTHING
    yield from _found(planned)


def _step(number: int, stage: str, step: Step) -> Iterator[str]:
    where = f", on {step.server}" if step.server else ""
    yield f"{number:2}. {stage}: {step.action} ({step.target}){where}"
    if step.summary:
        yield f"    # {step.summary}"
    yield f"    {step.spelled_out}"


def _found(planned: Planned) -> Iterator[str]:
    conditions = planned.status.get("conditions") or ()
    if conditions:
        yield ""
    for condition in conditions:
        state = f"{condition['type']:<24} {condition['status']:<8} {condition['reason']}"
        yield f"{state}: {condition['message']}"
    advisories = planned.status.get("advisories") or ()
    if advisories:
        yield ""
    for advisory in advisories:
        yield f"Advisory {advisory['type']}: {advisory['message']}"
