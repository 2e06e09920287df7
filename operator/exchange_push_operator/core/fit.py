"""A status that the API server takes: every text and list within the limits of the CRD.

A status that is refused for its length would be refused for ever, while changes go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Where there is no entry, the text is made by us and short, or bounded where it is made.
_LONGEST: Mapping[tuple[str, ...], int] = {
    ("lastHandledReconcileAt",): 256,
    ("proxy", "organization"): 1024,
    ("proxy", "uri"): 2048,
    ("servers", "version"): 32,
    ("servers", "message"): 1024,
    ("servers", "probeError"): 512,
    ("plannedChanges", "id"): 128,
    ("plannedChanges", "target"): 512,
    ("plannedChanges", "action"): 128,
    ("plannedChanges", "command"): 16384,
    ("history", "target"): 512,
    ("history", "action"): 128,
    ("advisories", "message"): 1024,
    ("conditions", "message"): 1024,
}
_MOST: Mapping[tuple[str, ...], int] = {("plannedChanges",): 32, ("advisories",): 32}
_CUT = "..."


def fit(status: Mapping[str, Any]) -> dict[str, Any]:
    """The status with what is too long cut, and marked as cut."""
    return {key: _fit(value, (key,)) for key, value in status.items()}


def _fit(value: Any, place: tuple[str, ...]) -> Any:
    if isinstance(value, Mapping):
        return {key: _fit(item, (*place, key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_fit(item, place) for item in value[: _MOST.get(place)]]
    if isinstance(value, str):
        return _short(value, _LONGEST.get(place))
    return value


def _short(text: str, longest: int | None) -> str:
    if longest is None or len(text) <= longest:
        return text
    return text[: longest - len(_CUT)] + _CUT
