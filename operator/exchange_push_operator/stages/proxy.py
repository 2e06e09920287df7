"""Proxy: Exchange forwards push notifications to Microsoft 365."""

from __future__ import annotations

from datetime import datetime

from exchange_push_operator.core import push_proxy
from exchange_push_operator.core.commands import cmdlet
from exchange_push_operator.core.config import ProxyState, PushConfig
from exchange_push_operator.core.errors import Unreachable
from exchange_push_operator.core.looks import Looks, Observations
from exchange_push_operator.core.plan import Advisory, Finding, Plan, Step, fails, holds, unknown
from exchange_push_operator.core.push_proxy import PushProxy
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.stage import Retirement, Stage


def looks(config: PushConfig) -> Looks:
    """The proxy, unless it is none of our business."""
    managed = config.proxy.state is not ProxyState.UNMANAGED
    return Looks(organization=push_proxy.LOOKS if managed else ())


def observe(config: PushConfig, observed: Observations) -> PushProxy | None:
    """Read it; None where Exchange does not show it. Raises: Refused, CmdletFailed."""
    if config.proxy.state is ProxyState.UNMANAGED:
        return None
    return push_proxy.read(observed)


def plan(config: PushConfig, observed: PushProxy | None, _now: datetime) -> Plan:
    """Enable, correct or disable the proxy; never guess where it cannot be seen."""
    if config.proxy.state is ProxyState.UNMANAGED:
        return Plan(holds(Reason.NOT_MANAGED, "spec.proxy.state is Unmanaged"))
    advisories = _advisories(config)
    if observed is None:
        return Plan(_unseen(), advisories=advisories)
    if config.proxy.state is ProxyState.DISABLED:
        return _disabled(observed)
    drift = push_proxy.drift(config, observed)
    if drift is None:
        message = f"the proxy is enabled for {config.proxy.organization}"
        return Plan(holds(Reason.UP_TO_DATE, message), advisories=advisories)
    return Plan(drift, (_enable(config),), advisories)


def _unseen() -> Finding:
    return unknown(
        Reason.NOT_OBSERVED,
        "Enable-PushNotificationProxy -WhatIf does not show the proxy as Active Directory has it, "
        "so it is not known and not changed; look after it by hand and set spec.proxy.state to "
        "Unmanaged",
    )


def _disabled(observed: PushProxy) -> Plan:
    if not observed.enabled:
        return Plan(holds(Reason.UP_TO_DATE, "the proxy is disabled"))
    return Plan(fails(Reason.STILL_ENABLED, "the proxy is enabled"), (_disable(observed),))


def _enable(config: PushConfig) -> Step:
    return Step(
        action="Enable the push notification proxy",
        target=config.proxy.organization,
        event="ProxyEnabled",
        command=cmdlet(
            "Enable-PushNotificationProxy",
            Organization=config.proxy.organization,
            Uri=config.proxy.uri or "",
            Confirm=False,
        ),
    )


def _disable(observed: PushProxy) -> Step:
    return Step(
        action="Disable the push notification proxy",
        target=observed.organization,
        event="ProxyDisabled",
        command=cmdlet("Disable-PushNotificationProxy", Confirm=False),
    )


def retire(config: PushConfig, observed: PushProxy | None, _now: datetime) -> Retirement:
    """Switch the proxy off if it is still what this resource declared. Raises: Unreachable."""
    if config.proxy.state is not ProxyState.ENABLED:
        return Retirement()
    if observed is None:
        raise Unreachable("Exchange does not show whether the proxy is enabled; see to it by hand")
    drift = push_proxy.drift(config, observed)
    if drift is None:
        return Retirement((_disable(observed),))
    stays = (f"{drift.message}, not as this resource declared it",) if observed.enabled else ()
    return Retirement(stays=stays)


def _advisories(config: PushConfig) -> tuple[Advisory, ...]:
    if config.proxy.state is not ProxyState.ENABLED:
        return ()
    return (
        Advisory(
            "OwaForDevicesEnded",
            "the OWA for iPhone and iPad apps stopped working on 15 May 2018; nothing else is "
            "documented to use the push notification proxy",
        ),
    )


STAGE = Stage("ProxyReady", looks, observe, plan, retire=retire)
