"""The fixed functions of the host script: what only the machine itself knows."""

from __future__ import annotations

from exchange_push_operator.core.errors import CmdletFailed
from lab.exchange.cmdlets.base import Call, Row, rule
from lab.exchange.texts import say

HEALTH_MANAGER = "MSExchangeHM"


def get_local_exchange_server(call: Call) -> list[Row]:
    server = call.server
    return [
        {
            "Name": server.name,
            "Fqdn": server.fqdn,
            "Version": server.version,
            "HealthManagerStartedUTC": server.health_manager(),
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


def restart_service(call: Call) -> list[Row]:
    server = call.server
    if server.faults.health_manager_broken:
        server.faults.health_manager_stopped = True
        raise CmdletFailed(
            say(server.culture, "service", HEALTH_MANAGER),
            identifier="StartServiceFailed,Microsoft.PowerShell.Commands.RestartServiceCommand",
            category="OpenError",
            kind="ServiceCommandException",
        )
    server.faults.health_manager_stopped = False
    server.health_manager_started = server.now()
    call.changed = True
    return []


RULES = (
    rule("Get-LocalExchangeServer", get_local_exchange_server),
    rule("Get-LocalCertificate", get_local_certificate),
    rule("Restart-Service", restart_service, "Name", required="Name"),
)
