"""The push-notification proxy: one object of the organisation."""

from __future__ import annotations

from dataclasses import replace

from lab.exchange.cmdlets.base import Call, Row, rule
from lab.exchange.directory import PushProxy
from lab.exchange.failures import bad_value
from lab.exchange.server import CU3, Server

DEFAULT_URI = "https://outlook.office365.com/PushNotifications"


def _row(proxy: PushProxy) -> Row:
    return {
        "Name": proxy.name,
        "DisplayName": proxy.display_name,
        "Enabled": proxy.enabled,
        "Organization": proxy.organization,
        "Uri": proxy.uri,
        "WhenChangedUTC": proxy.when_changed,
    }


def enable_proxy(call: Call) -> list[Row]:
    """Enable, or with -WhatIf show the state."""
    if call.flag("WhatIf"):
        return [_row(shown) for shown in _looked_at(call)]
    uri = call.text("Uri", DEFAULT_URI)
    if not uri.startswith(("https://", "http://")):
        raise bad_value(call.server, "Uri", uri)
    stored = call.view.proxy()
    # inferred: without -Organization the stored one stays
    organization = call.text("Organization", stored.organization)
    wanted = replace(stored, enabled=True, organization=organization, uri=uri)
    return [_row(_store(call, stored, wanted))]


def _looked_at(call: Call) -> list[PushProxy]:
    """What -WhatIf shows: documented nowhere, so it is a switch."""
    # inferred: by default the stored object comes back
    stored = call.view.proxy()
    asked = PushProxy(enabled=True, organization=call.text("Organization"), uri=DEFAULT_URI)
    edited = replace(stored, enabled=True, organization=asked.organization or stored.organization)
    ways = {"object": [stored], "asked": [asked], "edited": [edited], "nothing": []}
    return ways[call.organization.switches.proxy_look]


def disable_proxy(call: Call) -> list[Row]:
    """Microsoft documents the built-in pause: without -Confirm:$false it asks."""
    if call.flag("Confirm", default=True):
        call.prompt("Are you sure you want to perform this action?")
    stored = call.view.proxy()
    _store(call, stored, replace(stored, enabled=False))
    return []


def _store(call: Call, stored: PushProxy, wanted: PushProxy) -> PushProxy:
    # inferred: the object's date moves only if something changed
    if wanted == stored:
        return stored
    wanted = replace(wanted, when_changed=call.organization.clock())
    call.write().put(wanted)
    return wanted


def _exists(server: Server) -> bool:
    return server.build >= CU3


RULES = (
    rule(
        "Enable-PushNotificationProxy",
        enable_proxy,
        "Organization Uri WhatIf Confirm",
        exists=_exists,
    ),
    rule("Disable-PushNotificationProxy", disable_proxy, "Confirm WhatIf", exists=_exists),
)
