"""Tokens of the model: signed for real, and verified against the model's own clock."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from jwt.types import Options

from lab.network.ca import rsa_key, self_signed

CLOCK_TOLERANCE = 300  # seconds; inferred
LIFETIME = 3600
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)  # valid whatever clock a test sets

# Signatures are checked here; times and audiences by their owners, against the model's clock.
_SIGNATURE_ONLY: Options = {
    "verify_aud": False,
    "verify_exp": False,
    "verify_iat": False,
    "verify_iss": False,
    "verify_nbf": False,
    "verify_sub": False,
}


class BadToken(Exception):
    """A token that is not what it says."""


@dataclass(frozen=True, slots=True)
class Signer:
    """A key of Microsoft's with its certificate: it signs tokens and knows its own again."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @classmethod
    def named(cls, common_name: str) -> Signer:
        """The signer with that common name; the key is made once in a process."""
        key = rsa_key(common_name)
        return cls(key, self_signed(common_name, key=key, start=_LONG_AGO, days=30 * 365))

    @property
    def der(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def x5t(self) -> str:
        """The certificate's thumbprint as tokens name it."""
        return base64url(hashlib.sha1(self.der, usedforsecurity=False).digest())

    def sign(self, claims: Mapping[str, Any], now: datetime) -> str:
        """A token over the claims, valid for an hour."""
        moment = int(now.timestamp())
        times = {"iat": moment, "nbf": moment, "exp": moment + LIFETIME}
        headers = {"kid": self.x5t, "x5t": self.x5t}
        return jwt.encode({**claims, **times}, self.key, algorithm="RS256", headers=headers)

    def verify(self, token: str, now: datetime) -> dict[str, Any]:
        """The claims of a token of this signer. Raises BadToken."""
        claims = verified(token, self.certificate, "RS256")
        check_times(claims, now)
        return claims

    def jwk(self) -> dict[str, Any]:
        """The public half, for a JWKS document."""
        numbers = self.key.public_key().public_numbers()
        return {
            "kty": "RSA",
            "use": "sig",
            "kid": self.x5t,
            "x5t": self.x5t,
            "n": base64url(numbers.n.to_bytes(256, "big")),
            "e": base64url(numbers.e.to_bytes(3, "big")),
            "x5c": [base64.b64encode(self.der).decode()],
        }


def header(token: str) -> dict[str, Any]:
    """The header of a token, not verified. Raises BadToken."""
    try:
        return jwt.get_unverified_header(token)
    except jwt.InvalidTokenError as error:
        raise BadToken(str(error)) from error


def unverified(token: str) -> dict[str, Any]:
    """The claims of a token, not verified. Raises BadToken."""
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise BadToken(str(error)) from error
    return claims


def verified(token: str, certificate: x509.Certificate, algorithm: str) -> dict[str, Any]:
    """The claims of a token that this certificate's key has signed. Raises BadToken."""
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        message = "only RSA keys sign tokens"
        raise BadToken(message)
    return verified_by(token, key, algorithm)


def verified_by(token: str, key: rsa.RSAPublicKey, algorithm: str) -> dict[str, Any]:
    """The claims of a token that this key's other half has signed. Raises BadToken."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token, key, algorithms=[algorithm], options=_SIGNATURE_ONLY
        )
    except jwt.InvalidTokenError as error:
        raise BadToken(str(error)) from error
    return claims


def check_times(claims: Mapping[str, Any], now: datetime, names: Iterable[str] = ("exp",)) -> None:
    """``nbf`` and ``exp`` against the clock; ``names`` must be there. Raises BadToken."""
    for name in names:
        if not isinstance(claims.get(name), int | float):
            message = f"the claim {name} is missing"
            raise BadToken(message)
    moment = now.timestamp()
    if moment > float(claims["exp"]) + CLOCK_TOLERANCE:
        message = "the token is expired"
        raise BadToken(message)
    if moment < float(claims.get("nbf", 0)) - CLOCK_TOLERANCE:
        message = "the token is not yet valid"
        raise BadToken(message)


def base64url(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unbase64url(text: str) -> bytes:
    """The bytes of a base64url text; empty where it is none."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (TypeError, ValueError):
        return b""
