"""How old the access token of a pass may be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from answers import config
from exchange_push_operator.core.config import RECONCILE_REQUESTED_AT
from exchange_push_operator.core.fresh_token import SPREAD, issued_after

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
WAITS = {"conditions": [{"type": "InSync", "status": "False", "reason": "AwaitingAdministrator"}]}


@pytest.mark.parametrize(
    ("requested", "status", "after"),
    [
        (None, {}, None),
        (None, WAITS, NOW - SPREAD),
        ("1", {}, NOW),
        ("1", {"lastHandledReconcileAt": "1"}, None),
        ("1", {"lastHandledReconcileAt": "1", **WAITS}, NOW - SPREAD),
        ("2", {"lastHandledReconcileAt": "1", **WAITS}, NOW),
    ],
)
def test_who_asks_for_a_pass_gets_a_new_token_who_waits_for_a_grant_one_of_the_last_minutes(
    requested: str | None, status: dict[str, Any], after: datetime | None
) -> None:
    annotations = {RECONCILE_REQUESTED_AT: requested} if requested else {}
    resource = replace(config(), annotations=annotations, status=status)
    assert issued_after(resource, NOW) == after
