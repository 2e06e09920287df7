"""The fixed functions of the host script: what only the machine itself knows."""

from __future__ import annotations

from exchange_push_operator.core.errors import CmdletFailed
from lab.exchange.cmdlets.base import Call, Row, rule
from lab.exchange.directory import PushProxy
from lab.exchange.server import Server
from lab.exchange.texts import say

HEALTH_MANAGER = "MSExchangeHM"
_STARTED = {
    HEALTH_MANAGER: "health_manager_started",
    "MSExchangeServiceHost": "service_host_started",
    "MSExchangeOWAAppPool": "owa_pool_started",
    "MSExchangeECPAppPool": "ecp_pool_started",
}


def get_local_exchange_server(call: Call) -> list[Row]:
    server = call.server
    return [
        {
            "Name": server.name,
            "Fqdn": server.fqdn,
            "Version": server.version,
            "TimeUTC": server.now(),
            "HealthManagerStartedUTC": server.shown(server.health_manager()),
            "ServiceHostStartedUTC": server.shown(server.service_host_started),
            "OwaPoolStartedUTC": server.shown(server.owa_pool_started),
            "EcpPoolStartedUTC": server.shown(server.ecp_pool_started),
            "SetupRunning": server.faults.setup_running,
            "TransportCertificateThumbprint": None
            if server.faults.transport_unreadable
            else server.transport,
        }
    ]


def get_local_certificate(call: Call) -> list[Row]:
    return [
        {
            "Thumbprint": held.thumbprint,
            "HasPrivateKey": held.key is not None,
            "FriendlyName": held.friendly_name,
            "RawData": held.der,
        }
        for held in call.server.store.values()
    ]


def get_local_proxy(call: Call) -> list[Row]:
    """What the directory tells of the proxy's object: that it is there, and its date."""
    if call.server.faults.directory_unreadable:
        # inferred: what .NET says where the object may not be read
        raise CmdletFailed(
            say(call.server.culture, "directory_denied"),
            identifier="DirectoryServicesCOMException",
            category="NotSpecified",
            kind="DirectoryServicesCOMException",
        )
    proxy = call.view.find(PushProxy, PushProxy().name)
    return [{"Name": proxy.name, "WhenChangedUTC": proxy.when_changed}] if proxy else []


def test_local_reach(call: Call) -> list[Row]:
    """Microsoft 365 answers 200 here; without a way out .NET says ConnectFailure."""
    if call.server.faults.outbound_blocked:
        return [{"Status": None, "Failure": "ConnectFailure"}]
    return [{"Status": 200, "Failure": None}]


def restart(call: Call) -> list[Row]:
    """A service, or the worker processes of an application pool."""
    server = call.server
    name = call.text("Name")
    if name == HEALTH_MANAGER:
        _restart_health_manager(server)
    setattr(server, _STARTED[name], server.clock())
    call.changed = True
    return []


def _restart_health_manager(server: Server) -> None:
    server.faults.health_manager_stopped = server.faults.health_manager_broken
    if server.faults.health_manager_broken:
        raise CmdletFailed(
            say(server.culture, "service", HEALTH_MANAGER),
            identifier="StartServiceFailed,Microsoft.PowerShell.Commands.RestartServiceCommand",
            category="OpenError",
            kind="ServiceCommandException",
        )


RULES = (
    rule("Get-LocalExchangeServer", get_local_exchange_server),
    rule("Get-LocalCertificate", get_local_certificate),
    rule("Get-LocalPushNotificationProxy", get_local_proxy),
    rule("Test-LocalReach", test_local_reach, "Uri Proxy", required="Uri"),
    rule("Restart-Service", restart, "Name", required="Name"),
    rule("Restart-WebAppPool", restart, "Name", required="Name"),
)
