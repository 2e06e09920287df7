"""A plan for programs. Names are stable: docs/cli.md lists them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.plan import Step
from exchange_push_operator.plan import script
from exchange_push_operator.plan.passive import Planned
from exchange_push_operator.workstation import forms

_RESULTS = ("NothingToDo", "Error", "Changes")


def as_json(planned: Planned) -> str:
    """One object."""
    document = {
        "resource": planned.name,
        "result": _RESULTS[planned.verdict],
        "planHash": planned.plan_hash or None,
        "leave": planned.leave.document(),
        "plannedChanges": changes(planned.graph, planned.steps, planned.waiting),
        "inTheWay": list(planned.in_the_way),
        "notLookedAt": list(planned.unseen),
        "conditions": list(planned.status.get("conditions") or ()),
        "advisories": list(planned.status.get("advisories") or ()),
    }
    return forms.as_json(document)


def changes(
    graph: str, steps: Iterable[tuple[str, Step]], waiting: Iterable[tuple[str, Step]]
) -> list[dict[str, Any]]:
    """What comes first, and what waits for it. ``graph`` is ``https://host`` of the cloud."""
    return [
        *({**_change(graph, *named), "waits": False} for named in steps),
        *({**_change(graph, *named), "waits": True} for named in waiting),
    ]


def _change(graph: str, stage: str, step: Step) -> dict[str, Any]:
    return {
        "stage": stage,
        "action": step.action,
        "target": step.target,
        "event": step.event,
        "server": step.server,
        "summary": step.summary or None,
        "safetyAct": step.safety,
        "command": step.spelled_out,
        "powershell": script.lines(graph, step),
        **_call(graph, step),
    }


def _call(graph: str, step: Step) -> dict[str, Any]:
    command = step.command
    if isinstance(command, Cmdlet):
        parameters = {name: _plain(value) for name, value in command.parameters}
        return {"cmdlet": {"name": command.name, "parameters": parameters}, "graph": None}
    url = f"{graph}/v1.0/{command.path}"
    return {"cmdlet": None, "graph": {"method": command.method, "url": url, "body": command.body}}


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | bool | tuple) else str(value)
