"""The rules that every status we write keeps: kstatus, the Kubernetes API conventions, our own.

Where they differ, docs/reference.md rules: with ``Reconciling`` Ready need not be False.
``lint`` is asked at every door that a status goes through in tests: the lab in process, the
objects in memory of the controller's tests, and a watch of the real API server.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from exchange_push_operator.core.conditions import find
from exchange_push_operator.core.config import SUSPENDED
from exchange_push_operator.core.reasons import LEAVE_READY_ALONE
from exchange_push_operator.core.status import STAGE_CONDITIONS
from lab.reason_table import legal

Resource: TypeAlias = Mapping[str, Any]
Status: TypeAlias = Mapping[str, Any]
Condition: TypeAlias = Mapping[str, Any]
Rule: TypeAlias = Callable[[Resource, Status], Iterator[str]]

_FIELDS = ("type", "status", "reason", "message", "observedGeneration", "lastTransitionTime")
_KEYS = {"conditions": "type", "servers": "name", "plannedChanges": "id", "advisories": "type"}
_ABNORMAL = ("Reconciling", "Stalled")
_LONGEST = 1024
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_REQUEST = rf"(?:request|correlation|trace|activity)\W.{{0,12}}?{_GUID.pattern}"
_COUNT = r"\b(?:attempt|retry|try)s? ?#?\d|\b\d+(?:st|nd|rd|th)? (?:attempt|try|tries|times?)\b"
_UNSTABLE = {
    "a date": re.compile(r"\b\d{4}-\d\d-\d\d"),
    "a time": re.compile(r"\b\d{1,2}:\d\d(?::\d\d)?\b"),
    "an id of a request": re.compile(_REQUEST, re.IGNORECASE),
    "a counter": re.compile(_COUNT, re.IGNORECASE),
    "an age": re.compile(r"\b\d+(?:\.\d+)? ?\w+ (?:ago|left)\b", re.IGNORECASE),
}
# The figure in ex1 is a part of a name: the message is about another server where it differs.
_FIGURES = re.compile(rf"{_GUID.pattern}|(?<![a-z\d])\d+", re.IGNORECASE)
# When the next change window opens stands still until then.
_OPENING = re.compile(rf"(?<=opens at ){_MOMENT.pattern}")


def lint(before: Resource, status: Status) -> list[str]:
    """Every rule that a write breaks, as sentences; ``before`` is the object that it meets."""
    return [broken for rule in RULES for broken in rule(before, status)]


def _nothing_is_written_where_nothing_changed(before: Resource, status: Status) -> Iterator[str]:
    if status == _old(before):
        yield "a status was written although nothing has changed"


def _no_write_for_other_figures_alone(before: Resource, status: Status) -> Iterator[str]:
    old = _old(before)
    if status != old and _without_figures(status) == _without_figures(old):
        yield "a message has changed in its figures alone: a counter, or an id"


def _every_condition_is_there(_before: Resource, status: Status) -> Iterator[str]:
    for type_ in ("Ready", "InSync", *STAGE_CONDITIONS):
        if find(status, type_) is None:
            yield f"there is no {type_}"


def _abnormal_conditions_are_there_while_true(_before: Resource, status: Status) -> Iterator[str]:
    there = [c for c in _conditions(status) if c["type"] in _ABNORMAL]
    yield from (f"{c['type']} is there and not True" for c in there if c["status"] != "True")
    if len(there) > 1:
        yield "Reconciling and Stalled at once"


def _ready_is_not_true_while_abnormal(_before: Resource, status: Status) -> Iterator[str]:
    ready, stalled = find(status, "Ready") or {}, find(status, "Stalled")
    if stalled and (ready.get("status"), ready.get("reason")) != ("False", stalled["reason"]):
        yield f"Stalled for {stalled['reason']}, and Ready does not say so"
    if find(status, "Reconciling") and ready.get("status") == "True":
        yield "Ready while Reconciling"


def _a_ready_that_is_false_names_its_stage(_before: Resource, status: Status) -> Iterator[str]:
    ready = find(status, "Ready") or {}
    if ready.get("status") != "False" or find(status, "Stalled") or ready["reason"] == "Deleting":
        return
    found = (find(status, type_) or {} for type_ in STAGE_CONDITIONS)
    false = [c for c in found if c.get("status") == "False"]
    first = next((c["reason"] for c in false if c["reason"] not in LEAVE_READY_ALONE), None)
    if ready["reason"] != first:
        yield f"Ready is False for {ready['reason']}, the first stage that is False for {first}"


def _conditions_are_complete(_before: Resource, status: Status) -> Iterator[str]:
    for condition in _conditions(status):
        missing = [name for name in _FIELDS if not condition.get(name)]
        if missing:
            yield f"{condition['type']} has no {', '.join(missing)}"
        if not _MOMENT.fullmatch(str(condition.get("lastTransitionTime"))):
            yield f"{condition['type']}: lastTransitionTime is no moment"


def _generations_are_not_ahead_and_do_not_go_back(
    before: Resource, status: Status
) -> Iterator[str]:
    generation, seen = before["metadata"]["generation"], status.get("observedGeneration")
    if seen is None or not _old(before).get("observedGeneration", -1) <= seen <= generation:
        yield f"observedGeneration {seen}, generation {generation}"
    for condition in _conditions(status):
        observed = condition.get("observedGeneration") or 0
        if not 0 < observed <= (seen or 0):
            yield f"{condition['type']}: observedGeneration {observed}, of the status {seen}"
    ready = (find(status, "Ready") or {}).get("observedGeneration")
    if ready != seen:
        yield f"Ready speaks of generation {ready}, the status of {seen}"


def _the_transition_time_moves_with_the_status_only(
    before: Resource, status: Status
) -> Iterator[str]:
    for condition in _conditions(status):
        old = find(_old(before), condition["type"])
        if old is None:
            continue
        then, now = old["lastTransitionTime"], condition.get("lastTransitionTime")
        if old["status"] == condition["status"] and now != then:
            yield f"{condition['type']}: lastTransitionTime from {then} to {now}"


def _reasons_are_legal(_before: Resource, status: Status) -> Iterator[str]:
    for condition in _conditions(status):
        type_, value, reason = (condition.get(key, "") for key in ("type", "status", "reason"))
        if (type_, value, reason) not in legal():
            yield f"{type_}={value}/{reason} is not in docs/reasons.md"


def _messages_are_one_stable_sentence(_before: Resource, status: Status) -> Iterator[str]:
    # The dates of the certificates stand in the status themselves, and stand still.
    standing = set(_MOMENT.findall(json.dumps(status.get("certificate") or {})))
    for where, message in _messages(status):
        if len(message) > _LONGEST or not message.isprintable() or message != message.strip():
            yield f"{where}: more than one line of {_LONGEST} characters: {message!r}"
        plain = _OPENING.sub("", message)
        plain = _MOMENT.sub(lambda moment: "" if moment[0] in standing else moment[0], plain)
        yield from (
            f"{where} has {what}: {message}"
            for what, pattern in _UNSTABLE.items()
            if pattern.search(plain)
        )


def _maps_have_each_key_once(_before: Resource, status: Status) -> Iterator[str]:
    for field, key in _KEYS.items():
        counted = Counter(item[key] for item in status.get(field) or ())
        yield from (f"{field}: {name} twice" for name, number in counted.items() if number > 1)
    types = [advisory["type"] for advisory in status.get("advisories") or ()]
    if types != sorted(types):
        yield "advisories are not sorted"


def _a_suspended_resource_says_so_and_nothing_else(
    before: Resource, status: Status
) -> Iterator[str]:
    told = {type_: _told(status, type_) for type_ in ("Ready", "InSync", *_ABNORMAL)}
    if _suspended(before) and told["Ready"] != ("Unknown", "Suspended"):
        if told["Ready"] != ("False", "InvalidSpec"):
            yield f"suspended, and Ready is {told['Ready']}"
        return
    if ("Unknown", "Suspended") not in (told["Ready"], told["InSync"]):
        return
    shape = {"Ready": ("Unknown", "Suspended"), "InSync": ("Unknown", "Suspended")}
    if not _suspended(before) or told != {**dict.fromkeys(_ABNORMAL), **shape}:
        yield f"not the shape of a suspended resource: {told}"
    for type_ in STAGE_CONDITIONS:
        old = find(_old(before), type_)
        if old is not None and old != find(status, type_):
            yield f"{type_} has moved while suspended"


RULES: Sequence[Rule] = (
    _nothing_is_written_where_nothing_changed,
    _no_write_for_other_figures_alone,
    _every_condition_is_there,
    _abnormal_conditions_are_there_while_true,
    _ready_is_not_true_while_abnormal,
    _a_ready_that_is_false_names_its_stage,
    _conditions_are_complete,
    _generations_are_not_ahead_and_do_not_go_back,
    _the_transition_time_moves_with_the_status_only,
    _reasons_are_legal,
    _messages_are_one_stable_sentence,
    _maps_have_each_key_once,
    _a_suspended_resource_says_so_and_nothing_else,
)


def _old(before: Resource) -> Status:
    return before.get("status") or {}


def _conditions(status: Status) -> Sequence[Condition]:
    return status.get("conditions") or ()


def _told(status: Status, type_: str) -> tuple[str, str] | None:
    found = find(status, type_)
    return (found["status"], found["reason"]) if found else None


def _suspended(resource: Resource) -> bool:
    annotations = resource["metadata"].get("annotations") or {}
    return bool(resource["spec"].get("suspend")) or annotations.get(SUSPENDED) == "true"


def _messages(status: Status) -> Iterator[tuple[str, str]]:
    for field in ("conditions", "advisories", "servers"):
        for item in status.get(field) or ():
            if "message" in item:
                yield f"{field}[{item[_KEYS[field]]}]", item["message"]


def _without_figures(status: Status) -> Any:
    """The status with the figures of its messages struck out."""
    plain = json.loads(json.dumps(status))
    for field in ("conditions", "advisories", "servers"):
        for item in plain.get(field) or ():
            if "message" in item:
                item["message"] = _without(item["message"])
    return plain


def _without(message: str) -> str:
    """Without figures, but for an opening: after it there is another one."""
    opening = _OPENING.search(message)
    return _FIGURES.sub("#", message) + (opening[0] if opening else "")


class BrokenRules:
    """What the doors have noted since the last time; doors are used in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._notes: list[str] = []

    def note(self, before: Resource, status: Status) -> None:
        """Lint a write, and keep what it breaks."""
        name = before["metadata"]["name"]
        broken = [f"{name}: {sentence}" for sentence in lint(before, status)]
        with self._lock:
            self._notes += broken

    def take(self) -> list[str]:
        """All notes since the last time."""
        with self._lock:
            notes, self._notes = self._notes, []
            return notes


BROKEN_RULES = BrokenRules()
