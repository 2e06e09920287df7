"""Which tenant a domain belongs to: read from Microsoft's public documents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from exchange_push_operator.core.clouds import Cloud
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.errors import Refused
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.urls import split

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MADE_ANEW = "delete the resource and make it anew (spec.tenant cannot be corrected)"


def openid_configuration_url(config: PushConfig, domain: str) -> str:
    """Where the tenant of a domain is published, without credentials."""
    return openid_configuration(config.tenant.cloud, domain)


def openid_configuration(cloud: Cloud, domain: str) -> str:
    """The same, of a cloud."""
    return f"{cloud.authority}/{domain}/v2.0/.well-known/openid-configuration"


def issuer_tenant(document: Mapping[str, Any]) -> str | None:
    """The tenant id in an OpenID configuration: the GUID in the issuer's path."""
    found = _GUID.search(str(document.get("issuer", "")).lower())
    return found[0] if found else None


def realm(document: Mapping[str, Any]) -> str | None:
    """The tenant of an ACS metadata document; None where it names none."""
    value = str(document.get("realm") or "").lower()
    return value if _GUID.fullmatch(value) else None


def named(url: str) -> str | None:
    """The tenant id that a metadata URL spells out; None where it names a domain or nothing."""
    _, _, name = _address(url, {})
    segments = [part for part in split(url).path.lower().split("/") if part]
    found = [part for part in (name, *segments[:1]) if _GUID.fullmatch(part)]
    return found[0] if found else None


def confirm(config: PushConfig, found: str, where: str) -> None:
    """Compare a tenant id with the declared one and with the one of an earlier day.

    Raises:
        Refused: TenantMismatch.
    """
    expected = config.tenant.tenant_id or config.status.get("tenantId")
    if expected and found != expected:
        declared = "spec.tenant.tenantId" if config.tenant.tenant_id else "status.tenantId"
        raise Refused(
            Reason.TENANT_MISMATCH,
            f"{where} names tenant {found}, {declared} is {expected}; nothing is sent until both "
            f"agree: where spec.tenant is mistyped, {MADE_ANEW}; else find out who took the domain "
            "over",
        )


def same_metadata(left: str, right: str, *, domain: str, tenant_id: str) -> bool:
    """Whether two metadata URLs name the same document.

    The article's ``/metadata/json/1/?realm=<domain>`` and the later
    ``/<domain or tenant id>/metadata/json/1`` are two spellings of one address.
    """
    names = {domain.lower(): tenant_id, tenant_id: tenant_id}
    return _address(left, names) == _address(right, names)


def _address(url: str, names: Mapping[str, str]) -> tuple[str, str, str]:
    parts = split(url)
    segments = [segment for segment in parts.path.lower().split("/") if segment]
    named = (parse_qs(parts.query.lower()).get("realm") or [""])[0]
    if not named and segments and segments[0] in names:
        named = segments.pop(0)
    place = f"{parts.scheme}://{parts.netloc}".lower().removesuffix(":443")
    return place, "/".join(segments), names.get(named, named)
