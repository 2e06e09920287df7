"""Whose ticket it is, and what Kerberos' numbers mean for people."""

from __future__ import annotations

import pytest

from exchange_push_operator.adapters.kerberos import principal_of
from exchange_push_operator.adapters.kerberos_words import Code, Who, explain_code
from exchange_push_operator.core.errors import Refused, Unreachable
from exchange_push_operator.core.reasons import Reason

SERVER = "ex1.corp.fabrikam.com"
WHO = Who("svc-epo@CORP.FABRIKAM.COM", SERVER, "password")
BASE = -1765328384  # ERROR_TABLE_BASE_krb5 of krb5.h
AWAY = {Code.REALM_UNKNOWN, Code.KDC_UNREACHABLE, Code.REALM_NOT_RESOLVED}
OF_THE_SECRET = {Code.KEYTAB_NOT_FOUND, Code.KEYTAB_BAD_VERSION}


@pytest.mark.parametrize(
    ("username", "principal"),
    [
        ("svc-epo@corp.fabrikam.com", "svc-epo@CORP.FABRIKAM.COM"),
        ("svc-epo@EMEA.fabrikam.com\n", "svc-epo@EMEA.FABRIKAM.COM"),
        ("CORP\\svc-epo", "svc-epo@CORP.FABRIKAM.COM"),
        ("svc-epo", "svc-epo@CORP.FABRIKAM.COM"),
    ],
)
def test_the_realm_is_what_the_account_says_else_the_servers_domain(
    username: str, principal: str
) -> None:
    assert principal_of(username, SERVER) == principal


@pytest.mark.parametrize("code", Code)
def test_each_known_error_says_who_has_to_do_what(code: Code) -> None:
    error = explain_code(BASE + code, WHO)
    if code in AWAY:
        assert isinstance(error, Unreachable)
    else:
        assert isinstance(error, Refused)
        wanted = Reason.SECRET_INVALID if code in OF_THE_SECRET else Reason.ACCESS_DENIED
        assert error.reason is wanted
    assert "CORP.FABRIKAM.COM" in str(error) or SERVER in str(error)
    assert "\n" not in str(error)
    assert f"error {code}" not in str(error)


def test_gssapi_gives_the_same_numbers_without_their_sign() -> None:
    for code in Code:
        unsigned = BASE + code + 2**32
        assert str(explain_code(unsigned, WHO)) == str(explain_code(BASE + code, WHO))


def test_what_a_kdc_says_is_a_refusal_and_what_the_library_says_is_not() -> None:
    assert isinstance(explain_code(BASE + 60, WHO), Refused)
    assert isinstance(explain_code(BASE + 250, WHO), Unreachable)
    assert isinstance(explain_code(0, WHO), Unreachable)


def test_what_does_not_look_like_an_account_is_not_shown() -> None:
    pasted = Who("my secret password@", SERVER, "password")
    for code in Code:
        assert "secret" not in str(explain_code(BASE + code, pasted)).replace("Secret", "")
