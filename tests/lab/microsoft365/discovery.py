"""What Entra ID tells without credentials (docs/entra.md)."""

from __future__ import annotations

from typing import Any

from lab.microsoft365.clouds import clouds_of
from lab.microsoft365.directory import Tenant
from lab.microsoft365.http import HttpRequest


def openid_configuration(tenant: Tenant, request: HttpRequest) -> dict[str, Any]:
    """The document of a tenant; every address carries the host it was asked by."""
    cloud = clouds_of(request.name)[0]
    root, tenant_id = f"https://{request.host}", tenant.tenant_id
    reference = request.path.strip("/").split("/")[0]
    return {
        "token_endpoint": f"{root}/{reference}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": [
            "client_secret_post",
            "private_key_jwt",
            "client_secret_basic",
        ],
        "jwks_uri": f"{root}/{reference}/discovery/v2.0/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": f"{root}/{tenant_id}/v2.0",
        "authorization_endpoint": f"{root}/{reference}/oauth2/v2.0/authorize",
        "tenant_region_scope": "EU",
        "cloud_instance_name": cloud.instance,
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": cloud.graph,
        "rbac_url": "https://pas.windows.net",
    }


def instances(request: HttpRequest) -> dict[str, Any]:
    """The answer to MSAL's instance discovery: the aliases of the cloud that was asked."""
    cloud = clouds_of(request.name)[0]
    asked = request.parameters().get("authorization_endpoint", "")
    reference = asked.removeprefix("https://").partition("/")[2].split("/")[0] or "common"
    first = cloud.login[0]
    return {
        "tenant_discovery_endpoint": (
            f"https://{request.host}/{reference}/v2.0/.well-known/openid-configuration"
        ),
        "api-version": "1.1",
        "metadata": [
            {
                "preferred_network": first,
                "preferred_cache": cloud.login[-1],
                "aliases": list(cloud.login),
            }
        ],
    }
