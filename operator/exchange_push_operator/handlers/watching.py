"""kopf's part: it signs in, lists and watches our resource, and hands every object on.

Low-level event handlers alone. Timers, daemons and change handlers would put finalizers and
annotations on the objects, write on every tick and outlive deleted objects (docs/decisions).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import kopf

from exchange_push_operator.core.config import GROUP, PLURAL, VERSION
from exchange_push_operator.core.vitals import WATCH_INACTIVITY
from exchange_push_operator.handlers.controller import Controller
from exchange_push_operator.handlers.replica import Replica

_OF_LISTS_AND_WATCHES = {"limit", "watch"}

Login = Callable[[], kopf.ConnectionInfo]


def register(
    registry: kopf.OperatorRegistry, replica: Replica, *, login: Login, secrets: bool = False
) -> None:
    """Hang a replica into a registry of kopf, which starts and stops it with itself.

    ``secrets`` is whether Secrets are watched: kopf then asks for all of the watched namespaces.
    """

    @kopf.on.login(registry=registry)
    async def sign_in(**_: Any) -> kopf.AiohttpSession:
        return _session(login(), replica)

    @kopf.on.startup(registry=registry)
    async def start(**_: Any) -> None:
        await replica.start()

    @kopf.on.cleanup(registry=registry)
    async def stop(**_: Any) -> None:
        await replica.stop()

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def hand_on(event: kopf.RawEvent, **_: Any) -> None:
        replica.controller.watched(event["type"], event["object"])

    if secrets:
        kopf.on.event("", "v1", "secrets", registry=registry)(_secrets_to(replica.controller))


def _secrets_to(controller: Controller) -> Callable[..., Awaitable[None]]:
    async def hand_on(event: kopf.RawEvent, **_: Any) -> None:
        controller.secret_watched(event["type"], event["object"])

    return hand_on


def _session(info: kopf.ConnectionInfo, replica: Replica) -> kopf.AiohttpSession:
    """As kopf would make it, but every request is noticed: kopf tells nobody when it connects."""

    async def notice(
        _session: aiohttp.ClientSession,
        _context: SimpleNamespace,
        request: aiohttp.TraceRequestStartParams,
    ) -> None:
        if _OF_LISTS_AND_WATCHES & request.url.query.keys():
            replica.asked(request.url.path, request.url.query)

    async def answered(
        _session: aiohttp.ClientSession,
        _context: SimpleNamespace,
        request: aiohttp.TraceRequestEndParams,
    ) -> None:
        ours = request.url.path.endswith(f"/{PLURAL}")  # and not of Secrets
        if ours and "watch" in request.url.query and request.response.ok:
            replica.controller.watch_answered()

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(notice)
    trace.on_request_end.append(answered)
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=info.as_ssl_context()),
        headers=info.as_http_headers(),
        trace_configs=[trace],
    )
    return kopf.AiohttpSession(server=info.server, aiohttp_session=session)


class _NothingKept(kopf.DiffBaseStorage):
    """Nobody here asks kopf what has changed in an object, so it need not copy and compare it."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return cast("kopf.BodyEssence", {})

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None


def kopf_settings() -> kopf.OperatorSettings:
    """Kopf without everything that writes, and with time limits on everything that waits."""
    settings = kopf.OperatorSettings()
    settings.peering.standalone = True
    settings.posting.enabled = False
    settings.persistence.diffbase_storage = _NothingKept()
    settings.scanning.disabled = True  # no list or watch of namespaces and CRDs: no RBAC for it
    # The server ends every watch after two minutes, so that a watch that lives asks again and
    # again: that is what /livez looks at. It goes on where it was; nothing is listed anew.
    settings.watching.server_timeout = 120
    settings.watching.inactivity_timeout = WATCH_INACTIVITY
    settings.watching.connect_timeout = 10
    settings.watching.chunk_size = 500
    # A worker keeps the last object that it has seen. After a list there is one for each resource.
    settings.queueing.idle_timeout = 0.5
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 30
    # An API server that comes back is noticed within five seconds. It may be away for minutes;
    # after ten of them kopf gives up, the process ends, and the Pod starts anew.
    settings.networking.error_backoffs = (1, 1, 2, 3, *[5] * 120)
    return settings
