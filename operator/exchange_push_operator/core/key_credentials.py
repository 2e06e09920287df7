"""Key credentials of a principal: matching, and the whole list that a PATCH must carry.

Rules: Microsoft Graph, resource keyCredential and "Update servicePrincipal" (a PATCH replaces the
whole collection); docs/entra.md lists them with their sources.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from exchange_push_operator.core.reading import reading
from exchange_push_operator.core.x509 import Certificate, parse_utc, read_certificate, utc_text

_NAMESPACE = uuid.UUID("5b0e6bd4-7c0c-5f7e-9a55-2f3c2f2f0c11")
_HEX = re.compile(r"[0-9A-Fa-f]{40}")
_DISPLAY_NAME = "Exchange Auth certificate (exchange-push-operator)"


@dataclass(frozen=True, slots=True)
class KeyCredential:
    """One entry as Entra ID has it. ``certificate`` is None where ``key`` was not given out."""

    raw: Mapping[str, Any]
    key_id: str
    thumbprint: str | None
    certificate: Certificate | None
    ends: datetime | None

    @property
    def canonical(self) -> str:
        """A text that changes when anything of the entry does; the key itself left out."""
        return json.dumps({k: v for k, v in self.raw.items() if k != "key"}, sort_keys=True)

    def expired(self, now: datetime) -> bool:
        """Whether Entra ID does not accept it any more."""
        return self.ends is not None and self.ends <= now

    def is_of(self, certificate: Certificate) -> bool:
        """Whether it verifies signatures of this certificate: by content, else by thumbprint."""
        if self.raw.get("usage") != "Verify" or self.raw.get("type") != "AsymmetricX509Cert":
            return False
        if self.certificate is not None:
            return self.certificate.sha256 == certificate.sha256
        return self.thumbprint == certificate.thumbprint


def read_credentials(principal: Mapping[str, Any]) -> tuple[KeyCredential, ...]:
    """The entries of a principal read with ``$select=keyCredentials``.

    Raises:
        CmdletFailed: there is no list, or an entry cannot be read. An empty list is a list; what
            is missing is not empty (safety rule 2).
    """
    with reading("Microsoft Graph, key credentials"):
        listed = principal["keyCredentials"]
        if not isinstance(listed, list):
            raise TypeError(type(listed))
        read = [_read(raw) for raw in listed]
    # Graph promises no order, and the same list must make the same plan.
    return tuple(sorted(read, key=lambda entry: entry.key_id))


def _read(raw: Mapping[str, Any]) -> KeyCredential:
    key = raw.get("key")
    certificate = read_certificate(base64.b64decode(key)) if key else None
    ends = raw.get("endDateTime")
    return KeyCredential(
        raw=raw,
        key_id=str(raw.get("keyId") or "").lower(),
        thumbprint=certificate.thumbprint if certificate else _thumbprint(raw),
        certificate=certificate,
        ends=parse_utc(ends) if ends else None,
    )


def _thumbprint(raw: Mapping[str, Any]) -> str | None:
    """Read customKeyIdentifier: 40 hex digits today, base64 of 20 bytes in older entries."""
    text = str(raw.get("customKeyIdentifier") or "")
    if _HEX.fullmatch(text):
        return text.upper()
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return decoded.hex().upper() if len(decoded) == 20 else None  # noqa: PLR2004 - SHA-1


def own_key_id(organization_id: str, certificate: Certificate, counter: int) -> str:
    """Our keyId: known without memory, so a crash cannot make a second key (safety rule 5)."""
    return str(uuid.uuid5(_NAMESPACE, f"{organization_id}/{certificate.sha256}/{counter}"))


def own_key_ids(organization_id: str, certificate: Certificate) -> tuple[str, ...]:
    """The keyIds that we may have given to this certificate, in the order of their use."""
    return tuple(own_key_id(organization_id, certificate, counter) for counter in range(8))


def new_entry(certificate: Certificate, key_id: str) -> Mapping[str, Any]:
    """An entry for a certificate, valid as long as the certificate is."""
    return {
        "type": "AsymmetricX509Cert",
        "usage": "Verify",
        "keyId": key_id,
        "key": certificate.base64,
        "displayName": _DISPLAY_NAME,
        "startDateTime": utc_text(certificate.not_before),
        "endDateTime": utc_text(certificate.not_after),
    }


def retained(entries: Iterable[KeyCredential]) -> list[Mapping[str, Any]]:
    """Entries as they must be sent back to stay: all as read, without ``key``.

    With a ``key`` Entra ID takes the entry for an attempt to change it (KeyNotUpdatable).
    """
    return [{k: v for k, v in entry.raw.items() if k != "key"} for entry in entries]


def lost(before: Sequence[KeyCredential], body: Mapping[str, Any]) -> tuple[str, ...]:
    """The keyIds that a PATCH with this body would drop."""
    kept = {str(entry.get("keyId")).lower() for entry in body["keyCredentials"]}
    return tuple(entry.key_id for entry in before if entry.key_id not in kept)
