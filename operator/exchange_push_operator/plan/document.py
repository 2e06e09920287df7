"""A plan for programs. Names are stable."""

from __future__ import annotations

import json
from typing import Any

from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.plan import Step
from exchange_push_operator.plan import script
from exchange_push_operator.plan.passive import Planned

_RESULTS = ("NothingToDo", "Error", "Changes")


def as_json(planned: Planned) -> str:
    """One object."""
    document = {
        "resource": planned.name,
        "result": _RESULTS[planned.verdict],
        "planHash": planned.plan_hash or None,
        "steps": [_step(planned, stage, step) for stage, step in planned.steps],
        "heldBack": planned.held_back,
        "inTheWay": list(planned.in_the_way),
        "conditions": list(planned.status.get("conditions") or ()),
        "advisories": list(planned.status.get("advisories") or ()),
    }
    return json.dumps(document, indent=2) + "\n"


def _step(planned: Planned, stage: str, step: Step) -> dict[str, Any]:
    told: dict[str, Any] = {
        "stage": stage,
        "action": step.action,
        "target": step.target,
        "event": step.event,
        "server": step.server,
        "summary": step.summary or None,
        "command": step.spelled_out,
        "powershell": script.lines(planned.graph, step),
    }
    if isinstance(step.command, Cmdlet):
        parameters = {name: _plain(value) for name, value in step.command.parameters}
        return {**told, "cmdlet": {"name": step.command.name, "parameters": parameters}}
    request = step.command
    url = f"{planned.graph}/v1.0/{request.path}"
    return {**told, "graph": {"method": request.method, "url": url, "body": request.body}}


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | bool | tuple) else str(value)
