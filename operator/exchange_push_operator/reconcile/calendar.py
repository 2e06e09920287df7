"""The part of status.certificate that tells what follows, and what was before."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from exchange_push_operator.core import rollover_seen, superseded
from exchange_push_operator.core.config import PushConfig, RollOver
from exchange_push_operator.core.following import following
from exchange_push_operator.core.looks import Observations
from exchange_push_operator.core.rollover import Act, decide
from exchange_push_operator.core.rollover_seen import Seen
from exchange_push_operator.core.timestamps import utc_text

_STAGES: Mapping[Act, str] = {
    Act.REPAIR: "Copying",
    Act.WAIT_FOR_SERVERS: "WaitsForServers",
    Act.WAIT_FOR_KEY: "WaitsForKey",
    Act.WAIT_FOR_ENTRA: "WaitsForKey",
    Act.MOVE_DATE: "WaitsForKey",
    Act.BRING_FORWARD: "Staged",
    Act.STAGE: "Staging",
    Act.WAIT_FOR_DATE: "Staged",
    Act.PUBLISH: "Publishing",
}


def calendar(config: PushConfig, observed: Observations, now: datetime) -> dict[str, Any]:
    """``next`` and ``previous``, each where there is one. Raises: Refused, CmdletFailed."""
    if config.roll_over is None:
        return {}
    seen = rollover_seen.read(config, observed)
    told = {
        "next": _next(config.roll_over, seen, now),
        "previous": _previous(config, config.roll_over, seen, now),
    }
    return {key: value for key, value in told.items() if value}


def _next(roll_over: RollOver, seen: Seen, now: datetime) -> dict[str, str]:
    found = following(roll_over, seen, now)
    if found.resting is not None:
        return {**_described(seen, found.resting), "stage": "NotDue"}
    stage = _STAGES.get(decide(found.situation).act)
    if found.thumbprint is None or stage is None:
        return {}
    told = _described(seen, found.thumbprint)
    if found.staged and seen.auth.next_effective is not None:
        told["effectiveDate"] = utc_text(seen.auth.next_effective)
    return {**told, "stage": stage}


def _previous(config: PushConfig, roll_over: RollOver, seen: Seen, now: datetime) -> dict[str, str]:
    thumbprint = superseded.previous(config, seen, now)
    if thumbprint is None:
        return {}
    began = superseded.since(config, thumbprint, now)
    told = {**_described(seen, thumbprint), "supersededAt": utc_text(began)}
    if any(key.thumbprint == thumbprint for key in superseded.keys(config, seen, now)):
        told["removeAfter"] = utc_text(began + roll_over.key_grace)
    return told


def _described(seen: Seen, thumbprint: str) -> dict[str, str]:
    found = seen.certificate(thumbprint)
    ends = {"notAfter": utc_text(found.not_after)} if found else {}
    return {"thumbprint": thumbprint, **ends}
