"""The few facts of a certificate that decisions rest on. Times are UTC."""

from __future__ import annotations

import base64
import hashlib
import warnings
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA1


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate. ``rsa_bits`` is 0 where the key is not RSA."""

    der: bytes
    thumbprint: str
    sha256: str
    not_before: datetime
    not_after: datetime
    rsa_bits: int
    sha1_signature: bool
    subject: str

    def valid_at(self, now: datetime) -> bool:
        """Whether ``now`` lies within its life."""
        return self.not_before <= now < self.not_after

    @property
    def base64(self) -> str:
        """The DER as base64: the article's OAuthCert.cer."""
        return base64.b64encode(self.der).decode("ascii")


@lru_cache(maxsize=4096)
def read_certificate(der: bytes) -> Certificate | None:
    """Read a DER; None where it is no certificate.

    Certificates with odd subjects (a country of more than two letters has been seen on Exchange
    servers) are read as well: cryptography only warns about them.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = x509.load_der_x509_certificate(der)
            key = parsed.public_key()
            subject = parsed.subject.rfc4514_string()
            signature = parsed.signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        return None
    return Certificate(
        der=der,
        thumbprint=hashlib.sha1(der, usedforsecurity=False).hexdigest().upper(),
        sha256=hashlib.sha256(der).hexdigest(),
        not_before=parsed.not_valid_before_utc,
        not_after=parsed.not_valid_after_utc,
        rsa_bits=key.key_size if isinstance(key, rsa.RSAPublicKey) else 0,
        sha1_signature=isinstance(signature, SHA1),
        subject=subject,
    )
