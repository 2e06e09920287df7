"""The Microsoft clouds, as data. An address that nobody has documented is None, never a guess.

Sources: Microsoft Graph "National cloud deployments"; the Exchange documents "Configure OAuth
authentication" (ACS metadata) and "Enable-PushNotificationProxy" (push address); MSAL for .NET,
KnownMetadataProvider (audience of federated tokens: a federated credential names the same one).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cloud:
    """Addresses of one cloud. ``metadata_url`` has ``{domain}`` where the tenant's domain goes."""

    name: str
    authority: str
    graph: str
    metadata_url: str | None
    issuer_hosts: frozenset[str]
    push_uri: str | None
    push_hosts: frozenset[str]
    ews_uri: str
    federated_audience: str


def _cloud(  # noqa: PLR0913 - a row of a table
    name: str,
    login: str,
    graph: str,
    outlook: str,
    metadata_url: str | None = None,
    *,
    issuers: tuple[str, ...] = (),
    push_uri: str | None = None,
    exchanges: str = "",
) -> Cloud:
    return Cloud(
        name=name,
        authority=f"https://{login}",
        graph=f"https://{graph}",
        metadata_url=metadata_url,
        issuer_hosts=frozenset({login, *issuers}),
        push_uri=push_uri,
        push_hosts=frozenset({outlook}),
        ews_uri=f"https://{outlook}/ews/exchange.asmx",
        federated_audience=f"api://AzureADTokenExchange{exchanges}",
    )


_US_METADATA = "https://login.microsoftonline.us/{domain}/metadata/json/1"

CLOUDS = {
    cloud.name: cloud
    for cloud in (
        _cloud(
            "Global",
            "login.microsoftonline.com",
            "graph.microsoft.com",
            "outlook.office365.com",
            "https://accounts.accesscontrol.windows.net/metadata/json/1/?realm={domain}",
            issuers=("accounts.accesscontrol.windows.net", "login.windows.net"),
            push_uri="https://outlook.office365.com/PushNotifications",
        ),
        _cloud(
            "USGovernmentL4",
            "login.microsoftonline.us",
            "graph.microsoft.us",
            "outlook.office365.us",
            _US_METADATA,
            exchanges="USGov",
        ),
        _cloud(
            "USGovernmentL5",
            "login.microsoftonline.us",
            "dod-graph.microsoft.us",
            "outlook-dod.office365.us",
            _US_METADATA,
            exchanges="USGov",
        ),
        _cloud(
            "China",
            "login.partner.microsoftonline.cn",
            "microsoftgraph.chinacloudapi.cn",
            "partner.outlook.cn",
            issuers=("accounts.accesscontrol.chinacloudapi.cn",),
            exchanges="China",
        ),
        _cloud(
            "Bleu",
            "login.sovcloud-identity.fr",
            "graph.svc.sovcloud.fr",
            "outlook.sovcloud.fr",
            exchanges="France",
        ),
        _cloud(
            "Delos",
            "login.sovcloud-identity.de",
            "graph.svc.sovcloud.de",
            "outlook.sovcloud.de",
            exchanges="Germany",
        ),
    )
}
