"""The dedicated Exchange hybrid application: does Exchange sign in as it?

Source: Microsoft, "Deploy dedicated Exchange hybrid app"; figures in docs/principals.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exchange_push_operator.core import organization
from exchange_push_operator.core.builds import Build, builds
from exchange_push_operator.core.commands import cmdlet
from exchange_push_operator.core.config import PushConfig, Target
from exchange_push_operator.core.errors import PushError
from exchange_push_operator.core.exchange_server import Version
from exchange_push_operator.core.looks import COMMAND_NOT_FOUND, ORGANIZATION, Looks, Observations
from exchange_push_operator.core.reading import reading

# Exchange 2013 has no setting overrides ("Get-SettingOverride" begins with 2016).
_OVERRIDES: Version = (15, 1)
_SECTION = "ExchangeOnpremAsThirdPartyAppId"
# The value decides, not that the parameter is there: Enabled=false is no override.
_ENABLED = re.compile(r"\s*enabled\s*=\s*true\s*", re.IGNORECASE)

# The first build of each line that can sign in as a dedicated application; 2013 never can.
_BUILDS: tuple[Version, ...] = (
    (15, 1, 2507, 55),  # 2016 CU23, April 2025 hotfix update
    (15, 2, 1544, 25),  # 2019 CU14, April 2025 hotfix update
    (15, 2, 1748, 24),  # 2019 CU15, April 2025 hotfix update
    (15, 2, 2562, 17),  # Subscription Edition, release to manufacturing
)

_NO_OVERRIDE = (
    "the setting override is missing, run New-SettingOverride -Name "
    f"EnableExchangeHybrid3PAppFeature -Component Global -Section {_SECTION} "
    "-Parameters @('Enabled=true') -Reason 'dedicated hybrid application'"
)


@dataclass(frozen=True, slots=True)
class DedicatedApplication:
    """``application_id`` is EvoSts' ApplicationIdentifier, "" where there is none.

    ``too_old`` and ``unseen`` are servers: those that cannot sign in as one, and those of which
    that is not known.
    """

    evo_sts: str | None
    application_id: str
    override: bool
    too_old: tuple[str, ...]
    unseen: tuple[str, ...] = ()

    @property
    def in_use(self) -> bool:
        """Whether the organisation has begun to sign in as a dedicated application."""
        return self.override or bool(self.application_id)

    def missing(self, app_id: str) -> str:
        """What keeps Exchange from signing in as ``app_id``, with commands; "" for nothing."""
        lacks = (self._builds(), self._names(app_id), "" if self.override else _NO_OVERRIDE)
        return "; ".join(lack for lack in lacks if lack)

    def _builds(self) -> str:
        if not self.too_old:
            return ""
        return (
            f"{', '.join(self.too_old)}: too old to sign in as a dedicated application, update "
            "the server"
        )

    def _names(self, app_id: str) -> str:
        if self.evo_sts is None:
            return (
                "there is no enabled AzureAD auth server (EvoSts) for the tenant, run the Hybrid "
                "Configuration Wizard"
            )
        if self.application_id.lower() == app_id.lower():
            return ""
        return (
            f"auth server {self.evo_sts} does not name the application, run "
            f"{cmdlet('Set-AuthServer', Identity=self.evo_sts, ApplicationIdentifier=app_id)}"
        )


def looks(config: PushConfig) -> Looks:
    """What tells whether Exchange signs in as the application, where one is the target."""
    if config.target is not Target.DEDICATED:
        return Looks()
    asked = (
        organization.EXCHANGE_SERVERS,
        organization.AUTH_SERVERS,
        organization.SETTING_OVERRIDES,
    )
    return Looks(organization=asked, server=lambda _name: (organization.LOCAL_SERVER,))


def switched_over(config: PushConfig, observed: Observations) -> bool:
    """Whether Exchange is seen to sign in as the application; what is not known is no yes."""
    if config.target is not Target.DEDICATED:
        return False
    try:
        with reading("the dedicated application"):
            found = read(observed, builds(config, observed))
    except PushError:  # PrerequisitesMet tells it
        return False
    return not found.missing(config.app_id) and not found.unseen


def read(observed: Observations, built: Mapping[str, Build]) -> DedicatedApplication:
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
    can_sign = {name: able(build) for name, build in sorted(built.items())}
    return DedicatedApplication(
        evo_sts=str(evo_sts["Name"]) if evo_sts else None,
        application_id=str(evo_sts["ApplicationIdentifier"] or "") if evo_sts else "",
        override=_override(observed, built),
        too_old=tuple(name for name, can in can_sign.items() if can is False),
        unseen=tuple(name for name, can in can_sign.items() if can is None),
    )


def _override(observed: Observations, built: Mapping[str, Build]) -> bool:
    answer = observed.cmdlets[ORGANIZATION, organization.SETTING_OVERRIDES]
    asked = built.get(observed.primary.lower())
    missing = answer.error is not None and answer.error.kind == COMMAND_NOT_FOUND
    if missing and asked is not None and asked.version < _OVERRIDES:
        return False
    return any(
        row["SectionName"] == _SECTION and any(map(_ENABLED.fullmatch, _texts(row["Parameters"])))
        for row in observed.organization(organization.SETTING_OVERRIDES)
    )


def _texts(value: Any) -> list[str]:
    """The parameters of an override; one alone may come as a text, none as nothing."""
    return [value] if isinstance(value, str) else [str(text) for text in value or ()]


def able(build: Build) -> bool | None:
    """Whether a server of this build can sign as one.

    At least the first able build of the same cumulative update, or a later one.

    None: the cumulative update would do, but its hotfix update is not known.
    """
    line = [first for first in _BUILDS if first[:2] == build.version[:2]]
    same = next((first for first in line if first[:3] == build.version[:3]), None)
    if same is None:
        return bool(line) and build.version > max(line)
    if build.version >= same:
        return True
    return False if build.exact else None
