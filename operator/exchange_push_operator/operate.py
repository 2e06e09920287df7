"""``run``: puts the parts of the operator together, runs until it is stopped."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import threading
import uuid
from contextlib import ExitStack
from functools import partial
from http import HTTPStatus
from importlib.metadata import version

import kopf
from kubernetes.client import ApiClient

from exchange_push_operator import log
from exchange_push_operator.adapters import clock
from exchange_push_operator.adapters.ca_bundle import ca_bundle
from exchange_push_operator.adapters.exchange_winrm import WinRMExchanges
from exchange_push_operator.adapters.graph_msal import EntraGraphs
from exchange_push_operator.adapters.http import Https
from exchange_push_operator.adapters.http_proxy import HttpProxy
from exchange_push_operator.adapters.kopf_sign_in import connection_info
from exchange_push_operator.adapters.kubernetes_api import KubernetesApi, sign_in
from exchange_push_operator.adapters.kubernetes_events import EventRecorder
from exchange_push_operator.adapters.kubernetes_lease import (
    TIMEOUTS,
    KubernetesLease,
    lease_namespace,
)
from exchange_push_operator.adapters.kubernetes_objects import KubernetesObjects
from exchange_push_operator.adapters.kubernetes_secrets import KubernetesSecrets
from exchange_push_operator.adapters.kubernetes_service_accounts import KubernetesServiceAccounts
from exchange_push_operator.adapters.metadata_http import HttpMetadata
from exchange_push_operator.adapters.policy_file import PolicyFile
from exchange_push_operator.core import status
from exchange_push_operator.core.errors import PushError, SpecError
from exchange_push_operator.core.ports import Fence, no_fence
from exchange_push_operator.handlers.controller import Controller, Limits
from exchange_push_operator.handlers.health import HealthServer, probes
from exchange_push_operator.handlers.lease import Clocks, Election
from exchange_push_operator.handlers.metrics import CONTENT_TYPE, Metrics
from exchange_push_operator.handlers.passes import Doors, Logic
from exchange_push_operator.handlers.replica import Ended, Replica
from exchange_push_operator.handlers.vitals import Vitals
from exchange_push_operator.handlers.watching import kopf_settings, register
from exchange_push_operator.reconcile import World, reconcile
from exchange_push_operator.settings import NAME, Settings

_LOG = logging.getLogger(f"{__package__}.main")

_EVENTS_GRACE = 3.0


def until_stopped(settings: Settings) -> int:
    """0 after a clean stop, else 1.

    Raises: SpecError: what the settings ask for cannot be.
    """
    log.configure(settings.log_format, settings.log_level)
    try:
        ended = _run(settings)
    except SpecError:
        raise  # told without a time stamp in front
    except PushError as error:
        _LOG.error("%s", error)
        return 1
    except Exception as error:
        # kopf's errors of the API server are not among its public names.
        if not type(error).__module__.startswith("kopf."):
            raise
        _LOG.error(
            "the API server turns the operator down (%s); check its ServiceAccount, role, token",
            type(error).__name__,
        )
        return 1
    if ended.error is not None:
        _LOG.error("%s", ended.error)
    _LOG.info("stopped")
    code = 1 if ended.lost or ended.error else 0
    if not ended.passes:
        # A thread that still waits for a server would hold up the end of the process.
        logging.shutdown()
        os._exit(code)
    return code


def _run(settings: Settings) -> Ended:
    """Run until stopped."""
    with ExitStack() as closing:
        kinds = 2 if settings.watch_secrets else 1
        watches = kinds * max(1, len(settings.namespaces))
        metrics, vitals = Metrics(), Vitals(expected=watches)
        health = closing.enter_context(_health(settings, metrics, vitals))
        connections = 2 * settings.workers + 4
        client = sign_in(settings.kubeconfig, connections, metrics.kube_requested)
        closing.callback(client.close)
        election = _election(settings, closing)
        fence = election.fence if election else no_fence
        metrics.watch_leader(settings.lease_name, election.leads if election else lambda: True)
        stopping = threading.Event()
        world = world_of(settings, client, stopping, closing, metrics, fence)
        KubernetesObjects(KubernetesApi(client)).check(settings.namespaces)
        doors = doors_to(client, closing, fence)
        controller = Controller(_logic(world), doors, _limits(settings), metrics, vitals)
        replica = Replica(controller, vitals, election, stopping.set)
        fields = _described(settings, client, health)
        _LOG.info("%s %s", NAME, version(NAME), extra={"fields": fields})
        gc.freeze()  # what is loaded by now stays for good: it need not be looked at again
        gc.set_threshold(10_000, 20)  # lists of objects are parsed, of which none is in a cycle
        asyncio.run(_operate(settings, client, replica))
        return replica.ended


def _health(settings: Settings, metrics: Metrics, vitals: Vitals) -> HealthServer:
    pages = {**probes(vitals), "/metrics": lambda: (HTTPStatus.OK, CONTENT_TYPE, metrics.render())}
    try:
        return HealthServer(settings.health_address, pages)
    except OSError as error:
        host, port = settings.health_address
        message = f"--health-address {host}:{port}: {error.strerror}; name another one"
        raise SpecError(message) from error


def _election(settings: Settings, closing: ExitStack) -> Election | None:
    if not settings.leader_elect:
        return None
    namespace = lease_namespace(settings.lease_namespace)
    client = sign_in(settings.kubeconfig, 2, patient=False)
    closing.callback(client.close)
    lease = KubernetesLease(KubernetesApi(client, TIMEOUTS), namespace, settings.lease_name)
    lease.read()  # what cannot be read is better told now than by a replica that never leads
    # No other process ever has this name, not even the next one in this Pod.
    me = f"{socket.gethostname()}_{uuid.uuid4()}"
    return Election(lease, me, Clocks(clock.steady, clock.now))


def doors_to(client: ApiClient, closing: ExitStack, fence: Fence) -> Doors:
    """The way to the cluster."""
    api = KubernetesApi(client)
    recorder = EventRecorder(api, clock.now, _instance())
    recorder.start()
    closing.callback(recorder.close, _EVENTS_GRACE)
    return Doors(KubernetesObjects(api, fence), recorder)


def world_of(
    settings: Settings,
    client: ApiClient,
    stopping: threading.Event,
    closing: ExitStack,
    metrics: Metrics,
    fence: Fence,
) -> World:
    """All that passes need from outside; every write asks ``fence``."""
    authorities = closing.enter_context(ca_bundle(settings.ca_file))
    https = Https(authorities, proxy=_proxy(settings), observer=metrics.requested, fence=fence)
    closing.callback(https.close)
    exchanges = WinRMExchanges(authorities, observer=metrics.requested, fence=fence)
    exchanges.start()
    closing.callback(exchanges.close)
    return World(
        secrets=KubernetesSecrets(client),
        accounts=KubernetesServiceAccounts(KubernetesApi(client)),
        exchange=exchanges.connect,
        graph=EntraGraphs(https, clock.now).connect,
        metadata=HttpMetadata(https),
        policy=PolicyFile(settings.policy),
        clock=clock.now,
        read_only=settings.read_only,
        safety_acts_outside_windows=settings.allow_safety_acts_outside_windows,
        unreachable_grace=settings.unreachable_grace_period,
        audit=log.audit(_instance()),
        stopping=stopping.is_set,
    )


def _instance() -> str:
    """This process, for people who look at an event or the audit."""
    return f"{NAME}-{socket.gethostname()}"


def _proxy(settings: Settings) -> HttpProxy | None:
    if settings.entra_proxy is None:
        return None
    return HttpProxy(settings.entra_proxy, settings.entra_proxy_credentials)


def _logic(world: World) -> Logic:
    return Logic(
        reconcile=lambda resource, peers, memory: reconcile(resource, peers, world, memory),
        progressing=lambda resource: status.progressing(resource, world.clock()),
        clock=world.clock,
    )


def _limits(settings: Settings) -> Limits:
    longest = settings.max_interval.total_seconds() if settings.max_interval else None
    return Limits(workers=settings.workers, max_interval=longest)


async def _operate(settings: Settings, client: ApiClient, replica: Replica) -> None:
    registry = kopf.OperatorRegistry()
    login = partial(connection_info, client)
    register(registry, replica, login=login, secrets=settings.watch_secrets)
    await kopf.operator(
        registry=registry,
        settings=kopf_settings(),
        clusterwide=not settings.namespaces,
        namespaces=settings.namespaces,
        stop_flag=replica.over,
    )


def _described(settings: Settings, client: ApiClient, health: HealthServer) -> dict[str, object]:
    return {
        "server": client.configuration.host,
        "namespaces": list(settings.namespaces) or "all",
        "workers": settings.workers,
        "read_only": settings.read_only,
        "leader_elect": settings.leader_elect,
        "health_port": health.port,
    }
