"""The part of status that tells what was seen: certificate, key, proxy, servers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from exchange_push_operator.core import certificate_store, organization, superseded
from exchange_push_operator.core.config import ProxyState, PushConfig
from exchange_push_operator.core.errors import PushError
from exchange_push_operator.core.looks import Observations
from exchange_push_operator.core.probes import ProbeState
from exchange_push_operator.core.reading import reading
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.timestamps import utc_text
from exchange_push_operator.reconcile.calendar import calendar
from exchange_push_operator.reconcile.judge import finding_of
from exchange_push_operator.reconcile.session import Session
from exchange_push_operator.reconcile.walk import Walk
from exchange_push_operator.stages import principal_credential, proxy, verification


def facts(
    status: Mapping[str, Any], session: Session, result: Walk, now: datetime
) -> dict[str, Any]:
    """The status with what was seen; what could not be seen this time stays as it was."""
    seen: dict[str, Any] = {**status, "tenantId": session.tenant_id}
    config, observed = session.config, result.observed
    readers = (
        ("organizationId", lambda: organization.organization_id(observed)),
        ("certificate", lambda: _certificate(config, observed, now)),
        ("principalCredential", lambda: _principal(config, observed, now)),
        ("proxy", lambda: _proxy(config, observed)),
        ("clientCertificate", lambda: _client_certificate(session)),
    )
    for key, read in readers:
        try:
            with reading(key):
                value = read()
        except PushError:
            continue
        if value is None:
            seen.pop(key, None)
        else:
            seen[key] = value
    rows = [_row(config, observed, name, now) for name in config.servers]
    seen["servers"] = rows
    seen["serversReady"] = f"{sum(row['ready'] for row in rows)}/{len(rows)}"
    return seen


def _certificate(
    config: PushConfig, observed: Observations, now: datetime
) -> dict[str, Any] | None:
    told = certificate(observed)
    return None if told is None else told | calendar(config, observed, now)


def certificate(observed: Observations) -> dict[str, Any] | None:
    """The current certificate; None where there is none. Raises: Refused, CmdletFailed."""
    auth = organization.auth_config(observed)
    found = certificate_store.find_certificate(observed, auth.current) if auth.current else None
    if found is None:
        return None
    current = found.certificate
    told: dict[str, Any] = {
        "thumbprint": current.thumbprint,
        "sha256": current.sha256,
        "notBefore": utc_text(current.not_before),
        "notAfter": utc_text(current.not_after),
        "origin": "Created" if found.ours else "Adopted",
        "publicKey": current.base64,
    }
    if auth.next:
        told["next"] = _next(observed, auth.next, auth.next_effective)
    return told


def _next(observed: Observations, thumbprint: str, effective: datetime | None) -> dict[str, str]:
    told = {"thumbprint": thumbprint}
    found = certificate_store.find_certificate(observed, thumbprint)
    if found is not None:
        told["notAfter"] = utc_text(found.certificate.not_after)
    if effective is not None:
        told["effectiveDate"] = utc_text(effective)
    return told


def _principal(config: PushConfig, observed: Observations, now: datetime) -> dict[str, Any] | None:
    seen = principal_credential.observe(config, observed)
    if seen is None or not seen.principal.exists:
        return None
    told: dict[str, Any] = {"foreignKeys": len(seen.foreign())}
    entry = seen.lasting(seen.current, now) if seen.current else None
    if entry is not None:
        told["keyId"] = entry.key_id
        stored = {"startDateTime": entry.starts, "endDateTime": entry.ends}
        told |= {name: utc_text(moment) for name, moment in stored.items() if moment}
    if former := superseded.told(config, seen.seen, now):
        told["superseded"] = former
    return told


def _client_certificate(session: Session) -> dict[str, Any] | None:
    ends = session.certificate_ends
    return {"notAfter": utc_text(ends)} if ends else None


def _proxy(config: PushConfig, observed: Observations) -> dict[str, Any] | None:
    seen = proxy.observe(config, observed)
    if seen is None:
        return None
    state = ProxyState.ENABLED if seen.enabled else ProxyState.DISABLED
    told = {"state": state.value, "organization": seen.organization, "uri": seen.uri}
    return {key: value for key, value in told.items() if value}


def _row(config: PushConfig, observed: Observations, name: str, now: datetime) -> dict[str, Any]:
    rows = {row["name"]: row for row in config.status.get("servers") or ()}
    before: Mapping[str, Any] = rows.get(name, {})
    if name in observed.away:
        row = {key: before[key] for key in ("version", "certificate") if key in before}
        since = before.get("awaySince") or utc_text(now)
        reason = finding_of(observed.away[name]).reason
        return {
            "name": name, "ready": False, **row, "reason": str(reason),
            "message": str(observed.away[name]),
            "awaySince": since,
        }  # fmt: skip
    row = {"name": name, "ready": False}
    try:
        with reading(name):
            return _answering(config, observed, row, now)
    except PushError as error:
        return {**row, "reason": str(Reason.NOT_OBSERVED), "message": str(error)}


def _answering(
    config: PushConfig, observed: Observations, row: dict[str, Any], now: datetime
) -> dict[str, Any]:
    name = row["name"]
    local = organization.local_server(observed, name)
    if local.version:
        row["version"] = ".".join(map(str, local.version))
    current = organization.auth_config(observed).current
    if current:
        stored = certificate_store.stored_certificates(observed, name).get(current)
        held = stored is not None and stored.has_private_key
        row["certificate"] = "Present" if held else "Missing"
    row["ready"] = row.get("certificate") == "Present"
    if local.maintenance:
        return {**row, "ready": False, "reason": str(Reason.IN_MAINTENANCE)}
    seen = verification.observe(config, observed)
    result = seen.probes.get(name) if seen else None
    if result is not None:
        row["probe"] = str(result.state)
        row["ready"] = row["ready"] and result.state is not ProbeState.FAILED
        if result.state is ProbeState.FAILED:
            row["reason"] = str(result.reason)
        if result.error:
            row["probeError"] = result.error
    if seen is not None and name in verification.returning(config, seen, now):
        row["reason"] = str(Reason.SETTLING)
    return row
