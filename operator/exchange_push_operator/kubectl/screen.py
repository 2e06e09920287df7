"""The state of a resource on one screen: stages, servers, dates, and its changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from textwrap import wrap
from typing import Any

from exchange_push_operator.core.cluster import Resource
from exchange_push_operator.core.conditions import IN_SYNC, READY, find
from exchange_push_operator.core.config import SUSPENDED
from exchange_push_operator.core.errors import SpecError
from exchange_push_operator.core.parse import parse
from exchange_push_operator.core.status import STAGE_CONDITIONS
from exchange_push_operator.core.timestamps import parse_utc, utc_text
from exchange_push_operator.plan.leave import Leave, asked
from exchange_push_operator.workstation.forms import cut, one_line, table

_INDENT = " " * 9
_NEWEST = 5  # of status.history


def draw(resource: Resource, now: datetime, width: int) -> str:
    """No line is longer than ``width``, but for the message of Ready, which is wrapped."""
    status = resource.get("status") or {}
    leave = _leave(resource, status, now)
    parts = (
        _head(resource, status, width),
        _stages(resource, status, width),
        _servers(status, width),
        _dates(status, leave, now, width),
        _planned(status, leave, width),
        _history(status, width),
        _advisories(status, width),
    )
    blocks = ("\n".join(lines) for lines in (list(part) for part in parts) if lines)
    return "\n\n".join(blocks) + "\n"


def _leave(resource: Resource, status: Mapping[str, Any], now: datetime) -> Leave:
    try:
        return asked(parse(resource), str(status.get("planHash") or ""), now)
    except SpecError:  # Ready says what is wrong with it
        return Leave()


def _head(resource: Resource, status: Mapping[str, Any], width: int) -> Iterator[str]:
    metadata, spec = resource["metadata"], resource["spec"]
    name = f"{metadata['namespace']}/{metadata['name']}"
    facts = [name, f"tenant {spec['tenant']['domain']}", _mode(resource)]
    if status.get("serversReady"):
        facts.append(f"servers {status['serversReady']}")
    yield cut(", ".join(facts), width)
    for label, type_ in (("Ready", READY), ("In sync", IN_SYNC)):
        found = find(status, type_) or {"status": "Unknown", "reason": "", "message": "not yet"}
        text = one_line(f"{found['status']} {found['reason']}: {found['message']}")
        lines = wrap(text, width - len(_INDENT)) if type_ == READY else [text]
        yield cut(f"{label:<{len(_INDENT)}}{lines[0]}", width)
        yield from (f"{_INDENT}{line}" for line in lines[1:])


def _mode(resource: Resource) -> str:
    spec, metadata = resource["spec"], resource["metadata"]
    if "deletionTimestamp" in metadata:
        return "being deleted"
    if spec.get("suspend") or (metadata.get("annotations") or {}).get(SUSPENDED) == "true":
        return "suspended"
    return str(spec.get("managementPolicy", "Manage"))


def _stages(resource: Resource, status: Mapping[str, Any], width: int) -> Iterator[str]:
    generation = resource["metadata"].get("generation")
    found = (find(status, name) for name in STAGE_CONDITIONS)
    rows = [
        (c["type"], _state(c, generation), c["reason"], c["message"])
        for c in found
        if c is not None
    ]
    return table(("STAGE", "STATUS", "REASON", "MESSAGE"), rows, width)


def _state(condition: Mapping[str, Any], generation: Any) -> str:
    """A condition of an older generation says nothing of what spec asks for now."""
    old = condition.get("observedGeneration") != generation
    return f"{condition['status']}{' (old)' if old else ''}"


def _servers(status: Mapping[str, Any], width: int) -> Iterator[str]:
    rows = [
        (
            row["name"],
            "yes" if row.get("ready") else "no",
            row.get("version", "-"),
            row.get("certificate", "-"),
            row.get("probe", "-"),
            _note(row),
        )
        for row in status.get("servers") or ()
    ]
    return table(("SERVER", "READY", "VERSION", "CERTIFICATE", "PROBE", "NOTE"), rows, width)


def _note(row: Mapping[str, Any]) -> str:
    parts = (row.get("reason"), row.get("message"), row.get("probeError"))
    return ": ".join(part for part in parts if part)


def _dates(status: Mapping[str, Any], leave: Leave, now: datetime, width: int) -> Iterator[str]:
    moments = list(_moments(status))
    if leave.opening is not None:
        moments.append((utc_text(leave.opening), "a change window opens"))
    rows = [(text, _days(text, now), what) for text, what in sorted(moments)]
    return table(("DATE", "DAYS", "WHAT"), rows, width)


def _moments(status: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    certificate = status.get("certificate") or {}
    following, former = certificate.get("next") or {}, certificate.get("previous") or {}
    key = status.get("principalCredential") or {}
    found: Sequence[tuple[str | None, str]] = (
        (certificate.get("notAfter"), f"end of certificate {certificate.get('thumbprint')}"),
        (following.get("effectiveDate"), f"{following.get('thumbprint')} becomes current"),
        (following.get("notAfter"), f"end of next certificate {following.get('thumbprint')}"),
        (former.get("removeAfter"), f"key of former {former.get('thumbprint')} may go"),
        (key.get("endDateTime"), "end of the key in Entra ID"),
        *((row.get("awaySince"), f"{row['name']} away since") for row in status.get("servers", ())),
    )
    return ((text, what) for text, what in found if text)


def _days(text: str, now: datetime) -> str:
    """Whole days from now; less than nothing for what is over."""
    return str((parse_utc(text) - now).days)


def _planned(status: Mapping[str, Any], leave: Leave, width: int) -> Iterator[str]:
    rows = [
        (change["stage"], change["action"], change["target"])
        for change in status.get("plannedChanges") or ()
    ]
    if rows:
        yield from table((f"PLANNED {leave.plan}", "ACTION", "TARGET"), rows, width)
        yield from (cut(line, width) for line in leave.told())


def _history(status: Mapping[str, Any], width: int) -> Iterator[str]:
    rows = [
        (entry["time"], entry["outcome"], entry["action"], entry["target"])
        for entry in (status.get("history") or ())[:_NEWEST]
    ]
    return table(("CHANGED", "OUTCOME", "ACTION", "TARGET"), rows, width)


def _advisories(status: Mapping[str, Any], width: int) -> Iterator[str]:
    rows = [(advice["type"], advice["message"]) for advice in status.get("advisories") or ()]
    return table(("ADVISORY", "MESSAGE"), rows, width)
