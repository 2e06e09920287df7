"""The servers: what they run, what they hold, and whether they are in service. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from exchange_push_operator.assess import certificates
from exchange_push_operator.assess.evidence import Evidence
from exchange_push_operator.assess.finding import Finding, Level, Row, Section
from exchange_push_operator.core import dedicated_application, organization, server_advice
from exchange_push_operator.core.builds import Build, builds
from exchange_push_operator.core.errors import PushError
from exchange_push_operator.core.exchange_server import ExchangeServer, product
from exchange_push_operator.core.probe_errors import CURES
from exchange_push_operator.core.reading import reading
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.stages.prerequisites import OLDEST


def section(evidence: Evidence) -> Section:
    """A row for each server that the Auth certificate concerns."""
    return Section("Servers", tuple(_rows(evidence)))


def findings(evidence: Evidence) -> Iterator[Finding]:
    """Servers whose push component is off, where the probe does not say so."""
    if evidence.plans["Verified"].finding.reason is Reason.COMPONENT_INACTIVE:
        return
    for name in evidence.observed.answered:
        try:
            with reading(name):
                local = organization.local_server(evidence.observed, name)
        except PushError:
            continue  # a stage tells it
        if local.push_inactive and not local.maintenance:
            yield Finding(Level.ATTENTION, name, CURES[Reason.COMPONENT_INACTIVE])


def _rows(evidence: Evidence) -> Iterator[Row]:
    for server in organization.exchange_servers(evidence.observed):
        error = next(
            (e for name, e in evidence.observed.away.items() if name.lower() == server.fqdn), None
        )
        if error is not None:
            yield Row(server.fqdn, f"{server.described}: no answer: {error}", Level.ATTENTION)
            continue
        try:
            with reading(server.fqdn):
                yield _row(evidence, server)
        except PushError as error:
            yield Row(server.fqdn, str(error), Level.ATTENTION)


def _row(evidence: Evidence, server: ExchangeServer) -> Row:
    name = _spelled(evidence, server)
    build = builds(evidence.config, evidence.observed)[server.fqdn]
    held = certificates.held_by(evidence, name)
    marks = [*_marks(evidence, name, build)]
    facts = (
        f"{product(build.version)} {build}",
        _roles(server),
        f"site {server.site}",
        _dedicated(build),
        held and f"certificates: {held}",
        *(text for text, _ in marks),
    )
    levels = [level for _, level in marks]
    if Level.BROKEN in levels or ("current" in held and "current with its private" not in held):
        levels.insert(0, Level.BROKEN)
    return Row(server.fqdn, "; ".join(filter(None, facts)), next(iter(levels), None))


def _marks(evidence: Evidence, name: str, build: Build) -> Iterator[tuple[str, Level]]:
    """What is odd about a server, beside what it holds."""
    local = organization.local_server(evidence.observed, name)
    if build.version < OLDEST:
        yield "older than Exchange 2013 CU3", Level.BROKEN
    if local.maintenance:
        yield "in maintenance", Level.ATTENTION
    if local.push_inactive:
        yield "component PushNotificationsProxy not active", Level.ATTENTION
    if name in server_advice.skewed(evidence.observed):
        yield "clock more than 5 minutes off", Level.ATTENTION


def _spelled(evidence: Evidence, server: ExchangeServer) -> str:
    """The server's name as the looks have it."""
    return next(name for name in evidence.observed.answered if name.lower() == server.fqdn)


def _roles(server: ExchangeServer) -> str:
    roles = {"Mailbox": server.mailbox, "Client Access": server.client_access}
    return " and ".join(name for name, has in roles.items() if has)


def _dedicated(build: Build) -> str:
    able = dedicated_application.able(build)
    says = {True: "can", False: "CANNOT", None: "may or may not be able to"}[able]
    return f"{says} sign as a dedicated application"
