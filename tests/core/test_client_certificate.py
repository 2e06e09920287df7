"""A client certificate that cannot work is found before anything is sent."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from exchange_push_operator.core.client_certificate import check_client_certificate
from exchange_push_operator.core.errors import Refused
from exchange_push_operator.core.reasons import Reason
from lab.network.ca import key_pem, rsa_key, self_signed

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
KEY = rsa_key("client certificate of these tests")
KEY_PEM = key_pem(KEY).decode()


def pem(*, start: datetime = NOW - timedelta(days=1), key: rsa.RSAPrivateKey = KEY) -> str:
    certificate = self_signed("operator", start=start, days=365, key=key)
    return certificate.public_bytes(Encoding.PEM).decode()


def test_a_good_pair_tells_when_it_expires() -> None:
    assert check_client_certificate(pem(), KEY_PEM, NOW) == NOW + timedelta(days=364)


def test_a_chain_may_follow_the_certificate() -> None:
    issuer = pem(key=rsa_key("issuer"))
    assert check_client_certificate(pem() + issuer, KEY_PEM, NOW) > NOW


def test_a_certificate_made_a_moment_ago_by_a_faster_clock_is_good() -> None:
    begins = NOW + timedelta(minutes=4)
    assert check_client_certificate(pem(start=begins), KEY_PEM, NOW) > NOW


def test_the_first_certificate_is_the_one_that_needs_the_key() -> None:
    issuer = pem(key=rsa_key("issuer"))
    with pytest.raises(Refused, match=r"tls\.key does not belong to the first certificate"):
        check_client_certificate(issuer + pem(), KEY_PEM, NOW)


@pytest.mark.parametrize(
    ("certificate", "expected"),
    [
        ("", r"tls\.crt is not a certificate in PEM"),
        ("rubbish", r"tls\.crt is not a certificate in PEM"),
        (KEY_PEM, r"tls\.crt is not a certificate in PEM"),
        (pem(start=NOW - timedelta(days=400)), r"tls\.crt has expired"),
        (pem(start=NOW - timedelta(days=365)), r"tls\.crt has expired"),
        (pem(start=NOW + timedelta(days=2)), r"tls\.crt is not valid yet"),
    ],
    ids=["empty", "not PEM", "a key", "long expired", "expires this moment", "of the future"],
)
def test_a_bad_certificate_is_named_with_its_cure(certificate: str, expected: str) -> None:
    with pytest.raises(Refused, match=expected) as refused:
        check_client_certificate(certificate, KEY_PEM, NOW)
    assert refused.value.reason is Reason.SECRET_INVALID
    assert "tenant.credentials.clientCertificate" in str(refused.value)


def elliptic() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def locked() -> str:
    passphrase = BestAvailableEncryption(b"canary-passphrase")
    return KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, passphrase).decode()


@pytest.mark.parametrize(
    "key",
    ["", KEY_PEM.replace("A", "canary"), pem(), elliptic(), locked()],
    ids=["empty", "garbled", "a certificate", "an elliptic curve", "with a passphrase"],
)
def test_a_bad_key_is_refused_without_a_word_of_it(key: str) -> None:
    with pytest.raises(Refused, match="not an RSA private key in PEM") as refused:
        check_client_certificate(pem(), key, NOW)
    assert refused.value.reason is Reason.SECRET_INVALID
    assert "canary" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None


def test_a_key_whose_numbers_do_not_fit_is_found_before_it_signs() -> None:
    good = KEY.private_numbers()
    wrong = rsa.RSAPrivateNumbers(
        p=good.p, q=good.q, d=good.d + 2, dmp1=good.dmp1, dmq1=good.dmq1, iqmp=good.iqmp,
        public_numbers=good.public_numbers,
    )  # fmt: skip
    broken = key_pem(wrong.private_key(unsafe_skip_rsa_key_validation=True)).decode()
    with pytest.raises(Refused, match=r"tls\.key is not an RSA private key"):
        check_client_certificate(pem(), broken, NOW)
    assert check_client_certificate(pem(), broken, NOW, thorough=False) > NOW
