"""kopf's part: it signs in, lists and watches our resource, and hands every object on.

Low-level event handlers alone. Timers, daemons and change handlers would put finalizers and
annotations on the objects, write on every tick and outlive deleted objects (docs/decisions).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import kopf

from exchange_push_operator.core.config import GROUP, PLURAL, VERSION
from exchange_push_operator.handlers.controller import Controller

Login = Callable[[], kopf.ConnectionInfo]


def register(
    registry: kopf.OperatorRegistry,
    controller: Controller,
    *,
    login: Login,
    stop: Callable[[], Awaitable[None]],
) -> None:
    """Hang the controller into a registry of kopf. ``stop`` ends it before kopf ends."""

    @kopf.on.login(registry=registry)
    def sign_in(**_: Any) -> kopf.ConnectionInfo:
        return login()

    @kopf.on.startup(registry=registry)
    async def start_workers(**_: Any) -> None:
        controller.start()

    @kopf.on.cleanup(registry=registry)
    async def stop_workers(**_: Any) -> None:
        await stop()

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def hand_on(event: kopf.RawEvent, **_: Any) -> None:
        controller.watched(event["type"], event["object"])


def kopf_settings() -> kopf.OperatorSettings:
    """Kopf without everything that writes, and with time limits on everything that waits."""
    settings = kopf.OperatorSettings()
    settings.peering.standalone = True
    settings.posting.enabled = False
    settings.scanning.disabled = True  # no list or watch of namespaces and CRDs: no RBAC for it
    settings.watching.server_timeout = 300
    settings.watching.connect_timeout = 10
    settings.watching.chunk_size = 500
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 30
    # An API server that is being upgraded may be away for minutes; after that kopf gives up, the
    # process ends, and the Pod starts anew.
    settings.networking.error_backoffs = (1, 1, 2, 3, 5, 8, 13, 21, *[30] * 20)
    return settings
