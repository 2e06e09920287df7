"""kopf's own connections to the API server, signed in as ours. Alone here: kopf is large."""

from __future__ import annotations

import kopf
from kubernetes.client import ApiClient


def connection_info(client: ApiClient) -> kopf.ConnectionInfo:
    """The same sign-in for kopf, with the service account's token as it is now."""
    configuration = client.configuration
    header = configuration.get_api_key_with_prefix("BearerToken") or ""
    scheme, _, token = header.rpartition(" ")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        username=configuration.username or None,
        password=configuration.password or None,
        scheme=scheme.strip().capitalize() or None,
        token=token or None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
    )
