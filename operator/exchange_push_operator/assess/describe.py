"""The resource that describes an organisation as it is: choices adopted, the rest by default. Pure.

It declares what the article ends with. What the organisation has chosen for itself and what works
(names, addresses, the dedicated application) is written down as it stands, so that the first plan
is empty where all is well, and holds the repairs where it is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from exchange_push_operator.assess.first_look import Choices, named_in, publishes
from exchange_push_operator.core import tenant
from exchange_push_operator.core.auth_servers import ACS, AuthServer
from exchange_push_operator.core.clouds import Cloud
from exchange_push_operator.core.config import GROUP, VERSION
from exchange_push_operator.core.push_proxy import PushProxy
from exchange_push_operator.core.urls import split

_MOST_SERVERS = 64
_DEFAULT_AUTH_SERVER = "MicrosoftSts"
# What the schema of authServer.name takes; another name cannot be declared, only adopted.
_AUTH_SERVER_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9 ._]{0,62}[A-Za-z0-9])?")
_DOMAIN = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z][a-z0-9-]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Known:
    """What the command line said, and what Microsoft's public documents say of it.

    ``client_id`` is None where nobody signs in to Entra ID; ``by_secret``: by a client secret, not
    a certificate. ``strange_proxy``: the organisation that the proxy is enabled for is known to
    belong to another tenant.
    """

    domain: str
    tenant_id: str
    cloud: Cloud
    client_id: str | None
    transport: str
    scheme: str
    port: int
    host_script: str
    own_ca: bool = False
    by_secret: bool = False
    strange_proxy: bool = False

    @property
    def name(self) -> str:
        """What the resource is called: the first part of the domain."""
        return self.domain.partition(".")[0]


def resource(known: Known, choices: Choices) -> dict[str, Any]:
    """The resource, without what is the default anyway."""
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "ExchangePushConfig",
        "metadata": {"name": known.name, "namespace": "exchange"},
        "spec": {
            "tenant": _tenant(known),
            "exchange": _exchange(known, choices),
            **_auth_server(known, choices),
            "principal": _principal(known, choices),
            **_proxy(known, choices.proxy),
            "managementPolicy": "Observe",
        },
    }


def _tenant(known: Known) -> dict[str, Any]:
    made: dict[str, Any] = {
        "domain": known.domain,
        "tenantId": known.tenant_id,
        "cloud": known.cloud.name,
    }
    if known.client_id is not None:
        made["credentials"] = {"clientId": known.client_id, **_proof(known)}
    return made


def _proof(known: Known) -> dict[str, Any]:
    secret = {"name": f"{known.name}-entra"}
    if known.by_secret:
        return {"clientSecret": {"secretRef": {**secret, "key": "client-secret"}}}
    return {"clientCertificate": {"secretRef": secret}}


def _exchange(known: Known, choices: Choices) -> dict[str, Any]:
    connection: dict[str, Any] = {
        "transport": known.transport,
        "scheme": known.scheme,
        "port": known.port,
        "hostScript": known.host_script,
        "credentialsSecretRef": {"name": f"{known.name}-exchange"},
    }
    if known.own_ca:
        connection["caSecretRef"] = {"name": f"{known.name}-ca", "key": "ca.crt"}
    servers = [{"name": name} for name in choices.servers[:_MOST_SERVERS]]
    return {"servers": servers, "connection": connection}


def _principal(known: Known, choices: Choices) -> dict[str, Any]:
    """What Exchange signs as. Without a sign-in nobody can see its keys, so none is declared."""
    if known.client_id is None:
        return {"target": "None"}
    if choices.application:
        return {"target": "DedicatedApplication", "appId": choices.application}
    # Exchange has begun to sign as an application that nothing names: whose keys is unknown.
    return {"target": "None" if choices.override else "FirstPartyServicePrincipal"}


def _auth_server(known: Known, choices: Choices) -> dict[str, Any]:
    found = _chosen(known, choices.auth_servers)
    taken = {server.name.lower() for server in choices.auth_servers}
    name = found.name if found else _free_name(known, taken)
    made = {"name": name}
    if found is not None and _works_elsewhere(known, found):
        made["metadataUrl"] = found.metadata_url
    return {} if made == {"name": _DEFAULT_AUTH_SERVER} else {"authServer": made}


def _chosen(known: Known, servers: tuple[AuthServer, ...]) -> AuthServer | None:
    """The one that serves the tenant, else the one that would once it is mended."""
    fit = [
        server
        for server in servers
        if server.type == ACS
        and _AUTH_SERVER_NAME.fullmatch(server.name)
        and server.realm == known.tenant_id
    ]
    return min(
        fit,
        key=lambda one: (
            not one.serves(known.tenant_id),
            one.trusts_any,
            not _is_published(known, one),
            one.name != _DEFAULT_AUTH_SERVER,
            one.name,
        ),
        default=None,
    )


def _free_name(known: Known, taken: set[str]) -> str:
    """A name for the one that is to be made: never that of somebody else's."""
    wanted = (
        _DEFAULT_AUTH_SERVER,
        f"{_DEFAULT_AUTH_SERVER} {known.name}",
        f"ACS {known.tenant_id}",
    )
    return next((name for name in wanted if name.lower() not in taken), wanted[-1])


def _is_published(known: Known, server: AuthServer) -> bool:
    default = known.cloud.metadata_url
    return default is not None and _same(known, server.metadata_url, default)


def _works_elsewhere(known: Known, server: AuthServer) -> bool:
    """Whether it serves the tenant from another address of Microsoft's than the default one."""
    if _is_published(known, server) or not publishes(server.metadata_url, known.cloud):
        return False
    names = (tenant.named(server.metadata_url), *named_in(server.metadata_url))
    return server.serves(known.tenant_id) and (known.tenant_id in names or known.domain in names)


def _same(known: Known, url: str, pattern: str) -> bool:
    default = pattern.replace("{domain}", known.domain)
    return tenant.same_metadata(url, default, domain=known.domain, tenant_id=known.tenant_id)


def _proxy(known: Known, proxy: PushProxy | None) -> dict[str, Any]:
    """As it is where it is enabled for this tenant; to be enabled where it is not."""
    if proxy is None or not (known.cloud.push_uri or proxy.uri):
        return {"proxy": {"state": "Unmanaged"}}
    made = {"state": "Enabled"}
    if proxy.enabled and not known.strange_proxy:
        if _is_another_domain(known, proxy.organization):
            made["organization"] = proxy.organization
        if _is_microsofts(proxy.uri, known.cloud) and proxy.uri != known.cloud.push_uri:
            made["uri"] = proxy.uri
    if known.cloud.push_uri is None and "uri" not in made:
        return {"proxy": {"state": "Unmanaged"}}
    return {} if made == {"state": "Enabled"} else {"proxy": made}


def _is_another_domain(known: Known, name: str) -> bool:
    return name.lower() != known.domain and _DOMAIN.fullmatch(name) is not None


def _is_microsofts(uri: str, cloud: Cloud) -> bool:
    parts = split(uri)
    return parts.scheme.lower() == "https" and parts.hostname in cloud.push_hosts
