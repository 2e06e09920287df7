"""Prerequisites: the servers can do it, and Exchange trusts Exchange Online as a partner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from exchange_push_operator.core import dedicated_application as dedicated
from exchange_push_operator.core import organization, server_advice
from exchange_push_operator.core.builds import Build, builds
from exchange_push_operator.core.commands import cmdlet
from exchange_push_operator.core.config import EXCHANGE_ONLINE, PushConfig, Target
from exchange_push_operator.core.exchange_server import ExchangeServer, Version, product
from exchange_push_operator.core.looks import Looks, Observations
from exchange_push_operator.core.plan import Advisory, Finding, Plan, Step, fails, holds, unknown
from exchange_push_operator.core.reading import flag
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.stage import Stage
from exchange_push_operator.core.timestamps import parse_utc

# Exchange Server 2013 CU3, which the article asks for.
OLDEST: Version = (15, 0, 775, 38)
_PARTNER = "Exchange Online"  # as Setup names it


@dataclass(frozen=True, slots=True)
class Partner:
    """The partner application that stands for Exchange Online."""

    name: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class Observed:
    """Every server of the organisation, the partner application, the dedicated application.

    The applications are looked at where every listed server is one that knows them; an older
    Exchange lacks the cmdlets, and that is no matter of rights.
    """

    servers: tuple[ExchangeServer, ...]
    builds: Mapping[str, Build]
    away: tuple[str, ...]
    partner: Partner | None
    application: dedicated.DedicatedApplication | None
    advisories: tuple[Advisory, ...]


def looks(_config: PushConfig) -> Looks:
    """The servers, the partner applications, and what the dedicated application needs."""
    return Looks(
        organization=(
            organization.EXCHANGE_SERVERS,
            organization.PARTNER_APPLICATIONS,
            organization.AUTH_SERVERS,
            organization.SETTING_OVERRIDES,
        ),
        server=lambda name: (organization.LOCAL_SERVER, organization.component_states(name)),
    )


def observe(config: PushConfig, observed: Observations) -> Observed:
    """Read them. Raises: Refused, CmdletFailed."""
    built = builds(config, observed)
    known = all(name.lower() in built for name in config.servers)
    return Observed(
        servers=organization.all_servers(observed),
        builds=built,
        away=tuple(sorted(observed.away)),
        partner=_partner(observed) if known else None,
        application=dedicated.read(observed, built) if known else None,
        advisories=server_advice.advisories(config, observed),
    )


def _partner(observed: Observations) -> Partner | None:
    """The one for Exchange Online has its application id and no realm.

    Of several an enabled one will do; where none is, Setup's own goes first. Source: Microsoft,
    "Configure OAuth authentication", step 2.
    """
    found = [
        Partner(str(row["Name"]), flag(row, "Enabled"))
        for row in observed.organization(organization.PARTNER_APPLICATIONS)
        if str(row["ApplicationIdentifier"]).lower() == EXCHANGE_ONLINE and not row["Realm"]
    ]
    found.sort(key=lambda partner: (not partner.enabled, partner.name != _PARTNER, partner.name))
    return found[0] if found else None


def plan(config: PushConfig, observed: Observed, now: datetime) -> Plan:
    """The first thing that is missing; a disabled partner application is all we mend."""
    advisories = observed.advisories
    finding = (
        _servers(config, observed)
        or _dedicated(config, observed.application)
        or _partner_missing(observed.partner)
    )
    if finding is not None:
        return Plan(finding, advisories=advisories)
    silent = _nobody(config, observed) or _overdue(config, observed.away, now)
    if observed.partner is not None and not observed.partner.enabled:
        disabled = f"partner application {observed.partner.name} is disabled"
        message = "; ".join(text for text in (disabled, silent) if text)
        finding = fails(Reason.PARTNER_APPLICATION_DISABLED, message)
        return Plan(finding, (_enable(observed.partner.name),), advisories)
    if silent:
        return Plan(unknown(Reason.UNREACHABLE, silent), advisories=advisories)
    message = "the servers and the partner application are as needed"
    return Plan(holds(Reason.MET, message), advisories=advisories)


def _servers(config: PushConfig, observed: Observed) -> Finding | None:
    strangers = [name for name in sorted(config.servers) if name.lower() not in observed.builds]
    if strangers:
        return fails(
            Reason.NOT_AN_EXCHANGE_SERVER,
            f"{'; '.join(_stranger(observed, name) for name in strangers)}; correct "
            "spec.exchange.servers",
        )
    old = sorted(
        f"{name} ({product(build.version)}, {build})"
        for name, build in observed.builds.items()
        if build.version < OLDEST
    )
    if old:
        return fails(
            Reason.SERVER_TOO_OLD,
            f"{', '.join(old)}: older than Exchange 2013 CU3 (15.0.775.38); update the server, or "
            "take it out of the organization",
        )
    if not _mailbox(config, observed):
        return fails(
            Reason.NO_MAILBOX_SERVER,
            "none of spec.exchange.servers is a Mailbox server; add one",
        )
    return None


def _stranger(observed: Observed, name: str) -> str:
    """Why a listed name is no server that push notifications could come from."""
    for server in observed.servers:
        if server.fqdn == name.lower():
            return f"{name} is {server.kind}, which sends no push notifications"
        if server.name.lower() == name.partition(".")[0].lower():
            return f"{name}: Get-ExchangeServer names this server {server.fqdn}"
    return f"{name}: Get-ExchangeServer names no server of this name"


def _mailbox(config: PushConfig, observed: Observed) -> list[str]:
    """The listed Mailbox servers, as the resource spells them."""
    mailbox = {server.fqdn for server in observed.servers if server.mailbox}
    return [name for name in config.servers if name.lower() in mailbox]


def _partner_missing(partner: Partner | None) -> Finding | None:
    if partner is not None:
        return None
    return fails(
        Reason.PARTNER_APPLICATION_MISSING,
        "there is no partner application for Exchange Online; Exchange Setup makes it: run "
        "Setup /PrepareAD of the installed version again",
    )


def _dedicated(
    config: PushConfig, application: dedicated.DedicatedApplication | None
) -> Finding | None:
    if application is None:
        return None
    if config.target is Target.FIRST_PARTY and application.in_use:
        return fails(
            Reason.DEDICATED_APPLICATION_IN_USE,
            "this organization signs in with the dedicated Exchange hybrid application; a key on "
            "the shared principal would open again what CVE-2025-53786 closed: set "
            "spec.principal.target to DedicatedApplication",
        )
    if config.target is not Target.DEDICATED:
        return None
    missing = application.missing(config.app_id)
    if missing:
        return fails(Reason.DEDICATED_APPLICATION_NOT_ENABLED, missing)
    if application.unseen:
        return unknown(
            Reason.NOT_OBSERVED,
            f"{', '.join(application.unseen)}: Active Directory does not tell whether the hotfix "
            "update that a dedicated application needs is installed; the server itself does, once "
            "spec.exchange.servers names it and it answers",
        )
    return None


def _enable(name: str) -> Step:
    return Step(
        action="Enable the partner application",
        target=name,
        event="PartnerApplicationEnabled",
        command=cmdlet("Set-PartnerApplication", Identity=name, Enabled=True, Confirm=False),
    )


def _nobody(config: PushConfig, observed: Observed) -> str:
    """Ready stands on at least one Mailbox server that answers; "" where one does."""
    mailbox = _mailbox(config, observed)
    if any(name not in observed.away for name in mailbox):
        return ""
    return f"{', '.join(mailbox)}: no Mailbox server answers"


def _overdue(config: PushConfig, away: tuple[str, ...], now: datetime) -> str:
    """Servers that have been away for longer than the resource puts up with; "" for none."""
    since = {row["name"]: row.get("awaySince") for row in config.status.get("servers") or ()}
    grace = config.timing.unreachable_grace
    late = [name for name in away if since.get(name) and parse_utc(since[name]) + grace <= now]
    if not late:
        return ""
    return (
        f"{', '.join(late)}: away for longer than spec.exchange.unreachableGracePeriod; bring "
        "the server back or take it out of spec.exchange.servers"
    )


STAGE = Stage("PrerequisitesMet", looks, observe, plan)
