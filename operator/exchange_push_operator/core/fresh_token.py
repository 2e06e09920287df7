"""How old an access token may be: it tells the permissions of the moment it was issued in."""

from __future__ import annotations

from datetime import datetime, timedelta

from exchange_push_operator.core.conditions import IN_SYNC, find
from exchange_push_operator.core.config import RECONCILE_REQUESTED_AT, PushConfig
from exchange_push_operator.core.reasons import Reason

# Entra ID itself needs minutes to spread a grant, so asking for another token sooner is no use.
SPREAD = timedelta(minutes=5)


def issued_after(config: PushConfig, now: datetime) -> datetime | None:
    """The time after which the token of this pass has to be issued; None: any that still lasts.

    A person who asks for a pass has just changed something, perhaps a permission.
    """
    requested = config.annotations.get(RECONCILE_REQUESTED_AT)
    if requested and requested != config.status.get("lastHandledReconcileAt"):
        return now
    in_sync = find(config.status, IN_SYNC) or {}
    waits = in_sync.get("reason") == Reason.AWAITING_ADMINISTRATOR
    return now - SPREAD if waits else None
