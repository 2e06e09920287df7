"""What the self-test asks: the operator's own looks, and a few that only settle questions."""

from __future__ import annotations

from exchange_push_operator.core import certificate_store, organization, push_proxy
from exchange_push_operator.core.commands import Cmdlet, cmdlet
from exchange_push_operator.core.probes import monitoring_items

# No certificate has this thumbprint: what is "not found" called here?
NO_CERTIFICATE = "0" * 40
# Which management roles have the cmdlets of push notifications is documented nowhere.
ROLES = tuple(
    cmdlet("Get-ManagementRoleEntry", Identity=f"*\\{name}")
    for name in (
        "Enable-PushNotificationProxy",
        "Disable-PushNotificationProxy",
        "Invoke-MonitoringProbe",
    )
)


def absent_certificate(server: str) -> Cmdlet:
    """The look at a certificate that is not there."""
    return certificate_store.certificates_on(server, NO_CERTIFICATE)


def probe(server: str) -> Cmdlet:
    """The article's probe: tries the chain out and changes nothing."""
    identity = "PushNotifications.Proxy\\PushNotificationsEnterpriseConnectivityProbe"
    return cmdlet("Invoke-MonitoringProbe", Identity=identity, Server=server)


def operators(server: str) -> tuple[Cmdlet, ...]:
    """Every look that the operator itself has in a pass."""
    return (
        organization.ORGANIZATION_CONFIG,
        organization.EXCHANGE_SERVERS,
        organization.AUTH_CONFIG,
        organization.AUTH_SERVERS,
        organization.PARTNER_APPLICATIONS,
        organization.SETTING_OVERRIDES,
        organization.LOCAL_SERVER,
        certificate_store.LOCAL_CERTIFICATES,
        organization.component_states(server),
        monitoring_items(server),
        *push_proxy.LOOKS,
    )


def all_looks(server: str) -> tuple[Cmdlet, ...]:
    """Everything that is asked in one request."""
    return (
        *operators(server),
        certificate_store.certificates_on(server, None),
        absent_certificate(server),
        *ROLES,
    )
