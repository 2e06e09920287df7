"""Looks at an organisation: one server first, then all of them. Nothing that is sent changes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from exchange_push_operator.assess import first_look, reach
from exchange_push_operator.assess.describe import Known, resource
from exchange_push_operator.assess.evidence import Evidence
from exchange_push_operator.assess.first_look import Choices
from exchange_push_operator.assess.read_only import ReadOnlyGraph, Silent, no_graph
from exchange_push_operator.core import probes, tenant
from exchange_push_operator.core.clouds import Cloud
from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.domain_controller import OneController
from exchange_push_operator.core.errors import CmdletFailed, PushError, SpecError
from exchange_push_operator.core.looks import ORGANIZATION, Observations
from exchange_push_operator.core.parse import parse
from exchange_push_operator.core.policy import Policy
from exchange_push_operator.core.ports import (
    Answer,
    Exchange,
    Graph,
    Identity,
    Metadata,
)
from exchange_push_operator.plan.given import GivenSecrets
from exchange_push_operator.plan.manifest import completed
from exchange_push_operator.reconcile.gather import gather, with_answers
from exchange_push_operator.reconcile.judge import judge
from exchange_push_operator.reconcile.servers import keyed
from exchange_push_operator.reconcile.session import Session
from exchange_push_operator.reconcile.side_by_side import Together, side_by_side
from exchange_push_operator.reconcile.walk import in_order
from exchange_push_operator.reconcile.world import World
from exchange_push_operator.stages import verification


@dataclass(frozen=True, slots=True)
class Asked:
    """The command line. ``tenant`` and ``entra`` are None where nobody asks Microsoft."""

    server: str
    transport: str
    scheme: str
    port: int
    host_script: str
    cloud: Cloud
    own_ca: bool = False
    tenant: str | None = None
    client_id: str | None = None
    by_secret: bool = False


@dataclass(frozen=True, slots=True)
class Doors:
    """Ways to the outside, all of them read-only. ``graph`` signs in to a tenant."""

    exchange: Exchange
    metadata: Metadata
    graph: Callable[[str], Graph]
    clock: Callable[[], datetime]
    together: Together = side_by_side


def look(asked: Asked, doors: Doors) -> Evidence:
    """See everything.

    Raises: SpecError (which tenant this is cannot be known), Refused, Unreachable, Throttled,
    CmdletFailed where the server that was named tells nothing.
    """
    answers = doors.exchange.run(asked.server, first_look.LOOKS)
    first = Observations(
        "", keyed(ORGANIZATION, first_look.LOOKS, answers), answered=(asked.server,)
    )
    known, choices, troubles = _known(asked, doors, first)
    written = resource(known, choices)
    config = parse(completed(written))
    session = _session(config, doors, known)
    observed = gather(session)
    # What the resource leaves alone is told as well.
    observed = replace(observed, cmdlets={**first.cmdlets, **observed.cmdlets})
    # As the operator does: what is probed before all else is in order says nothing new.
    ready = in_order(judge(config, observed, doors.clock()))
    observed = _closer(session, observed, probed=ready)
    now = doors.clock()
    plans = judge(config, observed, now)
    return Evidence(
        asked.server, written, config, observed, plans, now, _not_asked(asked), troubles
    )


def _known(
    asked: Asked, doors: Doors, first: Observations
) -> tuple[Known, Choices, tuple[str, ...]]:
    """Whose organisation it is: by what Microsoft says of the domain, else by what Exchange has."""
    servers = first_look.auth_servers(first)
    domain = asked.tenant or first_look.domain(servers, first_look.proxy(first))
    if domain is None:
        message = "Exchange does not tell which tenant it belongs to; add --tenant DOMAIN"
        raise SpecError(message)
    domain = domain.lower()
    told, trouble = _published(asked, doors, domain)
    tenant_id = told or first_look.tenant_id(servers)
    if tenant_id is None:
        message = f"{domain}: its tenant is not known ({trouble or 'add --tenant'})"
        raise SpecError(message)
    choices = first_look.read(replace(first, tenant_id=tenant_id))
    known = replace(
        _of_the_command_line(asked, domain, tenant_id),
        strange_proxy=_strange(asked, doors, choices, tenant_id, told),
    )
    return known, choices, (trouble,) if trouble else ()


def _of_the_command_line(asked: Asked, domain: str, tenant_id: str) -> Known:
    return Known(
        domain=domain,
        tenant_id=tenant_id,
        cloud=asked.cloud,
        client_id=asked.client_id,
        by_secret=asked.by_secret,
        transport=asked.transport,
        scheme=asked.scheme,
        port=asked.port,
        host_script=asked.host_script,
        own_ca=asked.own_ca,
    )


def _not_asked(asked: Asked) -> tuple[str, ...]:
    if asked.client_id is not None:
        return ()
    tenant_too = "" if asked.tenant else "--tenant, "
    proof = "--client-certificate or --client-secret-file"
    return (f"the keys in Entra ID: add {tenant_too}--client-id, and {proof}",)


def _published(asked: Asked, doors: Doors, domain: str) -> tuple[str | None, str]:
    """The tenant of a domain by Microsoft's public document, and what kept us from reading it."""
    if asked.tenant is None:
        return None, ""
    try:
        document = doors.metadata.fetch(tenant.openid_configuration(asked.cloud, domain))
    except PushError as error:
        return None, f"the tenant of {domain} by Microsoft's public document: {error}"
    found = tenant.issuer_tenant(document) if document is not None else None
    if found is None:
        message = f"--tenant {domain}: Microsoft knows no tenant of this domain; correct it"
        raise SpecError(message)
    return found, ""


def _strange(
    asked: Asked, doors: Doors, choices: Choices, tenant_id: str, told: str | None
) -> bool:
    """Whether the proxy sends in the name of another tenant's domain."""
    proxy = choices.proxy
    if told is None or proxy is None or not proxy.enabled or not proxy.organization:
        return False
    try:
        url = tenant.openid_configuration(asked.cloud, proxy.organization.lower())
        document = doors.metadata.fetch(url)
    except PushError:
        return False
    return document is None or tenant.issuer_tenant(document) != tenant_id


def _session(config: PushConfig, doors: Doors, known: Known) -> Session:
    graph, identity = _signed_in(config, doors, known)
    world = World(
        secrets=GivenSecrets({}),
        accounts=GivenSecrets({}),
        exchange=lambda _access, _wanted: doors.exchange,
        graph=no_graph,
        metadata=doors.metadata,
        policy=Policy,
        clock=doors.clock,
        together=doors.together,
        read_only=True,
    )
    return Session(
        config=config,
        world=world,
        tenant_id=known.tenant_id,
        exchange=OneController(doors.exchange),
        everywhere=doors.exchange,
        account="",
        graph=graph,
        identity=identity,
        deadline=doors.clock() + config.timing.timeout,
    )


def _signed_in(
    config: PushConfig, doors: Doors, known: Known
) -> tuple[Graph | None, Identity | None]:
    if not config.needs_entra:
        return None, None
    graph = ReadOnlyGraph(doors.graph(known.tenant_id))
    try:
        return graph, graph.identity()
    except PushError as error:
        return Silent(error), None


def _closer(session: Session, observed: Observations, *, probed: bool) -> Observations:
    """What the stages do not ask: reach, whether there is a token to be had, the probe."""

    def batch(name: str) -> tuple[Cmdlet, ...]:
        return (
            *reach.looks(session.config.tenant.cloud, observed, name),
            *_tries(session.config, observed, name, probed=probed),
        )

    def ask(name: str) -> tuple[Answer, ...]:
        looks = batch(name)
        try:
            return session.exchange.run(name, looks)
        except PushError as error:
            return tuple(Answer(error=CmdletFailed(str(error))) for _ in looks)

    names = observed.answered
    for name, answers in zip(names, session.world.together(ask, names), strict=True):
        observed = with_answers(observed, name, batch(name), answers)
    return observed


def _tries(
    config: PushConfig, observed: Observations, name: str, *, probed: bool
) -> Sequence[Cmdlet]:
    token = probes.token_test(config)
    try:
        if name not in verification.targets(observed):
            return ()
        wanted = probed and verification.wanted(config)
        known = wanted and probes.available(config, observed, name)
    except PushError:  # a stage tells it
        known = False
    return tuple(dict.fromkeys((probes.probe(config, name), token))) if known else (token,)
