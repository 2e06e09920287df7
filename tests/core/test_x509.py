"""The few facts of a certificate that decisions rest on."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from answers import AUTH, AUTH_SUBJECT, NOW, certificate, der
from exchange_push_operator.core.x509 import read_certificate
from lab.network.ca import rsa_key


def test_the_facts_of_an_auth_certificate() -> None:
    assert AUTH.thumbprint == hashlib.sha1(der(), usedforsecurity=False).hexdigest().upper()
    assert AUTH.sha256 == hashlib.sha256(der()).hexdigest()
    assert (AUTH.not_before, AUTH.not_after) == (NOW - timedelta(30), NOW + timedelta(1796))
    assert (AUTH.rsa_bits, AUTH.sha1_signature) == (2048, False)
    assert AUTH.subject == f"CN={AUTH_SUBJECT}"


@pytest.mark.parametrize(
    ("moment", "valid"),
    [
        (AUTH.not_before - timedelta(seconds=1), False),
        (AUTH.not_before, True),
        (AUTH.not_after - timedelta(seconds=1), True),
        (AUTH.not_after, False),
    ],
    ids=["a second before", "from its beginning", "to its last second", "not at its end"],
)
def test_a_certificate_is_valid(moment: datetime, valid: bool) -> None:  # noqa: FBT001 - a table
    assert AUTH.valid_at(moment) is valid


def test_a_signature_with_sha1_is_seen() -> None:
    assert certificate(sha1=True).sha1_signature


@pytest.mark.parametrize(("key", "bits"), [("small", 1024), ("elliptic", 0)])
def test_only_rsa_keys_have_bits(key: str, bits: int) -> None:
    assert certificate(key=key).rsa_bits == bits


def odd(*attributes: x509.NameAttribute[str]) -> bytes:
    """A certificate with a subject that nobody should have made."""
    name, key = x509.Name(attributes), rsa_key("answers")
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    builder = builder.not_valid_before(NOW).not_valid_after(NOW + timedelta(1))
    made = builder.public_key(key.public_key()).sign(key, hashes.SHA256())
    return made.public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (odd(), ""),
        (odd(x509.NameAttribute(NameOID.COMMON_NAME, "a,b=c")), "CN=a\\,b=c"),
        (odd(x509.NameAttribute(NameOID.COUNTRY_NAME, "DE")), "C=DE"),
    ],
    ids=["empty", "with signs in it", "a country"],
)
def test_an_odd_subject_is_read(subject: bytes, expected: str) -> None:
    read = read_certificate(subject)
    assert read is not None
    assert read.subject == expected


def test_a_country_of_more_than_two_letters_is_read_without_a_warning() -> None:
    # Such certificates have been seen on Exchange servers.
    with pytest.warns(UserWarning, match="length must be"):
        germany = x509.NameAttribute(NameOID.COUNTRY_NAME, "Germany", _validate=False)
    read = read_certificate(odd(germany))
    assert read is not None
    assert read.subject == "C=Germany"


def test_a_key_that_is_not_rsa_signs_without_a_hash_and_is_read() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    builder = builder.not_valid_before(NOW).not_valid_after(NOW + timedelta(1))
    made = builder.public_key(key.public_key()).sign(key, None).public_bytes(Encoding.DER)
    read = read_certificate(made)
    assert read is not None
    assert (read.rsa_bits, read.sha1_signature) == (0, False)


@pytest.mark.parametrize("junk", [b"", b"0", b"-----BEGIN CERTIFICATE-----", der()[:-1]])
def test_what_is_no_certificate_is_none(junk: bytes) -> None:
    assert read_certificate(junk) is None


def test_a_certificate_of_an_unknown_version_is_none() -> None:
    version_3, version_9 = bytes.fromhex("a003020102"), bytes.fromhex("a003020108")
    assert read_certificate(der().replace(version_3, version_9, 1)) is None


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_bytes_of_a_server_can_stop_a_pass(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(der()) - 1))
    read_certificate(der()[:at] + data.draw(st.binary(min_size=1, max_size=4)) + der()[at + 1 :])
