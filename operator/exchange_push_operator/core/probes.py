"""Trying the chain out on a server: what is asked, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from exchange_push_operator.core import organization
from exchange_push_operator.core.commands import Cmdlet, cmdlet
from exchange_push_operator.core.config import ProxyState, PushConfig
from exchange_push_operator.core.errors import CmdletFailed
from exchange_push_operator.core.looks import Observations
from exchange_push_operator.core.probe_errors import cause
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.scrub import scrub

PROBE = "PushNotificationsEnterpriseConnectivityProbe"
_HEALTH_SET = "PushNotifications.Proxy"
# Invoke-MonitoringProbe says Succeeded, Test-OAuthConnectivity says Success.
SUCCESSES = ("Succeeded", "Success")
_LONGEST_ERROR = 512


class ProbeState(StrEnum):
    """As shown in status.servers[].probe."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    GONE = "ServiceGone"
    NOT_AVAILABLE = "NotAvailable"
    NOT_RUN = "NotRun"


@dataclass(frozen=True, slots=True)
class Probe:
    """A result. ``reason`` is why there was no success, ``error`` the server's words, scrubbed."""

    state: ProbeState
    reason: Reason | None = None
    error: str = ""


def monitoring_items(server: str) -> Cmdlet:
    """The look that tells whether a server has the probe at all."""
    return cmdlet("Get-MonitoringItemIdentity", Identity=_HEALTH_SET, Server=server)


def probe(config: PushConfig, server: str) -> Cmdlet:
    """What tries the chain out: the article's probe, or the token alone without a proxy."""
    if config.proxy.state is ProxyState.UNMANAGED:
        return token_test(config)
    return cmdlet("Invoke-MonitoringProbe", Identity=f"{_HEALTH_SET}\\{PROBE}", Server=server)


def token_test(config: PushConfig) -> Cmdlet:
    """The second opinion on a probe that failed: does the server get a token?"""
    uri = config.tenant.cloud.ews_uri
    return cmdlet("Test-OAuthConnectivity", Service="EWS", TargetUri=uri, AppOnly=True)


def available(config: PushConfig, observed: Observations, server: str) -> bool:
    """Whether the server has the probe. Exchange 2016 and later may not."""
    if config.proxy.state is ProxyState.UNMANAGED:
        return True
    try:
        rows = observed.server(server, monitoring_items(server))
    except CmdletFailed:
        return False
    return any(row["Name"] == PROBE for row in rows)


def read_probe(config: PushConfig, observed: Observations, server: str) -> Probe:
    """What came of a server's probe. Raises: Refused, CmdletFailed."""
    there, look = available(config, observed, server), probe(config, server)
    answer = observed.cmdlets.get((server, look)) if there else None
    if answer is not None and succeeded(answer.rows):
        return Probe(ProbeState.SUCCEEDED)
    if _is_stopped(config, observed, server):
        return Probe(ProbeState.FAILED, Reason.HEALTH_MANAGER_STOPPED)
    if not there:
        return Probe(ProbeState.NOT_AVAILABLE, Reason.PROBE_NOT_AVAILABLE)
    if answer is None:
        return Probe(ProbeState.NOT_RUN, Reason.WAITS_FOR_CONFIGURATION)
    try:
        return _failed(config, observed, server, words(observed.server(server, look)))
    except CmdletFailed as error:
        return _failed(config, observed, server, str(error))


def succeeded(rows: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a probe, or the test of the token, ended well."""
    return any(row.get("ResultType") in SUCCESSES for row in rows)


def _is_stopped(config: PushConfig, observed: Observations, server: str) -> bool:
    """Without the health manager nobody runs a probe."""
    if config.proxy.state is ProxyState.UNMANAGED:
        return False
    return organization.local_server(observed, server).health_manager_started is None


def _failed(config: PushConfig, observed: Observations, server: str, text: str) -> Probe:
    inactive = organization.local_server(observed, server).push_inactive
    token = _token_trouble(config, observed, server)
    reason = Reason.COMPONENT_INACTIVE if inactive else cause(text, token)
    if token is not None:
        text = f"{shown(text)[: _LONGEST_ERROR // 2]} Test-OAuthConnectivity: {token or 'Success'}"
    state = ProbeState.GONE if reason is Reason.SERVICE_GONE else ProbeState.FAILED
    return Probe(state, reason, shown(text))


def _token_trouble(config: PushConfig, observed: Observations, server: str) -> str | None:
    """What Test-OAuthConnectivity complains of; "" for nothing, None where it was not run.

    A test that is not granted, or that cannot be run, has no opinion.
    """
    answer = observed.cmdlets.get((server, token_test(config)))
    if answer is None or answer.error or config.proxy.state is ProxyState.UNMANAGED:
        return None
    return "" if succeeded(answer.rows) else words(answer.rows)


def words(rows: Iterable[Mapping[str, Any]]) -> str:
    """What a probe, or the test of the token, says of its failure."""
    row = next(iter(rows), {})
    return " ".join(str(row[key]) for key in ("Error", "Exception", "Detail") if row.get(key))


def shown(text: str) -> str:
    """A server's text as it goes into status: nothing in it that moves, and not too long."""
    return scrub(text)[:_LONGEST_ERROR]
