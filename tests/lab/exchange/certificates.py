"""Real X.509 certificates with real RSA keys, made quickly.

Keys are made once a process and dealt out again to the next organisation; within one organisation
no two certificates share a key.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from lab.canary import CANARIES

AUTH_SUBJECT = "CN=Microsoft Exchange Server Auth Certificate"
LIFETIME = timedelta(days=365 * 5 + 1)

_POOL: dict[int, list[rsa.RSAPrivateKey]] = {}
_POOL_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class StoredCertificate:
    """One certificate in the store of one server."""

    der: bytes = field(repr=False)
    key: rsa.RSAPrivateKey | None = field(repr=False)
    friendly_name: str = ""
    services: frozenset[str] = frozenset()
    exportable: bool = True

    @property
    def thumbprint(self) -> str:
        # Not for security: it is what Windows calls a certificate by.
        return hashlib.sha1(self.der, usedforsecurity=False).hexdigest().upper()

    @property
    def x509(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self.der)

    def valid_at(self, moment: datetime) -> bool:
        certificate = self.x509
        return certificate.not_valid_before_utc <= moment < certificate.not_valid_after_utc


class Mint:
    """Makes the certificates of one organisation.

    ``lifetime`` is that of Exchange's own; a story of many of them may make it shorter.
    """

    def __init__(self) -> None:
        self.lifetime = LIFETIME
        self._dealt: dict[int, int] = {}
        self._serial = 0

    def key(self, size: int = 2048) -> rsa.RSAPrivateKey:
        """The next key of the pool that this organisation does not use yet."""
        with _POOL_LOCK:
            index = self._dealt.get(size, 0)
            self._dealt[size] = index + 1
            pool = _POOL.setdefault(size, [])
            if index == len(pool):
                pool.append(rsa.generate_private_key(public_exponent=65537, key_size=size))
                CANARIES.plant_key("private key of Exchange", pool[index])
            return pool[index]

    def self_signed(
        self,
        subject: str,
        start: datetime,
        *,
        lifetime: timedelta | None = None,
        domains: tuple[str, ...] = (),
        key_size: int = 2048,
    ) -> tuple[bytes, rsa.RSAPrivateKey]:
        """A self-signed certificate as New-ExchangeCertificate makes it, and its key."""
        key = self.key(key_size)
        self._serial += 1
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _common_name(subject))])
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number((self._serial << 96) | (int(start.timestamp()) << 32) | 1)
            .not_valid_before(start.replace(microsecond=0))
            .not_valid_after(start.replace(microsecond=0) + (lifetime or self.lifetime))
        )
        if domains:
            names = x509.SubjectAlternativeName([x509.DNSName(domain) for domain in domains])
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.DER), key


def _common_name(subject: str) -> str:
    head, _, rest = subject.partition("=")
    return rest if head.strip().lower() == "cn" else subject
