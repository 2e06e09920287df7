"""Signing in: what is wrong is named, nothing is changed, and the cure is seen by itself."""

from __future__ import annotations

import copy
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from exchange_push_operator.core.commands import GraphRequest
from exchange_push_operator.core.ports import Identity
from lab.exchange.faults import set_fault
from lab.in_process import Lab, lab
from lab.microsoft365.directory import KeyCredential
from lab.microsoft365.sample import CONTOSO, FABRIKAM, SECRET, principal
from lab.network.ca import self_signed
from lab.resources import merged

pytestmark = pytest.mark.lab

CLIENT_SECRET = {
    "tenant": {
        "credentials": {
            "clientCertificate": None,
            "clientSecret": {"secretRef": {"name": "fabrikam-entra", "key": "client-secret"}},
        }
    }
}


def with_client_secret() -> Lab:
    outside = lab(CLIENT_SECRET)
    outside.secrets["fabrikam-entra"] = {"client-secret": SECRET.encode()}
    return outside


def forget(name: str) -> Callable[[Lab], object]:
    return lambda outside: outside.secrets.pop(name)


def put(name: str, key: str, value: bytes) -> Callable[[Lab], object]:
    return lambda outside: outside.secrets[name].update({key: value})


def drop(name: str, key: str) -> Callable[[Lab], object]:
    return lambda outside: outside.secrets[name].pop(key)


def with_roles(outside: Lab, *roles: str) -> None:
    for server in outside.organization.servers.values():
        server.roles = frozenset(roles)


TROUBLE: dict[str, tuple[dict[str, Any], Callable[[Lab], object], tuple[str, str], str]] = {
    "unknown tenant": (
        {"tenant": {"domain": "nobody.example"}},
        lambda _: None,
        ("PrerequisitesMet", "TenantNotFound"),
        "spec.tenant.domain",
    ),
    "another tenant's id": (
        {"tenant": {"tenantId": "c0ffee00-0000-4000-8000-000000000001"}},
        lambda outside: outside.policy["namespaces"]["exchange"]["tenantIds"].append(
            "c0ffee00-0000-4000-8000-000000000001"
        ),
        ("Ready", "TenantMismatch"),
        "delete the resource and make it anew (spec.tenant cannot be corrected)",
    ),
    "no Exchange Secret": (
        {},
        forget("fabrikam-exchange"),
        ("Ready", "SecretNotFound"),
        "exchange/fabrikam-exchange",
    ),
    "no password in it": (
        {},
        drop("fabrikam-exchange", "password"),
        ("Ready", "SecretInvalid"),
        "has no password",
    ),
    "an empty password": (
        {},
        put("fabrikam-exchange", "password", b"\n"),
        ("Ready", "SecretInvalid"),
        "Secret exchange/fabrikam-exchange: password is empty; put its value there",
    ),
    "a password that is no text": (
        {},
        put("fabrikam-exchange", "password", b"\xff\xfe"),
        ("Ready", "SecretInvalid"),
        "not UTF-8",
    ),
    "a password and a keytab": (
        {"exchange": {"connection": {"transport": "Kerberos"}}},
        put("fabrikam-exchange", "keytab", b"\x05\x02"),
        ("Ready", "SecretInvalid"),
        "has password and keytab; keep one",
    ),
    "a keytab for NTLM": (
        {"exchange": {"connection": {"transport": "NTLM"}}},
        lambda outside: outside.secrets["fabrikam-exchange"].update(
            {"keytab": outside.secrets["fabrikam-exchange"].pop("password")}
        ),
        ("Ready", "SecretInvalid"),
        "set transport Kerberos",
    ),
    "no certificate in the Entra Secret": (
        {},
        drop("fabrikam-entra", "tls.crt"),
        ("Ready", "SecretInvalid"),
        "has no tls.crt",
    ),
    "no CA Secret": (
        {"exchange": {"connection": {"caSecretRef": {"name": "corp-ca", "key": "ca.crt"}}}},
        lambda _: None,
        ("Ready", "SecretNotFound"),
        "corp-ca",
    ),
    "the password is wrong": (
        {},
        lambda outside: set_fault(outside.organization, "unauthorized", value=True),
        ("Ready", "AccessDenied"),
        "ex1.corp.fabrikam.com",
    ),
    "the second hop is refused": (
        {},
        lambda outside: set_fault(outside.organization, "second_hop_refused", value=True),
        ("Ready", "SecondHopFailed"),
        "",
    ),
    "no principal": (
        {},
        lambda outside: outside.microsoft365.set_fault("not_provisioned", value=True),
        ("PrincipalCredentialReady", "PrincipalNotFound"),
        "enroll",
    ),
    "no permission": (
        {},
        lambda outside: outside.microsoft365.grant(
            "fabrikam.com", "3f2b1c8a-0000-4000-8000-6d1f7c9a5e21", []
        ),
        ("PrincipalCredentialReady", "AccessDenied"),
        "Application.Read.All",
    ),
    "a server that is too old": (
        {},
        lambda outside: set_fault(outside.organization, "version", "15.0.712.24"),
        ("PrerequisitesMet", "ServerTooOld"),
        "15.0.775.38",
    ),
    "a host that is no Mailbox or Client Access server": (
        {},
        lambda outside: setattr(
            outside.organization.server("ex2.corp.fabrikam.com"), "roles", frozenset({"Edge"})
        ),
        ("PrerequisitesMet", "NotAnExchangeServer"),
        "ex2.corp.fabrikam.com",
    ),
    "no Mailbox server among them": (
        {},
        lambda outside: with_roles(outside, "ClientAccess"),
        ("PrerequisitesMet", "NoMailboxServer"),
        "spec.exchange.servers",
    ),
}


@pytest.mark.parametrize("case", TROUBLE.values(), ids=TROUBLE.keys())
def test_trouble_is_named_and_nothing_is_changed(
    case: tuple[dict[str, Any], Callable[[Lab], object], tuple[str, str], str],
) -> None:
    spec, break_it, (condition, reason), words = case
    outside = lab(spec)
    break_it(outside)
    outside.operator().run()
    assert outside.condition(condition)[1] == reason
    message = next(c["message"] for c in outside.status["conditions"] if c["type"] == condition)
    assert words in message
    assert outside.organization.changes == []
    assert not any("PATCH" in line for line in outside.microsoft365.requests())


def test_a_wrong_password_ends_the_pass_with_what_to_do() -> None:
    outside = lab(servers=2)
    set_fault(outside.organization, "unauthorized", value=True)
    operator = outside.operator()
    outcome = operator.step()
    assert outside.condition("Ready") == ("False", "AccessDenied")
    assert outcome.requeue.kind == "stalled"
    assert operator.exchange.calls == 2  # of which the adapter sends one


def test_a_client_secret_signs_in_as_well() -> None:
    outside = with_client_secret()
    outside.operator().run()
    assert outside.condition("Ready") == ("True", "Succeeded")


def test_a_ca_of_the_resources_own_reaches_the_connection() -> None:
    outside = lab(
        {"exchange": {"connection": {"caSecretRef": {"name": "corp-ca", "key": "ca.crt"}}}}
    )
    outside.secrets["corp-ca"] = {"ca.crt": b"-----BEGIN CERTIFICATE-----"}
    operator = outside.operator()
    operator.step()
    assert operator.accesses[0].ca_pem == "-----BEGIN CERTIFICATE-----"
    assert "corp-ca" not in repr(operator.accesses[0].password)


def test_a_keytab_reaches_the_connection_byte_for_byte() -> None:
    outside = lab({"exchange": {"connection": {"transport": "Kerberos"}}})
    outside.secrets["fabrikam-exchange"] = {"username": b"svc-epo", "keytab": b"\x05\x02\xff\n"}
    operator = outside.operator()
    operator.step()
    (access,) = operator.accesses[:1]
    assert access.password is None
    assert access.keytab is not None
    assert b64decode(access.keytab.reveal()) == b"\x05\x02\xff\n"
    assert access.keytab.reveal() not in repr(access)


def test_a_changed_secret_is_another_version() -> None:
    outside = lab()
    operator = outside.operator()
    operator.step()
    outside.secrets["fabrikam-exchange"]["password"] = b"another"
    operator.step()
    assert len({access.version for access in operator.accesses}) == 2


def test_another_entry_of_the_same_secret_is_another_credential() -> None:
    """The Secret itself is unchanged: only the resource names another one of its entries."""
    old = {"tenant": {"credentials": {"clientSecret": {"secretRef": {"key": "old"}}}}}
    outside = lab(merged(CLIENT_SECRET, old))
    outside.secrets["fabrikam-entra"]["old"] = b"of-last-year"
    operator = outside.operator()
    operator.run()
    assert outside.condition("Stalled") == ("True", "SecretInvalid")
    outside.edit(CLIENT_SECRET)
    operator.run()
    assert outside.condition("Ready") == ("True", "Succeeded")


def test_another_entry_of_the_same_ca_secret_is_another_version() -> None:
    connection = {"caSecretRef": {"name": "corp-ca", "key": "ca.crt"}}
    outside = lab({"exchange": {"connection": connection}})
    outside.secrets["corp-ca"] = {"ca.crt": b"one", "new.crt": b"another"}
    operator = outside.operator()
    operator.step()
    spec = copy.deepcopy(outside.resource["spec"])
    spec["exchange"]["connection"]["caSecretRef"]["key"] = "new.crt"
    outside.edit(spec)
    operator.step()
    assert len({access.version for access in operator.accesses}) == 2


def test_a_domain_that_moves_to_another_tenant_stops_everything() -> None:
    outside = lab()
    outside.policy["namespaces"]["exchange"]["tenantIds"].append(CONTOSO)
    operator = outside.operator()
    operator.run()
    assert outside.status["tenantId"] == FABRIKAM
    fabrikam = outside.microsoft365.tenant(FABRIKAM)
    fabrikam.domains = tuple(name for name in fabrikam.domains if name != "fabrikam.com")
    outside.microsoft365.verify_domain(CONTOSO, "fabrikam.com")
    changes, asked = len(outside.organization.changes), len(outside.microsoft365.requests())
    for life in (operator, outside.operator()):
        life.run()
        assert outside.condition("Stalled") == ("True", "TenantMismatch")
        assert outside.status["tenantId"] == FABRIKAM
    assert len(outside.organization.changes) == changes
    since = outside.microsoft365.requests()[asked:]
    assert since
    assert all("openid-configuration" in line for line in since)


class Elsewhere:
    """A Graph whose token is of another tenant than the domain. Nothing may be asked of it."""

    def identity(self, *, since: datetime | None = None) -> Identity:
        del since
        return Identity(CONTOSO, frozenset({"Application.ReadWrite.All"}))

    def send(self, request: GraphRequest) -> Mapping[str, Any]:
        raise AssertionError(request)


def test_a_token_of_another_tenant_stops_everything() -> None:
    outside = lab()
    operator = outside.operator()
    operator.world = replace(operator.world, graph=lambda _: Elsewhere())
    operator.run()
    assert outside.condition("Stalled") == ("True", "TenantMismatch")
    assert outside.organization.changes == []


def test_throttling_is_waited_out_as_long_as_microsoft_asks() -> None:
    outside = lab()
    operator = outside.operator()
    operator.step()
    outside.microsoft365.set_fault(
        "graph_failure", {"status": 429, "times": None, "retryAfter": 90, "method": "PATCH"}
    )
    outcome = operator.step()
    assert outcome.requeue.at_least == 90
    assert outside.condition("InSync") == ("False", "ChangeFailed")


def test_a_sign_in_that_is_throttled_says_so_after_the_grace() -> None:
    outside = lab()
    outside.microsoft365.set_fault("authority_failure", {"status": 429, "retryAfter": 30})
    outcome = outside.operator().step()
    assert outcome.requeue.kind == "retry"
    assert outcome.requeue.at_least >= 30
    assert outside.condition("Ready") == ("Unknown", "Throttled")


@pytest.mark.parametrize(
    ("leave", "expected", "left"),
    [(False, ("False", "ChangeRefused"), 2), (True, ("True", "NoDrift"), 2)],
    ids=["without leave", "with leave"],
)
def test_expired_foreign_keys_are_left_out_only_with_leave(
    leave: bool,  # noqa: FBT001 - a case of the table
    expected: tuple[str, str],
    left: int,
) -> None:
    outside = lab({"principal": {"dropExpiredKeys": leave}})
    holder = principal(outside.microsoft365)
    start = outside.clock() - timedelta(days=800)
    expired = KeyCredential.of(self_signed("long gone", start=start), "long gone")
    holder.keys = (*holder.keys, expired)
    outside.microsoft365.set_fault("refuse_expired_entries", value=True)
    outside.operator().run()
    assert outside.condition("InSync") == expected
    thumbprints = [key["displayName"] for key in outside.key_credentials()]
    assert len(thumbprints) == left
    assert ("long gone" in thumbprints) is not leave


def test_an_acs_document_out_of_reach_is_unknown_and_no_mismatch() -> None:
    outside = lab()
    outside.microsoft365.set_fault("acs_failure", {"status": 503})
    outside.operator().run()
    assert outside.condition("AuthServerReady") == ("Unknown", "Unreachable")
    assert outside.exchange()["authServers"] == []
