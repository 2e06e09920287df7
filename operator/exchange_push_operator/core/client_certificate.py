"""Whether a certificate and key can sign an application in, found out before anything is sent."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NoReturn

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from exchange_push_operator.core.errors import Refused
from exchange_push_operator.core.reasons import Reason

_PLACE = "in the Secret named in tenant.credentials.clientCertificate"
_CLOCK_SKEW = timedelta(minutes=5)


def check_client_certificate(
    pem: str, key_pem: str, now: datetime, *, thorough: bool = True
) -> datetime:
    """The moment the certificate expires, if it and its key can be used now.

    The first certificate in ``pem`` counts; a chain may follow. ``thorough`` also proves the key's
    numbers, which takes longer than all else in a steady pass: for those who are about to sign.

    Raises:
        Refused: SecretInvalid: unreadable, not RSA, not a pair, expired or not yet valid.
    """
    certificate, key = _certificate(pem), _key(key_pem, thorough=thorough)
    if certificate.public_key() != key.public_key():
        _refuse("tls.key does not belong to the first certificate of tls.crt", "store a pair")
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if ends <= now:
        cure = "renew it and register the new one at the application"
        _refuse("tls.crt has expired", cure)
    if begins > now + _CLOCK_SKEW:
        cure = "wait, or store one that is valid now"
        _refuse("tls.crt is not valid yet", cure)
    return ends


def _certificate(pem: str) -> x509.Certificate:
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        certificate = None
    if certificate is None:
        _refuse("tls.crt is not a certificate in PEM", "store one")
    return certificate


def _key(pem: str, *, thorough: bool) -> RSAPrivateKey:
    """Entra ID takes RSA alone: the proof is signed with RS256 or PS256."""
    try:
        key = load_pem_private_key(
            pem.encode(), password=None, unsafe_skip_rsa_key_validation=not thorough
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None  # the loader's own error is dropped: it may quote what it read
    if not isinstance(key, RSAPrivateKey):
        _refuse("tls.key is not an RSA private key in PEM without a passphrase", "store one")
    return key


def _refuse(fact: str, cure: str) -> NoReturn:
    raise Refused(Reason.SECRET_INVALID, f"{fact} ({_PLACE}); {cure}")
