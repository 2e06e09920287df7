"""Prerequisites: the servers can do it, and Exchange trusts Exchange Online as a partner."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from exchange_push_operator.core import dedicated_application as dedicated
from exchange_push_operator.core import organization
from exchange_push_operator.core.commands import cmdlet
from exchange_push_operator.core.config import EXCHANGE_ONLINE, PushConfig, Target
from exchange_push_operator.core.looks import Looks, Observations
from exchange_push_operator.core.organization import ExchangeServer, Version
from exchange_push_operator.core.plan import Advisory, Finding, Plan, Step, fails, holds, unknown
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.stage import Stage
from exchange_push_operator.core.x509 import parse_utc

# Exchange Server 2013 CU3, which the article asks for.
OLDEST: Version = (15, 0, 775, 38)


@dataclass(frozen=True, slots=True)
class Partner:
    """The partner application that stands for Exchange Online."""

    name: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class Observed:
    """The servers by name, the partner application, the dedicated application."""

    servers: tuple[ExchangeServer, ...]
    versions: tuple[tuple[str, Version], ...]
    unlisted: tuple[str, ...]
    away: tuple[str, ...]
    maintenance: tuple[str, ...]
    partner: Partner | None
    application: dedicated.DedicatedApplication


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
    return Observed(
        servers=organization.exchange_servers(observed),
        versions=tuple(
            (name, organization.local_server(observed, name).version) for name in observed.answered
        ),
        unlisted=tuple(server.fqdn for server in organization.unlisted(observed, config.servers)),
        away=tuple(sorted(observed.away)),
        maintenance=tuple(sorted(organization.in_maintenance(observed))),
        partner=_partner(observed),
        application=dedicated.read(observed, config.servers),
    )


def _partner(observed: Observations) -> Partner | None:
    # The one for Exchange Online has its application id and no realm (Microsoft, "Configure
    # OAuth authentication", step 2).
    for row in observed.organization(organization.PARTNER_APPLICATIONS):
        if row["ApplicationIdentifier"] == EXCHANGE_ONLINE and not row["Realm"]:
            return Partner(str(row["Name"]), bool(row["Enabled"]))
    return None


def plan(config: PushConfig, observed: Observed, now: datetime) -> Plan:
    """The first thing that is missing; a disabled partner application is all we mend."""
    advisories = _advisories(observed)
    finding = (
        _servers(config, observed)
        or _dedicated(config, observed.application)
        or _partner_missing(observed.partner)
    )
    if finding is not None:
        return Plan(finding, advisories=advisories)
    overdue = _overdue(config, observed.away, now)
    if observed.partner is not None and not observed.partner.enabled:
        return Plan(
            fails(
                Reason.PARTNER_APPLICATION_DISABLED,
                f"partner application {observed.partner.name} is disabled",
            ),
            (_enable(observed.partner.name),),
            advisories,
        )
    if overdue:
        return Plan(unknown(Reason.UNREACHABLE, overdue), advisories=advisories)
    message = "the servers and the partner application are as needed"
    return Plan(holds(Reason.MET, message), advisories=advisories)


def _servers(config: PushConfig, observed: Observed) -> Finding | None:
    known = {server.fqdn: server for server in observed.servers}
    strangers = sorted(name for name in config.servers if name.lower() not in known)
    if strangers:
        return fails(
            Reason.NOT_AN_EXCHANGE_SERVER,
            f"{', '.join(strangers)}: Get-ExchangeServer names no Mailbox or Client Access server "
            "of version 15 of this name; correct spec.exchange.servers",
        )
    old = sorted(
        f"{name} ({'.'.join(map(str, version))})"
        for name, version in observed.versions
        if version < OLDEST
    )
    if old:
        return fails(
            Reason.SERVER_TOO_OLD,
            f"{', '.join(old)}: older than Exchange 2013 CU3 (15.0.775.38); update the server",
        )
    if not any(known[name].mailbox for name in map(str.lower, config.servers) if name in known):
        return fails(
            Reason.NO_MAILBOX_SERVER,
            "none of spec.exchange.servers is a Mailbox server; add one",
        )
    return None


def _partner_missing(partner: Partner | None) -> Finding | None:
    if partner is not None:
        return None
    return fails(
        Reason.PARTNER_APPLICATION_MISSING,
        "there is no partner application for Exchange Online; Exchange Setup makes it: run "
        "Setup /PrepareAD of the installed version again",
    )


def _dedicated(config: PushConfig, application: dedicated.DedicatedApplication) -> Finding | None:
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
    return None


def _enable(name: str) -> Step:
    return Step(
        action="Enable the partner application",
        target=name,
        event="PartnerApplicationEnabled",
        command=cmdlet("Set-PartnerApplication", Identity=name, Enabled=True, Confirm=False),
    )


def _advisories(observed: Observed) -> tuple[Advisory, ...]:
    found = []
    if observed.unlisted:
        found.append(
            Advisory(
                "UnlistedServers",
                f"{', '.join(sorted(observed.unlisted))}: the Auth certificate is organization-"
                "wide, but spec.exchange.servers does not name them",
            )
        )
    if observed.away:
        found.append(
            Advisory("ServersAway", f"{', '.join(observed.away)}: no answer; not counted as ready")
        )
    if observed.maintenance:
        names = ", ".join(observed.maintenance)
        found.append(
            Advisory(
                "ServersInMaintenance",
                f"{names}: not changed, not probed and not counted meanwhile",
            )
        )
    return tuple(found)


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
