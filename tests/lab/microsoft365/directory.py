"""Tenants, applications, service principals and their key credentials, as values."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from lab.canary import CANARIES

ROLES = frozenset({"Application.ReadWrite.All", "Organization.Read.All"})


class Kind(StrEnum):
    """The two sets of the directory that hold key credentials."""

    APPLICATION = "applications"
    PRINCIPAL = "servicePrincipals"


@dataclass(frozen=True)
class KeyCredential:
    """One stored entry of ``keyCredentials``. ``key`` is the DER of its certificate."""

    key_id: str
    key: bytes
    start: datetime
    end: datetime
    custom_key_identifier: str
    display_name: str | None = None
    type: str = "AsymmetricX509Cert"
    usage: str = "Verify"

    @cached_property
    def certificate(self) -> x509.Certificate:
        """The certificate itself."""
        return x509.load_der_x509_certificate(self.key)

    @cached_property
    def sha1(self) -> bytes:
        """What ``x5t`` names."""
        return self.certificate.fingerprint(hashes.SHA1())  # noqa: S303 - Microsoft's thumbprint

    @cached_property
    def sha256(self) -> bytes:
        """What ``x5t#S256`` names."""
        return self.certificate.fingerprint(hashes.SHA256())

    def good_at(self, moment: datetime) -> bool:
        """Both the entry and its certificate may be used now."""
        held = self.start <= moment <= self.end
        return held and moment <= self.certificate.not_valid_after_utc

    def document(self, *, with_key: bool) -> dict[str, Any]:
        """The entry as Graph shows it: ``key`` only where the reader asked in the right way."""
        return {
            "customKeyIdentifier": self.custom_key_identifier,
            "displayName": self.display_name,
            "endDateTime": iso(self.end),
            "key": base64.b64encode(self.key).decode() if with_key else None,
            "keyId": self.key_id,
            "startDateTime": iso(self.start),
            "type": self.type,
            "usage": self.usage,
        }

    def state(self) -> dict[str, Any]:
        """The entry for people."""
        return {
            "keyId": self.key_id,
            "displayName": self.display_name,
            "thumbprint": self.sha1.hex().upper(),
            "start": iso(self.start),
            "end": iso(self.end),
            "usage": self.usage,
        }

    @classmethod
    def of(cls, certificate: x509.Certificate, name: str | None = None) -> KeyCredential:
        """An entry for a whole certificate, with a new id, as an administrator would add it."""
        der = certificate.public_bytes(Encoding.DER)
        thumbprint = certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - as above
        start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        return cls(str(uuid.uuid4()), der, start, end, thumbprint, name)


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A client secret of an application."""

    text: str = field(repr=False)
    end: datetime

    def __post_init__(self) -> None:
        CANARIES.plant("client secret", self.text)


@dataclass(frozen=True, slots=True)
class FederatedCredential:
    """Whose tokens prove an application; issuer, subject and audience are compared exactly."""

    issuer: str
    subject: str
    audience: str


@dataclass(slots=True)
class Holder:
    """An application or a service principal: what holds key credentials.

    ``roles`` are the app roles of Graph granted to a service principal, ``owners`` the app ids
    that own the object, ``secrets`` and ``federated`` belong to applications. ``stale`` is what
    reads still give while the read lag lasts.
    """

    kind: Kind
    object_id: str
    app_id: str
    display_name: str
    keys: tuple[KeyCredential, ...] = ()
    owners: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    secrets: tuple[ClientSecret, ...] = ()
    federated: tuple[FederatedCredential, ...] = ()
    stale: tuple[KeyCredential, ...] = ()
    stale_reads: int = 0

    def state(self) -> dict[str, Any]:
        """The object for people."""
        keys = [key.state() for key in self.keys]
        return {
            "kind": self.kind.value,
            "id": self.object_id,
            "appId": self.app_id,
            "displayName": self.display_name,
            "roles": sorted(self.roles),
            "keys": keys,
        }


@dataclass(slots=True)
class Tenant:
    """One tenant: its GUID, its domains (the first is the default one), its directory."""

    tenant_id: str
    domains: tuple[str, ...]
    display_name: str
    holders: list[Holder] = field(default_factory=list)

    def known_as(self, reference: str) -> bool:
        """The reference is this tenant's GUID or one of its domains."""
        return reference.lower() in {self.tenant_id, *self.domains}

    def find(self, kind: Kind, app_id: str) -> Holder | None:
        """The application or principal of an app id."""
        wanted = app_id.lower()
        return next((h for h in self.holders if (h.kind, h.app_id) == (kind, wanted)), None)

    def by_id(self, kind: Kind, object_id: str) -> Holder | None:
        """The application or principal of an object id."""
        wanted = object_id.lower()
        return next((h for h in self.holders if (h.kind, h.object_id) == (kind, wanted)), None)

    def keys_of(self, app_id: str) -> tuple[KeyCredential, ...]:
        """Every key that proves an app: those of its principal and of its application."""
        return tuple(key for h in self.holders if h.app_id == app_id.lower() for key in h.keys)

    def register(self, app_id: str, name: str, **details: Any) -> Holder:
        """Register an application together with its service principal; gives the application.

        ``roles`` go to the principal, ``secrets`` and ``keys`` to the application, ``owners``
        to both.
        """
        roles, owners = details.pop("roles", ROLES), frozenset(details.pop("owners", ()))
        application = Holder(Kind.APPLICATION, _object_id(), app_id, name, owners=owners, **details)
        principal = Holder(
            Kind.PRINCIPAL, _object_id(), app_id, name, owners=owners, roles=frozenset(roles)
        )
        self.holders += [application, principal]
        return application

    def provision(self, app_id: str, name: str, keys: Iterable[KeyCredential] = ()) -> Holder:
        """Make the principal of an application that belongs to Microsoft."""
        holder = Holder(Kind.PRINCIPAL, _object_id(), app_id, name, tuple(keys))
        self.holders.append(holder)
        return holder


def iso(moment: datetime) -> str:
    """A moment as Graph spells it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _object_id() -> str:
    return str(uuid.uuid4())
