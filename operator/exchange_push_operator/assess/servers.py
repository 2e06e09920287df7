"""The servers: what they run, what they hold, and whether they are in service. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from exchange_push_operator.assess import certificates
from exchange_push_operator.assess.evidence import Evidence
from exchange_push_operator.assess.finding import Level, Row, Section
from exchange_push_operator.core import dedicated_application, organization, server_advice
from exchange_push_operator.core.builds import Build, builds
from exchange_push_operator.core.errors import PushError
from exchange_push_operator.core.exchange_server import ExchangeServer, product
from exchange_push_operator.core.reading import reading
from exchange_push_operator.stages.prerequisites import OLDEST


def section(evidence: Evidence) -> Section:
    """A row for each server that the Auth certificate concerns."""
    return Section("Servers", tuple(_rows(evidence)))


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
    build = builds(evidence.config, evidence.observed)[server.fqdn]
    local = organization.local_server(evidence.observed, _spelled(evidence, server))
    marks: list[tuple[str, Level]] = []
    if build.version < OLDEST:
        marks.append(("older than Exchange 2013 CU3", Level.BROKEN))
    if local.maintenance:
        marks.append(("in maintenance", Level.ATTENTION))
    if local.push_inactive:
        marks.append(("component PushNotificationsProxy not active", Level.ATTENTION))
    if _spelled(evidence, server) in server_advice.skewed(evidence.observed):
        marks.append(("clock more than 5 minutes off", Level.ATTENTION))
    held = certificates.held_by(evidence, _spelled(evidence, server))
    if "current" in held and "current with its private key" not in held:
        marks.append(("", Level.BROKEN))
    facts = (
        f"{product(build.version)} {build}",
        _roles(server),
        f"site {server.site}",
        _dedicated(build),
        held and f"certificates: {held}",
        *(text for text, _ in marks),
    )
    levels = [level for _, level in marks]
    worst = Level.BROKEN if Level.BROKEN in levels else next(iter(levels), None)
    return Row(server.fqdn, "; ".join(fact for fact in facts if fact), worst)


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
