"""What this operator changed lately: not repeated while it settles, not fought over.

Losing this memory in a crash costs a repeated change that finds itself already made, or two more
corrections of what somebody else keeps changing; nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from exchange_push_operator.core.commands import Cmdlet, GraphRequest
from exchange_push_operator.core.plan import Plan, Step
from exchange_push_operator.reconcile.world import Memory, Unseen

# Entra ID and Active Directory may take minutes to show a change to every reader.
_SETTLES = timedelta(minutes=5)
_MOST_CHANGES = 2
_WINDOW = timedelta(hours=1)
_RESTARTS = frozenset({"Restart-Service", "Restart-WebAppPool"})
# Parameters that say what is changed and how, not to what.
_NO_FIELDS = frozenset({"Identity", "Name", "Server", "Confirm", "Force"})


def remember(memory: Memory, stage: str, step: Step, now: datetime) -> None:
    """Note a change that was made; older notes than matter are dropped."""
    memory.unseen[step.key] = Unseen(stage, now)
    _count(memory, step, now)


def failed(memory: Memory, step: Step, now: datetime) -> None:
    """Note a restart that ended with an error: it has disturbed its server like one that did not.

    One whose answer is lost is not noted: it has taken minutes, and is likely to be done.
    """
    if isinstance(step.command, Cmdlet) and step.command.name in _RESTARTS:
        _count(memory, step, now)


def _count(memory: Memory, step: Step, now: datetime) -> None:
    made = {
        field: recent
        for field, moments in memory.made.items()
        if (recent := [moment for moment in moments if now - moment < _WINDOW])
    }
    for field in _fields(step):
        made[field] = [*made.get(field, ()), now]
    memory.made = made


def _fields(step: Step) -> tuple[str, ...]:
    """What a change touches: each parameter of a cmdlet, each part of a Graph call."""
    thing = f"{step.server or '*'} {step.event} {step.target}"
    parts = step.parts
    if isinstance(step.command, Cmdlet):
        parts = tuple(name for name, _ in step.command.parameters if name not in _NO_FIELDS)
    return tuple(f"{thing} {part}" for part in parts) or (thing,)


def start_anew(memory: Memory, generation: int) -> None:
    """A new generation is a new wish: whoever quarrelled about the old one is forgotten."""
    if memory.generation != generation:
        memory.generation = generation
        memory.made.clear()
        memory.drifting.clear()


def unsure(memory: Memory, stage: str, step: Step, now: datetime) -> None:
    """Note a change of unknown outcome that would not find itself already made.

    A certificate may still be in the making on the server when the answer is lost, and Entra ID
    may not show a key yet that it has stored under an id of its own; a second one would be a
    duplicate. All other changes are the same however often they are made.
    """
    command = step.command
    if isinstance(command, GraphRequest) or command.name == "New-ExchangeCertificate":
        memory.unseen[step.key] = Unseen(stage, now)


def looked_again(memory: Memory, plans: Mapping[str, Plan], reader: str, now: datetime) -> None:
    """After a look through the server ``reader``: what is not planned any more it has shown.

    A stage that is Unknown has shown nothing.
    """
    for key, change in memory.unseen.items():
        plan = plans[change.stage]
        if plan.finding.status != "Unknown" and key not in {step.key for step in plan.steps}:
            change.seen_by.add(reader)
    memory.unseen = {k: c for k, c in memory.unseen.items() if _is_young(c.made, now)}


def settling(memory: Memory, step: Step, reader: str, now: datetime) -> bool:
    """Whether this very change was made minutes ago and ``reader`` has not shown it yet.

    Another server may have: each reads its own domain controller.
    """
    change = memory.unseen.get(step.key)
    return change is not None and _is_young(change.made, now) and reader not in change.seen_by


def _is_young(moment: datetime, now: datetime) -> bool:
    return timedelta(0) <= now - moment < _SETTLES


def contended(memory: Memory, step: Step, now: datetime) -> bool:
    """Whether a field of this change was written so often lately that once more would not last.

    Two tools that correct each other for ever would be worse than a drift that is reported. The
    window begins with the first of the changes.
    """
    written = (memory.made.get(field, ()) for field in _fields(step))
    return any(
        sum(now - moment < _WINDOW for moment in moments) >= _MOST_CHANGES for moments in written
    )
