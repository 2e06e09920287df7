"""The organisation as JSON, for people and for assertions."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from lab.exchange.cmdlets.certificate import services_text
from lab.exchange.directory import AuthServer, PartnerApplication, SettingOverride, View
from lab.exchange.organization import Organization
from lab.exchange.server import Server


def dump(organization: Organization) -> dict[str, Any]:
    """Everything there is, in its newest state."""
    with organization.lock:
        organization.tick()
        view = organization.view()
        return {
            "guid": organization.guid,
            "name": organization.name,
            **_shared(view),
            "servers": [_server(server) for server in organization.servers.values()],
            "changes": [change.as_dict() for change in organization.changes],
        }


def _shared(view: View) -> dict[str, Any]:
    return {
        "authConfig": _plain(asdict(view.auth_config())),
        "authServers": [_plain(asdict(one)) for one in view.all(AuthServer)],
        "partnerApplications": [_plain(asdict(one)) for one in view.all(PartnerApplication)],
        "settingOverrides": [_plain(asdict(one)) for one in view.all(SettingOverride)],
        "proxy": _plain(asdict(view.proxy())),
    }


def _server(server: Server) -> dict[str, Any]:
    return {
        "name": server.name,
        "fqdn": server.fqdn,
        "version": server.version,
        "roles": sorted(server.roles),
        "culture": server.culture,
        "certificates": [
            {
                "thumbprint": held.thumbprint,
                "friendlyName": held.friendly_name,
                "services": services_text(held.services),
                "privateKey": held.key is not None,
                "notAfter": _moment(held.x509.not_valid_after_utc),
            }
            for held in server.store.values()
        ],
        "transportCertificate": server.transport,
        "healthManagerStarted": _moment(server.health_manager()),
        "serviceHostStarted": _moment(server.service_host_started),
        "owaPoolStarted": _moment(server.owa_pool_started),
        "ecpPoolStarted": _moment(server.ecp_pool_started),
        "components": server.component_states(),
    }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {_camel(name): _value(value) for name, value in values.items()}


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return _moment(value)
    return list(value) if isinstance(value, tuple) else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _moment(value: datetime | None) -> str | None:
    if value is None:
        return None
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
