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
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from exchange_push_operator.core.commands import GraphRequest
from exchange_push_operator.core.reading import reading
from exchange_push_operator.core.timestamps import parse_utc, utc_text
from exchange_push_operator.core.x509 import Certificate, read_certificate

_NAMESPACE = uuid.UUID("5b0e6bd4-7c0c-5f7e-9a55-2f3c2f2f0c11")
_HEX = re.compile(r"[0-9A-F]{40}")
_DIGESTS = (20, 32)  # bytes of a SHA-1 and of a SHA-256
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_KEY = frozenset({"key"})
_DATES = frozenset({"key", "startDateTime", "endDateTime"})
_DISPLAY_NAME = "Exchange Auth certificate (exchange-push-operator)"


@dataclass(frozen=True, slots=True)
class KeyCredential:
    """One entry as Entra ID has it. ``certificate`` is None where ``key`` was not given out.

    ``digest`` is the certificate's SHA-1 or SHA-256 in capital hex digits, from its content or,
    without it, from ``customKeyIdentifier``. ``starts`` and ``ends`` are as they are stored, which
    need not be the certificate's.
    """

    raw: Mapping[str, Any]
    key_id: str
    digest: str | None
    certificate: Certificate | None
    starts: datetime | None
    ends: datetime | None

    @property
    def thumbprint(self) -> str | None:
        """The SHA-1 of the certificate as Exchange spells it; None where it is not known."""
        return self.digest if self.digest and _HEX.fullmatch(self.digest) else None

    @property
    def canonical(self) -> str:
        """A text that changes when anything of the entry does; the key itself left out."""
        return json.dumps({k: v for k, v in self.raw.items() if k != "key"}, sort_keys=True)

    def expired(self, now: datetime) -> bool:
        """Whether Entra ID does not accept it any more."""
        return self.ends is not None and self.ends <= now

    def is_of(self, certificate: Certificate) -> bool:
        """Whether it is for signatures of this certificate: by content, else by a digest."""
        if self.raw.get("usage") != "Verify" or self.raw.get("type") != "AsymmetricX509Cert":
            return False
        if self.certificate is not None:
            return self.certificate.sha256 == certificate.sha256
        return self.digest in (certificate.thumbprint, certificate.sha256.upper())

    def verifies(self, certificate: Certificate, now: datetime) -> bool:
        """Whether Entra ID verifies this certificate with it as long as the certificate is valid.

        An entry that begins later than it has to is of no use yet.
        """
        late = self.starts is not None and self.starts > max(now, certificate.not_before)
        return self.is_of(certificate) and not late and not self.expired(now)


def read_credentials(principal: Mapping[str, Any]) -> tuple[KeyCredential, ...]:
    """The entries of a principal read with ``$select=keyCredentials``.

    Raises:
        CmdletFailed: there is no list, not all of it, or an entry cannot be read. An empty list is
            a list; what is missing is not empty (safety rule 2).
    """
    with reading("Microsoft Graph, key credentials"):
        listed = principal["keyCredentials"]
        if not isinstance(listed, list):
            raise TypeError(type(listed))
        if "keyCredentials@odata.nextLink" in principal:
            raise ValueError("a page")
        read = [_read(raw) for raw in listed]
    # Graph promises no order, and the same list must make the same plan.
    return tuple(sorted(read, key=lambda entry: entry.key_id))


def _read(raw: Mapping[str, Any]) -> KeyCredential:
    certificate = _certificate(raw.get("key"))
    return KeyCredential(
        raw=raw,
        key_id=str(raw.get("keyId") or "").lower(),
        digest=certificate.thumbprint if certificate else _digest(raw),
        certificate=certificate,
        starts=_moment(raw.get("startDateTime")),
        ends=_moment(raw.get("endDateTime")),
    )


def _moment(value: Any) -> datetime | None:
    return parse_utc(value) if value else None


def _certificate(key: Any) -> Certificate | None:
    """What ``key`` holds: a DER; the text of a PEM where a tool has stored that.

    One that nobody can read is somebody else's business, and no reason to read nothing at all.
    """
    stored = _bytes(str(key)) if key else None
    pem = _PEM.search(stored) if stored else None
    der = _bytes("".join(pem[1].decode("latin-1").split())) if pem else stored
    return read_certificate(der) if der else None


def _digest(raw: Mapping[str, Any]) -> str | None:
    """Read customKeyIdentifier: hex digits of the SHA-1 today, base64 of it in older entries.

    It is ``Edm.Binary`` of at most 32 bytes, so a tool may have stored the SHA-256 instead.
    """
    text = "".join(str(raw.get("customKeyIdentifier") or "").split())
    digits = text.replace(":", "").upper()
    if _HEX.fullmatch(digits):
        return digits
    found = _bytes(text)
    return found.hex().upper() if found and len(found) in _DIGESTS else None


def _bytes(text: str) -> bytes | None:
    """Base64 in any of its spellings: either alphabet, padded or not; None for anything else."""
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def own_key_id(organization_id: str, certificate: Certificate, counter: int) -> str:
    """Our keyId: known without memory, so a crash cannot make a second key (safety rule 5)."""
    return _key_ids(organization_id, certificate.sha256)[counter]


@lru_cache(maxsize=1024)
def _key_ids(organization_id: str, sha256: str) -> tuple[str, ...]:
    made_of = (f"{organization_id}/{sha256}/{counter}" for counter in range(8))
    return tuple(str(uuid.uuid5(_NAMESPACE, text)) for text in made_of)


def own_key_ids(organization_id: str, certificate: Certificate) -> tuple[str, ...]:
    """The keyIds that we may have given to this certificate, in the order of their use."""
    return _key_ids(organization_id, certificate.sha256)


def recognised(
    entries: Iterable[KeyCredential], organization_id: str, certificates: Iterable[Certificate]
) -> tuple[KeyCredential, ...]:
    """The same; one that tells nothing but its id is of the certificate that the id was made of."""
    of = {
        key_id: certificate.thumbprint
        for certificate in certificates
        for key_id in own_key_ids(organization_id, certificate)
    }
    return tuple(replace(e, digest=e.digest or of.get(e.key_id)) for e in entries)


def new_entry(certificate: Certificate, key_id: str, starts: datetime) -> Mapping[str, Any]:
    """An entry for a certificate, valid from ``starts`` to the certificate's end."""
    return {
        "type": "AsymmetricX509Cert",
        "usage": "Verify",
        "keyId": key_id,
        "key": certificate.base64,
        "displayName": _DISPLAY_NAME,
        "startDateTime": utc_text(starts),
        "endDateTime": utc_text(certificate.not_after),
    }


def retained(entries: Iterable[KeyCredential]) -> list[Mapping[str, Any]]:
    """Entries as they must be sent back to stay: all as read, without ``key``.

    With a ``key`` Entra ID takes the entry for an attempt to change it (KeyNotUpdatable).
    """
    return [_without(entry, _KEY) for entry in entries]


def without_dates(entries: Iterable[KeyCredential], now: datetime) -> list[Mapping[str, Any]]:
    """The same, expired ones without their dates, which Entra ID may take for new ones.

    The keyId alone says which entry is meant.
    """
    return [_without(entry, _DATES if entry.expired(now) else _KEY) for entry in entries]


def _without(entry: KeyCredential, names: frozenset[str]) -> Mapping[str, Any]:
    return {name: value for name, value in entry.raw.items() if name not in names}


def key_ids(command: GraphRequest) -> frozenset[str]:
    """The keyIds that a PATCH leaves on the principal."""
    listed = (command.body or {"keyCredentials": []})["keyCredentials"]
    return frozenset(str(entry.get("keyId")).lower() for entry in listed)


def lost(before: Sequence[KeyCredential], command: GraphRequest) -> tuple[str, ...]:
    """The keyIds that a PATCH would drop."""
    kept = key_ids(command)
    return tuple(entry.key_id for entry in before if entry.key_id not in kept)
