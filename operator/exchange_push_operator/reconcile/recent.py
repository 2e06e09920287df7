"""What this operator changed lately: not repeated while it settles, not fought over.

Losing this memory in a crash costs a repeated change that finds itself already made, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.plan import Step
from exchange_push_operator.reconcile.world import Memory

# Entra ID and Active Directory may take minutes to show a change to every reader.
_SETTLES = timedelta(minutes=5)
_MOST_CORRECTIONS = 5
_WITHIN = timedelta(hours=1)


def remember(memory: Memory, step: Step, now: datetime, *, drift: bool) -> None:
    """Note a change that was made; older notes than matter are dropped.

    ``drift``: it corrects what somebody else changed. What a user's edit asks for is no quarrel.
    """
    memory.unseen[step.key] = now
    if drift:
        made = [m for m in memory.corrections.get(step.key, ()) if now - m < _WITHIN]
        memory.corrections[step.key] = [*made, now]


def start_anew(memory: Memory, generation: int) -> None:
    """A new generation is a new wish: whoever quarrelled about the old one is forgotten."""
    if memory.generation != generation:
        memory.generation = generation
        memory.corrections.clear()


def unsure(memory: Memory, step: Step, now: datetime) -> None:
    """Note a change of unknown outcome that would not find itself already made.

    A certificate may still be in the making on the server when the answer is lost; a second one
    would be a duplicate. All other changes are the same however often they are made.
    """
    if isinstance(step.command, Cmdlet) and step.command.name == "New-ExchangeCertificate":
        memory.unseen[step.key] = now


def looked_again(memory: Memory, planned: Iterable[Step]) -> None:
    """After a look: what is not planned any more has been seen."""
    keys = {step.key for step in planned}
    memory.unseen = {key: when for key, when in memory.unseen.items() if key in keys}


def settling(memory: Memory, step: Step, now: datetime) -> bool:
    """Whether this very change was made minutes ago and only waits to be seen."""
    made = memory.unseen.get(step.key)
    return made is not None and timedelta(0) <= now - made < _SETTLES


def contended(memory: Memory, step: Step, now: datetime) -> bool:
    """Whether this very change was seen and undone so often lately that another would not last.

    Two tools that correct each other for ever would be worse than a drift that is reported.
    """
    made = memory.corrections.get(step.key, ())
    recent = sum(now - moment < _WITHIN for moment in made)
    return step.key not in memory.unseen and recent >= _MOST_CORRECTIONS
