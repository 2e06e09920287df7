"""Managed Availability's probe, and Test-OAuthConnectivity: both walk the real chain."""

from __future__ import annotations

from lab.exchange.chain import StageFailed, signed_token, walk
from lab.exchange.cmdlets.base import Call, Row, rule
from lab.exchange.failures import failure
from lab.exchange.server import Server
from lab.exchange.texts import say

HEALTH_SET = "PushNotifications.Proxy"
PROBE = "PushNotificationsEnterpriseConnectivityProbe"


def _listed(call: Call, server: Server) -> bool:
    """Does the health manager of a server know the probe?"""
    if not server.has_push_probe:
        return False
    # inferred: an old health manager lists the probe and fails it; the switch has it unlisted
    if call.organization.switches.stale_probe != "unlisted":
        return True
    changed = call.view.proxy().when_changed
    started = server.health_manager()
    return started is not None and (changed is None or started >= changed)


def _monitored(call: Call) -> Server:
    server = call.other_server(call.text("Server"))
    away = server is not call.server and server.faults.down
    if away or server.health_manager() is None:
        # inferred: type and text where the health manager does not answer
        raise failure(
            call.server, "RpcException", "ResourceUnavailable", "no_monitoring", server.name
        )
    return server


def get_monitoring_items(call: Call) -> list[Row]:
    server = _monitored(call)
    if call.text("Identity").lower() != HEALTH_SET.lower() or not _listed(call, server):
        return []
    return [{"Name": PROBE, "HealthSetName": HEALTH_SET, "ItemType": "Probe"}]


def invoke_probe(call: Call) -> list[Row]:
    server = _monitored(call)
    identity = call.text("Identity")
    started = server.health_manager() or server.clock()
    warming = (server.clock() - started).total_seconds() < call.organization.switches.probe_warmup
    known = identity.lower() == f"{HEALTH_SET}\\{PROBE}".lower() and _listed(call, server)
    if not known or warming:
        raise failure(
            call.server,
            "InvalidOperationException",
            "InvalidOperation",
            "no_item",
            identity,
            server.name,
        )
    try:
        walk(call.organization, server)
    except StageFailed as error:
        return [{"ResultType": "Failed", "Error": str(error), "Exception": error.trace}]
    return [{"ResultType": "Succeeded", "Error": "", "Exception": ""}]


def test_oauth(call: Call) -> list[Row]:
    """The same chain without the push endpoint; the answer tells what was asked for."""
    try:
        principal, realm, _ = signed_token(call.organization, call.server)
    except StageFailed as error:
        return [{"ResultType": "Error", "Detail": error.trace}]
    detail = say(call.server.culture, "granted", principal, realm)
    return [{"ResultType": "Success", "Detail": detail}]


RULES = (
    rule(
        "Get-MonitoringItemIdentity",
        get_monitoring_items,
        "Identity Server",
        required="Identity Server",
    ),
    rule("Invoke-MonitoringProbe", invoke_probe, "Identity Server", required="Identity Server"),
    rule(
        "Test-OAuthConnectivity",
        test_oauth,
        "Service TargetUri AppOnly ReloadConfig",
        required="Service TargetUri",
    ),
)
