"""What Microsoft takes away, and when. Facts of the day this version was made.

Sources: "Deploy dedicated Exchange hybrid app" and the Exchange team's announcements of it
(shared principal, EWS), the life-cycle pages of Exchange Server (support), the 2018 announcement of
OWA for Devices. docs/principals.md and docs/exchange.md have the addresses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from exchange_push_operator.assess.evidence import Evidence
from exchange_push_operator.assess.finding import Finding, Level, Row, Section
from exchange_push_operator.core import organization
from exchange_push_operator.core.exchange_server import product


@dataclass(frozen=True, slots=True)
class Deprecation:
    """``of`` is the product that it concerns; "" for all."""

    what: str
    on: date
    text: str
    of: str = ""


TABLE = (
    Deprecation("OWA for iPhone and iPad", date(2018, 5, 15), "ended; pushes were made for it"),
    Deprecation(
        "Exchange 2013", date(2023, 4, 11), "out of support; update the server", "Exchange 2013"
    ),
    Deprecation(
        "Exchange 2016", date(2025, 10, 14), "out of support; update the server", "Exchange 2016"
    ),
    Deprecation(
        "Exchange 2019", date(2025, 10, 14), "out of support; update the server", "Exchange 2019"
    ),
    Deprecation(
        "EWS through the shared first-party principal",
        date(2025, 10, 31),
        "blocked: free/busy, MailTips and photos need the dedicated hybrid application",
    ),
    Deprecation(
        "EWS of Exchange Online", date(2027, 4, 1), "switched off: hybrid features move to Graph"
    ),
)


def _concerned(evidence: Evidence) -> tuple[Deprecation, ...]:
    servers = organization.exchange_servers(evidence.observed)
    here = {"", *(product(server.version) for server in servers)}
    return tuple(one for one in TABLE if one.of in here)


def section(evidence: Evidence) -> Section:
    """The dates that concern this organisation."""
    rows = (
        Row(one.what, f"{one.on.isoformat()}: {one.text}", _level(one))
        for one in _concerned(evidence)
    )
    return Section("What Microsoft takes away", tuple(rows))


def _level(one: Deprecation) -> Level:
    return Level.ATTENTION if one.of else Level.NOTICE


def findings(evidence: Evidence) -> Iterator[Finding]:
    """Products out of support are to be mended; the other dates are news."""
    for one in _concerned(evidence):
        moment = datetime(one.on.year, one.on.month, one.on.day, tzinfo=UTC)
        if one.of or moment > evidence.now:
            yield Finding(_level(one), one.what, one.text, moment)
