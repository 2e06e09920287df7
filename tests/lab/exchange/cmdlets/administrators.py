"""Cmdlets that the operator never runs; people do, and tests let them."""

from __future__ import annotations

from lab.exchange.cmdlets.base import Call, Row, rule
from lab.exchange.directory import AuthServer, SettingOverride
from lab.exchange.failures import not_found


def remove_auth_server(call: Call) -> list[Row]:
    name = call.text("Identity")
    if call.view.find(AuthServer, name) is None:
        raise not_found(call.server, name)
    if call.flag("Confirm", default=True):
        call.prompt("Are you sure you want to perform this action?")
    call.write().remove(AuthServer, name)
    return []


def new_setting_override(call: Call) -> list[Row]:
    made = SettingOverride(
        call.text("Name"), call.text("Component"), call.text("Section"), call.texts("Parameters")
    )
    call.write().put(made)
    return [{"Name": made.name}]


def remove_setting_override(call: Call) -> list[Row]:
    name = call.text("Identity")
    if call.view.find(SettingOverride, name) is None:
        raise not_found(call.server, name)
    call.write().remove(SettingOverride, name)
    return []


def set_component_state(call: Call) -> list[Row]:
    server = call.other_server(call.text("Identity"))
    server.components[call.text("Component")] = call.text("State")
    call.changed = True
    return []


def remove_certificate(call: Call) -> list[Row]:
    server = call.other_server(call.text("Server"))
    if server.store.pop(call.text("Thumbprint").upper(), None) is None:
        raise not_found(call.server, call.text("Thumbprint"))
    call.changed = True
    return []


RULES = (
    rule("Remove-AuthServer", remove_auth_server, "Identity Confirm", required="Identity"),
    rule(
        "New-SettingOverride",
        new_setting_override,
        "Name Component Section Parameters Reason Confirm",
        required="Name Component Section Parameters",
    ),
    rule("Remove-SettingOverride", remove_setting_override, "Identity Confirm"),
    rule(
        "Set-ServerComponentState",
        set_component_state,
        "Identity Component State Requester",
        required="Identity Component State Requester",
    ),
    rule("Remove-ExchangeCertificate", remove_certificate, "Server Thumbprint Confirm"),
)
