"""Organisation, servers, component states."""

from __future__ import annotations

from lab.exchange.cmdlets.base import Call, Row, rule
from lab.exchange.server import Server


def get_organization_config(call: Call) -> list[Row]:
    return [{"Guid": call.organization.guid, "Name": call.organization.name}]


def get_exchange_server(call: Call) -> list[Row]:
    """Every server, Edge and older versions too; with -Identity that one."""
    name = call.text("Identity")
    if name:
        return [_row(call.other_server(name))]
    servers = call.organization.servers.values()
    return [_row(server) for server in servers if not server.faults.hidden]


def _row(server: Server) -> Row:
    order = ("Mailbox", "ClientAccess", "Edge")
    return {
        "Name": server.name,
        "Fqdn": server.fqdn,
        "AdminDisplayVersion": server.admin_display_version,
        "ServerRole": ", ".join(role for role in order if role in server.roles),
        "IsMailboxServer": "Mailbox" in server.roles,
        # from 2016 on the Mailbox role does what Client Access did
        "IsClientAccessServer": "ClientAccess" in server.roles
        or ("Mailbox" in server.roles and server.build >= (15, 1)),
        "IsEdgeServer": "Edge" in server.roles,
        "IsE15OrLater": server.build[0] >= 15,
        "Site": f"{server.fqdn.partition('.')[2]}/Configuration/Sites/{server.site}",
        "InternetWebProxy": server.internet_web_proxy,
    }


def get_component_state(call: Call) -> list[Row]:
    server = call.other_server(call.text("Identity"))
    states = server.component_states()
    return [{"Component": name, "State": state} for name, state in states.items()]


# inferred: which roles have the cmdlets of push notifications is documented nowhere
_ROLES = {
    "Enable-PushNotificationProxy": ("Org Transport Settings",),
    "Disable-PushNotificationProxy": ("Org Transport Settings",),
    "Invoke-MonitoringProbe": ("Monitoring", "View-Only Configuration"),
}


def get_management_role_entry(call: Call) -> list[Row]:
    """Entries by ``role\\cmdlet``; ``*`` stands for any role."""
    _, _, name = call.text("Identity").rpartition("\\")
    return [{"Name": name, "Role": role} for role in _ROLES.get(name, ())]


RULES = (
    rule("Get-ManagementRoleEntry", get_management_role_entry, "Identity", required="Identity"),
    rule("Get-OrganizationConfig", get_organization_config, "DomainController"),
    rule("Get-ExchangeServer", get_exchange_server, "Identity DomainController"),
    rule("Get-ServerComponentState", get_component_state, "Identity", required="Identity"),
)
