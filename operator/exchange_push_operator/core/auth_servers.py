"""The auth servers of an organisation, as Get-AuthServer lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exchange_push_operator.core import organization
from exchange_push_operator.core.looks import Observations

ACS = "MicrosoftACS"
# The principal of Access Control Service, the same in every cloud: who signs its tokens.
_ACS_ISSUER = "00000001-0000-0000-c000-000000000000"


@dataclass(frozen=True, slots=True)
class AuthServer:
    """One trusted token issuer. ``realm`` is a tenant id, or "" before Exchange has read it.

    ``trusts_any``: Exchange takes its keys from whoever answers, whatever the TLS certificate.
    """

    name: str
    type: str
    realm: str
    issuer: str
    metadata_url: str
    enabled: bool
    trusts_any: bool

    def serves(self, tenant_id: str) -> bool:
        """Whether Exchange gets its tokens for the tenant from here, whatever its name."""
        issued = self.enabled and self.type == ACS and self.issuer == _ACS_ISSUER
        return issued and self.realm == tenant_id


def listed(observed: Observations) -> tuple[AuthServer, ...]:
    """Every auth server, by name. Raises: Refused, CmdletFailed."""
    rows = observed.organization(organization.AUTH_SERVERS)
    return tuple(sorted((_read(row) for row in rows), key=lambda server: server.name))


def _read(row: Mapping[str, Any]) -> AuthServer:
    return AuthServer(
        name=str(row["Name"]),
        type=str(row["Type"]),
        realm=str(row["Realm"] or "").lower(),
        issuer=str(row["IssuerIdentifier"] or "").lower(),
        metadata_url=str(row["AuthMetadataUrl"] or ""),
        enabled=bool(row["Enabled"]),
        trusts_any=bool(row["TrustAnySSLCertificate"]),
    )
