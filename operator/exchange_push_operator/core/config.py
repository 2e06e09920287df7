"""An ExchangePushConfig as the rest of the operator sees it: typed, complete, unchanging."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from exchange_push_operator.core.change_windows import ChangeWindow
from exchange_push_operator.core.clouds import Cloud

GROUP = "exchangepush.dev"
VERSION = "v1alpha1"
PLURAL = "exchangepushconfigs"
FINALIZER = f"{GROUP}/disable"
RECONCILE_REQUESTED_AT = f"{GROUP}/reconcile-requested-at"
SUSPENDED = f"{GROUP}/suspended"
ABANDON = f"{GROUP}/abandon"

# What is made for rotateAfter bears the date of a server's clock; minutes apart are allowed.
_CLOCKS_DIFFER = timedelta(minutes=10)
EXCHANGE_ONLINE = "00000002-0000-0ff1-ce00-000000000000"


class Target(StrEnum):
    """Where the public half of the Auth certificate goes in Entra ID."""

    FIRST_PARTY = "FirstPartyServicePrincipal"
    DEDICATED = "DedicatedApplication"
    NONE = "None"


class ManagementPolicy(StrEnum):
    """What may be changed: everything that differs, nothing, or the plan that was approved."""

    MANAGE = "Manage"
    OBSERVE = "Observe"
    APPROVE = "Approve"


class ProxyState(StrEnum):
    """What the push-notification proxy of the organisation should be."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"
    UNMANAGED = "Unmanaged"


@dataclass(frozen=True, slots=True)
class SecretKey:
    """One entry of a Secret of the resource's namespace."""

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class TenantCredentials:
    """How to sign in to the tenant: one of the three is set. ``service_account`` is a name."""

    client_id: str
    certificate_secret: str | None
    client_secret: SecretKey | None
    service_account: str | None


@dataclass(frozen=True, slots=True)
class Tenant:
    """The Microsoft 365 tenant."""

    domain: str
    tenant_id: str | None
    cloud: Cloud
    credentials: TenantCredentials | None

    @property
    def credentials_id(self) -> str:
        """The client id, for messages; "" where the resource does not sign in."""
        return self.credentials.client_id if self.credentials else ""


@dataclass(frozen=True, slots=True)
class Connection:
    """How the servers are reached."""

    transport: str
    scheme: str
    port: int
    credentials_secret: str
    ca_secret: SecretKey | None
    host_installed: bool


@dataclass(frozen=True, slots=True)
class Proxy:
    """The proxy as it should be. ``uri`` is None only where the state is not Enabled."""

    state: ProxyState
    organization: str
    uri: str | None


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether and how often the chain is tried out."""

    enabled: bool
    interval: timedelta
    restart_health_manager: bool


@dataclass(frozen=True, slots=True)
class RollOver:
    """Policy Manage: when the next certificate is made, staged, and the key of the last removed."""

    renew_before: timedelta
    activate_after: timedelta
    key_grace: timedelta
    rotate_after: datetime | None

    def gives_up(self, made: datetime, now: datetime) -> bool:
        """Whether a certificate made at that moment, by a server's clock, is given up."""
        rotate = self.rotate_after
        return rotate is not None and made < rotate - _CLOCKS_DIFFER and rotate <= now


@dataclass(frozen=True, slots=True)
class Timing:
    """How often, how patient, how long."""

    interval: timedelta
    retry_interval: timedelta
    timeout: timedelta
    unreachable_grace: timedelta


@dataclass(frozen=True, slots=True)
class PushConfig:
    """One ExchangePushConfig. ``status`` is what the API server has; it is only read."""

    namespace: str
    name: str
    uid: str
    generation: int
    created: str
    deleting: bool
    finalizers: tuple[str, ...]
    annotations: Mapping[str, str]
    status: Mapping[str, Any]
    tenant: Tenant
    servers: tuple[str, ...]
    connection: Connection
    thumbprint: str | None
    restart_services: bool
    roll_over: RollOver | None
    auth_server: str
    metadata_url: str
    target: Target
    app_id: str
    drop_expired_keys: bool
    proxy: Proxy
    verification: Verification
    management: ManagementPolicy
    approved_plan: str | None
    change_windows: tuple[ChangeWindow, ...]
    suspended: bool
    disable_on_delete: bool
    timing: Timing

    @property
    def observe(self) -> bool:
        """Whether nothing may be changed, whatever differs."""
        return self.management is ManagementPolicy.OBSERVE

    @property
    def needs_entra(self) -> bool:
        """Whether anything is asked of Entra ID with credentials."""
        return self.target is not Target.NONE

    @property
    def stays_inside(self) -> bool:
        """Whether nothing but WinRM leaves the cluster."""
        return self.target is Target.NONE and self.tenant.tenant_id is not None
