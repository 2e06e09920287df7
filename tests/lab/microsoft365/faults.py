"""The switches of the Microsoft 365 half of the lab: one table, one way to set them.

A value is always JSON, so that the control interface can pass it on. ``*_failure`` is null or
``{"status": 429, "times": 2, "retryAfter": 5, "method": "PATCH"}``: ``times`` null means until
it is taken back, ``retryAfter`` null sends no such header, ``method`` null means every method,
``status`` 0 resets the connection before anything has happened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.microsoft365.clouds import Service

POLICY_CODES = (
    "CredentialTypeNotAllowedAsPerAppPolicy",
    "CredentialInvalidLifetimeAsPerAppPolicy",
)
_FAILURE_KEYS = {"status", "times", "retryAfter", "method"}


@dataclass(frozen=True, slots=True)
class Switch:
    """One switch: its resting value, what it may be set to, and what it does."""

    default: Any
    accepts: Callable[[Any], bool]
    meaning: str


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _seconds(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _failure(value: Any) -> bool:
    if value is None:
        return True
    return isinstance(value, dict) and "status" in value and set(value) <= _FAILURE_KEYS


def _delays(value: Any) -> bool:
    services = {service.value for service in Service}
    return isinstance(value, dict) and set(value) <= services and all(map(_seconds, value.values()))


def _policy(value: Any) -> bool:
    return value is None or value in POLICY_CODES


SWITCHES: Mapping[str, Switch] = {
    "authority_failure": Switch(None, _failure, "discovery and token endpoint fail"),
    "graph_failure": Switch(None, _failure, "Graph fails"),
    "acs_failure": Switch(None, _failure, "ACS metadata and token issue fail"),
    "push_failure": Switch(None, _failure, "the push endpoint fails (404 or 410: it is gone)"),
    "slow": Switch({}, _delays, 'seconds before each answer, by service: {"graph": 0.2}'),
    "clock_skew": Switch(0, _seconds, "seconds by which Microsoft's clock is ahead"),
    "reset_after_patch": Switch(0, _count, "so many PATCHes are applied, their answers lost"),
    "concurrency_violation": Switch(
        0, _count, "so many PATCHes get 409 Directory_ConcurrencyViolation"
    ),
    "read_lag": Switch(0, _count, "after a PATCH so many reads still give the old array"),
    "rival": Switch(0, _count, "so many reads are each followed by a key that another writer adds"),
    "token_rejected": Switch(0, _count, "Graph turns so many good tokens down (401)"),
    "conditional_access": Switch(default=False, accepts=_flag, meaning="AADSTS53003 for every app"),
    "not_provisioned": Switch(default=False, accepts=_flag, meaning="no Exchange Online principal"),
    "first_party_locked": Switch(
        default=False, accepts=_flag, meaning="403 on a PATCH of the first-party principal"
    ),
    "instance_property_lock": Switch(
        default=False, accepts=_flag, meaning="CannotUpdateLockedServicePrincipalProperty"
    ),
    "app_policy": Switch(None, _policy, "code of the tenant's app-management policy"),
    "assign_own_key_id": Switch(
        default=False, accepts=_flag, meaning="a keyId chosen by the client is replaced"
    ),
    "one_year_storage": Switch(
        default=False, accepts=_flag, meaning="stored end at most one year after the start"
    ),
    "refuse_expired_entries": Switch(
        default=False, accepts=_flag, meaning="an expired entry sent back: ...InvalidEndDate"
    ),
    "refuse_expired_dates": Switch(
        default=False, accepts=_flag, meaning="the same, but only where its end is sent along"
    ),
    "drop_display_name": Switch(
        default=False, accepts=_flag, meaning="a displayName left out of an entry is lost"
    ),
    "max_keys": Switch(600, _count, "above: Directory_ResourceSizeExceeded"),
    "accept_dedicated_application": Switch(
        default=False, accepts=_flag, meaning="the push endpoint takes the dedicated application"
    ),
}


class Faults:
    """The switches as they stand."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def set(self, name: str, value: Any) -> None:
        """Set a switch; null puts it back to rest. Raises ValueError for what it cannot be."""
        if name not in SWITCHES:
            message = f"no switch {name!r}; there are: {', '.join(sorted(SWITCHES))}"
            raise ValueError(message)
        switch = SWITCHES[name]
        if value is None:
            self._values.pop(name, None)
        elif switch.accepts(value):
            self._values[name] = dict(value) if isinstance(value, dict) else value
        else:
            message = f"{name} cannot be {value!r}: {switch.meaning}"
            raise ValueError(message)

    def clear(self) -> None:
        """Put every switch back to rest."""
        self._values.clear()

    def __getitem__(self, name: str) -> Any:
        return self._values.get(name, SWITCHES[name].default)

    def take(self, name: str) -> bool:
        """Use up one of a counting switch; False where none is left."""
        left: int = self[name]
        if left > 0:
            self._values[name] = left - 1
        return left > 0

    def failure(self, service: Service, method: str) -> Mapping[str, Any] | None:
        """The failure that this request meets, counted down."""
        name = f"{service}_failure"
        failure = self._values.get(name)
        if failure is None or failure.get("method") not in {None, method}:
            return None
        left = failure.get("times")
        if left is None:
            return dict(failure)
        self.set(name, {**failure, "times": left - 1} if left > 1 else None)
        return dict(failure) if left > 0 else None

    def dump(self) -> dict[str, Any]:
        """The switches that are not at rest."""
        return dict(self._values)
