"""A private CA of the lab, its leaf certificates, and the TLS contexts made of them."""

from __future__ import annotations

import functools
import ipaddress
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.canary import CANARIES

_DAY = timedelta(days=1)


@functools.cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """The process's RSA key of that name: made once, as making one takes a tenth of a second."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    CANARIES.plant_key(f"private key of {name}", key)
    return key


def key_pem(key: rsa.RSAPrivateKey) -> bytes:
    """A private key as PEM, not encrypted."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def self_signed(
    common_name: str,
    *,
    start: datetime | None = None,
    days: int = 365,
    key: rsa.RSAPrivateKey | None = None,
) -> x509.Certificate:
    """A certificate that signs itself, as clients of Entra ID and Exchange use them."""
    used = key or rsa_key(common_name)
    begin = (start or _now() - _DAY).replace(microsecond=0)
    name = _name(common_name)
    builder = _builder(name, name, used.public_key(), begin, begin + timedelta(days=days))
    return builder.sign(used, hashes.SHA256())


SHOWN = ("trusted", "other_ca", "other_name", "expired")
"""What a listener may show, good and bad."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A server certificate with its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    def pem(self) -> bytes:
        """Key, then certificate: one file that ``load_cert_chain`` takes."""
        return key_pem(self.key) + self.certificate.public_bytes(Encoding.PEM)

    def write(self, path: Path) -> Path:
        """Write that file, readable by its owner alone."""
        path.touch(mode=0o600)
        path.write_bytes(self.pem())
        return path

    def server_context(self, folder: Path) -> ssl.SSLContext:
        """A TLS context for a server; the key passes through a file in ``folder``."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.write(folder / f"{self.certificate.serial_number:x}.pem"))
        return context


class PrivateCA:
    """A CA that exists for one run of the lab."""

    def __init__(self, name: str = "Exchange Push Operator lab CA") -> None:
        self._key = rsa_key(f"ca {name}")
        subject, begin = _name(name), _now() - _DAY
        builder = _builder(subject, subject, self._key.public_key(), begin, begin + 400 * _DAY)
        builder = builder.add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        builder = builder.add_extension(_signing_usage(), critical=True)
        builder = builder.add_extension(self._key_identifier(), critical=False)
        self.certificate = builder.sign(self._key, hashes.SHA256())

    def issue(self, names: Iterable[str], *, start: datetime | None = None, days: int = 90) -> Leaf:
        """A server certificate for host names and addresses (SAN)."""
        hosts = tuple(names)
        key, begin = rsa_key("leaf"), start or _now() - _DAY
        end = begin + timedelta(days=days)
        builder = _builder(_name(hosts[0]), self.certificate.subject, key.public_key(), begin, end)
        builder = builder.add_extension(_alternative_names(hosts), critical=False)
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = builder.add_extension(usage, critical=False)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(identifier, critical=False)
        return Leaf(builder.sign(self._key, hashes.SHA256()), key)

    def pem(self) -> bytes:
        """The CA's certificate: what the operator is given by ``--ca-file``."""
        return self.certificate.public_bytes(Encoding.PEM)

    def write(self, path: Path) -> Path:
        """Write that certificate to a file."""
        path.write_bytes(self.pem())
        return path

    def client_context(self) -> ssl.SSLContext:
        """A TLS context for a client that trusts this CA and nothing else."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.pem().decode())
        return context

    def _key_identifier(self) -> x509.SubjectKeyIdentifier:
        return x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())


class Showcase:
    """TLS contexts of one listener, by what they show; made when first shown."""

    def __init__(self, ca: PrivateCA, names: Iterable[str], folder: Path) -> None:
        self._ca, self._names, self._folder = ca, tuple(names), folder
        self._contexts: dict[str, ssl.SSLContext] = {}

    def __call__(self, shown: str) -> ssl.SSLContext:
        """The context for one of ``SHOWN``."""
        if shown not in self._contexts:
            self._contexts[shown] = self._leaf(shown).server_context(self._folder)
        return self._contexts[shown]

    def _leaf(self, shown: str) -> Leaf:
        match shown:
            case "other_ca":
                return PrivateCA("another CA").issue(self._names)
            case "other_name":
                return self._ca.issue(["elsewhere.example"])
            case "expired":
                return self._ca.issue(self._names, start=_now() - 30 * _DAY, days=10)
            case _:
                return self._ca.issue(self._names)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: rsa.RSAPublicKey,
    begin: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    serial = x509.random_serial_number()
    return builder.serial_number(serial).not_valid_before(begin).not_valid_after(end)


def _signing_usage() -> x509.KeyUsage:
    others = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(key_cert_sign=True, crl_sign=True, **dict.fromkeys(others, False))


def _alternative_names(hosts: Iterable[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([_general_name(host) for host in hosts])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
