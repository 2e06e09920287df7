"""The push-notification proxy, put together from two ways of looking at it.

There is no Get- cmdlet. Microsoft's page of Enable-PushNotificationProxy says that -WhatIf shows
the state (example 1), but not which object comes back: the stored one, one made of what was asked,
or none. Active Directory tells whether there is a stored object and when it changed; in which
attributes it keeps the rest is documented nowhere. docs/exchange.md has the table of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from exchange_push_operator.core.commands import Row, cmdlet
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.looks import ORGANIZATION, Observations
from exchange_push_operator.core.plan import Finding, fails
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.timestamps import parse_utc
from exchange_push_operator.core.urls import split

WHAT_IF = cmdlet("Enable-PushNotificationProxy", WhatIf=True)
DIRECTORY = cmdlet("Get-LocalPushNotificationProxy")
LOOKS = (WHAT_IF, DIRECTORY)


@dataclass(frozen=True, slots=True)
class PushProxy:
    """The proxy as it is stored. ``changed`` is None where it was never configured."""

    enabled: bool
    organization: str
    uri: str
    changed: datetime | None


_NEVER_CONFIGURED = PushProxy(enabled=False, organization="", uri="", changed=None)


def read(observed: Observations) -> PushProxy | None:
    """The stored proxy; None where nothing shows it. Raises: Refused, CmdletFailed."""
    rows = observed.organization(WHAT_IF)
    shown = _read(rows[0]) if rows else None
    directory = observed.cmdlets[ORGANIZATION, DIRECTORY]
    absent = directory.error is None and not directory.rows
    if shown is None or shown.changed is None:
        # An object without a date was not read from the directory: it is what was asked.
        return _NEVER_CONFIGURED if absent else None
    return None if absent else shown


def _read(row: Row) -> PushProxy:
    changed = row.get("WhenChangedUTC")
    return PushProxy(
        enabled=bool(row["Enabled"]),
        organization=str(row.get("Organization") or ""),
        uri=str(row.get("Uri") or ""),
        changed=parse_utc(changed) if changed else None,
    )


def drift(config: PushConfig, observed: PushProxy) -> Finding | None:
    """How an enabled proxy differs from the declared one; None where it does not."""
    if not observed.enabled:
        return fails(Reason.DISABLED, "the proxy is disabled")
    if observed.organization.lower() != config.proxy.organization.lower():
        return fails(
            Reason.OTHER_ORGANIZATION, f"the proxy is enabled for {observed.organization or '-'}"
        )
    if _address(observed.uri) != _address(config.proxy.uri or ""):
        return fails(Reason.OTHER_ORGANIZATION, f"the proxy sends to {observed.uri or '-'}")
    return None


def _address(uri: str) -> tuple[str, str, str]:
    parts = split(uri)
    return parts.scheme.lower(), parts.netloc.lower(), parts.path.rstrip("/").lower()
