"""The dedicated Exchange hybrid application: does Exchange sign in as it?

Source: Microsoft, "Deploy dedicated Exchange hybrid app"; figures in docs/principals.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from exchange_push_operator.core import organization
from exchange_push_operator.core.looks import COMMAND_NOT_FOUND, ORGANIZATION, Observations
from exchange_push_operator.core.organization import Version

# Exchange 2013 has no setting overrides ("Get-SettingOverride" begins with 2016).
_OVERRIDES: Version = (15, 1)
_ANY_UPDATE = 1_000_000
_SECTION = "ExchangeOnpremAsThirdPartyAppId"

# The first build of each line that can sign in as a dedicated application; 2013 never can.
_BUILDS: tuple[Version, ...] = (
    (15, 1, 2507, 55),  # 2016 CU23, April 2025 hotfix update
    (15, 2, 1544, 25),  # 2019 CU14, April 2025 hotfix update
    (15, 2, 1748, 24),  # 2019 CU15, April 2025 hotfix update
    (15, 2, 2562, 17),  # Subscription Edition, release to manufacturing
)


@dataclass(frozen=True, slots=True)
class DedicatedApplication:
    """``application_id`` is EvoSts' ApplicationIdentifier, "" where there is none."""

    evo_sts: str | None
    application_id: str
    override: bool
    too_old: tuple[str, ...]

    @property
    def in_use(self) -> bool:
        """Whether the organisation has begun to sign in as a dedicated application."""
        return self.override or bool(self.application_id)

    def missing(self, app_id: str) -> str:
        """What keeps Exchange from signing in as ``app_id``, with the command; "" for nothing."""
        if self.too_old:
            return (
                f"{', '.join(self.too_old)}: too old to sign in as a dedicated application; "
                "update the server"
            )
        if self.evo_sts is None:
            return "there is no enabled AzureAD auth server (EvoSts) for the tenant; run HCW"
        if self.application_id.lower() != app_id.lower():
            return (
                f"auth server {self.evo_sts} does not name the application; run Set-AuthServer "
                f"-Identity '{self.evo_sts}' -ApplicationIdentifier {app_id}"
            )
        if not self.override:
            return (
                "the setting override is missing; run New-SettingOverride -Name "
                f"EnableExchangeHybrid3PAppFeature -Component Global -Section {_SECTION} "
                "-Parameters @('Enabled=true') -Reason 'dedicated hybrid application'"
            )
        return ""


def read(observed: Observations, listed: tuple[str, ...]) -> DedicatedApplication:
    """Read it from auth servers, overrides and builds. Raises: Refused, CmdletFailed."""
    evo_sts = min(
        (
            row
            for row in observed.organization(organization.AUTH_SERVERS)
            if row["Type"] == "AzureAD"
            and row["Enabled"]
            and str(row["Realm"]).lower() == observed.tenant_id
        ),
        # One that names an application first: a second EvoSts must not hide it.
        key=lambda row: (not row["ApplicationIdentifier"], str(row["Name"])),
        default=None,
    )
    return DedicatedApplication(
        evo_sts=str(evo_sts["Name"]) if evo_sts else None,
        application_id=str(evo_sts["ApplicationIdentifier"] or "") if evo_sts else "",
        override=_override(observed),
        too_old=_too_old(observed, listed),
    )


def _override(observed: Observations) -> bool:
    answer = observed.cmdlets[ORGANIZATION, organization.SETTING_OVERRIDES]
    missing = answer.error is not None and answer.error.kind == COMMAND_NOT_FOUND
    if missing and organization.local_server(observed, observed.primary).version < _OVERRIDES:
        return False
    return any(
        row["SectionName"] == _SECTION
        # The value decides, not that the parameter is there: Enabled=false is no override.
        and "enabled=true" in [str(text).replace(" ", "").lower() for text in row["Parameters"]]
        for row in observed.organization(organization.SETTING_OVERRIDES)
    )


def _too_old(observed: Observations, listed: tuple[str, ...]) -> tuple[str, ...]:
    builds = {name: organization.local_server(observed, name).version for name in observed.answered}
    too_old = {name for name, build in builds.items() if not _able(build)}
    # AdminDisplayVersion hides hotfix updates, so of a server not listed only the CU counts.
    for server in organization.unlisted(observed, listed):
        if not _able((*server.version[:3], _ANY_UPDATE)):
            too_old.add(server.fqdn)
    return tuple(sorted(too_old))


def _able(build: Version) -> bool:
    """At least the first able build of the same cumulative update, or a later one."""
    line = [able for able in _BUILDS if able[:2] == build[:2]]
    same = [able for able in line if able[:3] == build[:3]]
    if same:
        return build >= same[0]
    return bool(line) and build > max(line)
