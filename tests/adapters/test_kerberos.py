"""Kerberos against a real KDC and the lab's WinRM servers, which check every ticket."""

from __future__ import annotations

import gc
import itertools
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from adapters.kerberos_site import (
    EX1,
    EX2,
    FIRST,
    LOOKS,
    PASSWORDS,
    SECOND,
    KerberosServers,
    realm,
    servers,
    with_keytab,
    with_password,
)
from adapters.meddler import Meddler, Reply
from exchange_push_operator.adapters.kerberos import tickets_of
from exchange_push_operator.core.commands import cmdlet
from exchange_push_operator.core.errors import PushError, Refused, Unreachable
from exchange_push_operator.core.ports import ExchangeAccess
from exchange_push_operator.core.reasons import Reason
from lab.exchange.faults import set_fault
from lab.exchange.kdc import REALM, KeyDistributionCentre, missing
from lab.wait import until

pytestmark = [pytest.mark.lab, pytest.mark.skipif(bool(missing()), reason=missing())]

CHANGE = (cmdlet("Set-PartnerApplication", Identity="Exchange Online", Enabled=True),)
SCHEMES = pytest.mark.parametrize("scheme", ["HTTP", "HTTPS"])
OWN = "of-its-own"
_number = itertools.count(1)


@pytest.fixture(scope="module")
def kdc() -> Iterator[KeyDistributionCentre]:
    with realm() as one:
        yield one


@pytest.fixture
def site(kdc: KeyDistributionCentre, tmp_path: Path) -> Iterator[KerberosServers]:
    with servers(kdc, tmp_path) as one:
        yield one


def refusal(site: KerberosServers, access: ExchangeAccess, server: str = EX1) -> PushError:
    with pytest.raises(PushError) as caught:
        site.look(access, server)
    return caught.value


def new_account(kdc: KeyDistributionCentre, site: KerberosServers) -> str:
    """An account that no other test has touched; its password is ``OWN``."""
    name = f"svc-{next(_number)}"
    kdc.add_account(name, OWN)
    site.accounts.set_password(f"CORP\\{name}", OWN)
    return name


def principal(name: str) -> str:
    return f"{name}@{REALM}"


@SCHEMES
def test_a_password_signs_in_and_delegates_nothing(site: KerberosServers, scheme: str) -> None:
    answers = site.look(with_password(scheme=scheme))
    assert [answer.error for answer in answers] == [None] * len(LOOKS)
    seen = site.services[EX1].sign_ins
    assert (seen[principal(FIRST)], seen["delegated"]) == (1, 0)
    assert seen["bound to TLS"] == (scheme == "HTTPS")
    assert site.accounts.attempts.snapshot() == {}  # of NTLM


@SCHEMES
def test_a_keytab_signs_in_and_its_ticket_opens_the_exchange_session(
    kdc: KeyDistributionCentre, site: KerberosServers, scheme: str
) -> None:
    answers = site.look(with_keytab(kdc.keytab(FIRST), scheme=scheme))
    assert [answer.error for answer in answers] == [None] * len(LOOKS)
    seen = site.services[EX1].sign_ins
    assert (seen[principal(FIRST)], seen["delegated"]) == (1, 1)
    open_files = [str(path.resolve()) for path in Path("/proc/self/fd").iterdir()]
    assert not [name for name in open_files if "memfd:keytab" in name]


def test_nothing_is_delegated_to_a_server_that_the_domain_does_not_trust(
    kdc: KeyDistributionCentre, site: KerberosServers
) -> None:
    error = refusal(site, with_keytab(kdc.keytab(FIRST)), EX2)
    assert isinstance(error, Refused)
    assert error.reason is Reason.SECOND_HOP_FAILED
    assert "trust the computer for delegation" in str(error)
    assert site.services[EX2].sign_ins["delegated"] == 0


def test_two_accounts_in_one_operator_stay_apart(site: KerberosServers) -> None:
    accesses = [with_password(name) for name in (FIRST, SECOND)] * 4
    places = list(zip(accesses, itertools.cycle((EX1, EX1, EX2, EX2)), strict=False))
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda place: site.look(*place), places))
    assert all(answer.error is None for answers in found for answer in answers)
    for server in (EX1, EX2):
        seen = site.services[server].sign_ins.snapshot()
        assert seen == {principal(FIRST): 1, principal(SECOND): 1}


def test_one_ticket_serves_all_servers(kdc: KeyDistributionCentre, site: KerberosServers) -> None:
    name = new_account(kdc, site)
    access = with_password(name, password=OWN)
    for server in (EX1, EX2, EX1):
        site.look(access, server)
        site.hang_up()
    assert kdc.asked(name, "ISSUE") == 1


@pytest.mark.usefixtures("kdc")
def test_the_tickets_stay_in_the_process(tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from exchange_push_operator.adapters.kerberos_tickets import Tickets\n"
        "from exchange_push_operator.core.ports import Sensitive\n"
        "word = sys.stdin.read()\n"
        f"tickets = Tickets({principal(FIRST)!r}, password=Sensitive.of(word))\n"
        "assert tickets.get('ex1').credential()\n"
        "seen = Path('/proc/self/environ').read_bytes() + Path('/proc/self/cmdline').read_bytes()\n"
        "assert word.encode() not in seen + repr(dict(os.environ)).encode()\n"
        "assert [name for name in os.environ if 'KRB5' in name] == ['KRB5_CONFIG']\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    subprocess.run(
        [sys.executable, "-c", script],
        input=PASSWORDS[FIRST],
        text=True,
        check=True,
        env=environment,
        cwd=tmp_path,
    )
    assert list(tmp_path.rglob("*")) == []
    assert not list(Path("/tmp").glob(f"krb5cc_{os.getuid()}*"))  # noqa: S108 - libkrb5's default


def test_a_ticket_near_its_end_is_replaced(
    kdc: KeyDistributionCentre, site: KerberosServers
) -> None:
    name = new_account(kdc, site)
    kdc.administer(f'modify_principal -maxlife "4 seconds" {name}')
    access = with_password(name, password=OWN)

    def replaced() -> bool:
        site.look(access)
        site.hang_up()
        return kdc.asked(name, "ISSUE") > 2

    until(replaced, 30, "the third ticket of the account", interval=0.5)
    assert site.services[EX1].counters["processes"] == 1


@pytest.mark.usefixtures("kdc")
def test_a_ticket_that_nobody_holds_is_destroyed() -> None:
    import krb5  # noqa: PLC0415 - the extra

    ticket = tickets_of(with_password(), principal(FIRST)).get(EX1)
    context = krb5.init_context()
    cache = krb5.cc_resolve(context, vars(ticket)["_name"])
    assert len(list(cache)) == 1
    del ticket
    gc.collect()
    assert list(cache) == []


def test_a_connection_outlives_its_ticket(
    kdc: KeyDistributionCentre, site: KerberosServers
) -> None:
    name = new_account(kdc, site)
    kdc.administer(f'modify_principal -maxlife "1 second" {name}')
    access = with_password(name, password=OWN)
    site.look(access)
    end = time.monotonic() + 1.5
    until(lambda: time.monotonic() > end, 5, "the ticket to end")
    site.look(access)
    assert site.services[EX1].sign_ins[principal(name)] == 1


def test_another_version_of_the_secret_gets_another_ticket(
    kdc: KeyDistributionCentre, site: KerberosServers
) -> None:
    name = new_account(kdc, site)
    for version in ("1", "2", "2"):
        site.look(with_password(name, password=OWN, version=version))
    assert kdc.asked(name, "ISSUE") == 2


def test_a_wrong_password_is_shown_to_the_kdc_once(
    kdc: KeyDistributionCentre, site: KerberosServers
) -> None:
    name = new_account(kdc, site)
    wrong = with_password(name, password="wrong-canary")
    messages = {str(refusal(site, wrong, server)) for server in (EX1, EX2, EX1)}
    assert len(messages) == 1
    assert "the password in the Secret" in messages.pop()
    assert kdc.asked(name, "PREAUTH_FAILED") == 1
    assert site.services[EX1].sign_ins.snapshot() == {}
    site.look(with_password(name, password=OWN, version="2"))


@pytest.mark.parametrize(
    ("change", "cure"),
    [
        ('-pwexpire "yesterday"', "has expired; set a new one"),
        ("-allow_tix", "is disabled or locked"),
        ('-expire "yesterday"', "extend it"),
    ],
)
def test_an_account_that_may_not_sign_in_is_said_to_be(
    kdc: KeyDistributionCentre, site: KerberosServers, change: str, cure: str
) -> None:
    name = new_account(kdc, site)
    kdc.administer(f"modify_principal {change} {name}")
    error = refusal(site, with_password(name, password=OWN))
    assert isinstance(error, Refused)
    assert error.reason is Reason.ACCESS_DENIED
    assert cure in str(error)
    assert principal(name) in str(error)


def test_an_unknown_account_is_told_apart(site: KerberosServers) -> None:
    error = refusal(site, with_password("nobody"))
    assert isinstance(error, Refused)
    assert f"{REALM} knows no account nobody@{REALM}" in str(error)


def test_a_server_that_the_domain_does_not_know_is_told_apart(
    kdc: KeyDistributionCentre, site: KerberosServers
) -> None:
    kdc.administer(f"delete_principal -force HTTP/{EX2}")
    try:
        error = refusal(site, with_password(), EX2)
    finally:
        kdc.add_service(EX2)
    assert isinstance(error, Refused)
    assert f"setspn -Q HOST/{EX2}" in str(error)


@pytest.mark.parametrize("content", [b"", b"junk", b"\x05\x02"])
def test_a_keytab_without_the_accounts_key_is_the_secrets_fault(
    site: KerberosServers, content: bytes
) -> None:
    error = refusal(site, with_keytab(content))
    assert isinstance(error, Refused)
    assert error.reason is Reason.SECRET_INVALID
    assert "ktpass" in str(error)


def test_a_kdc_that_is_away_is_waited_for(
    kdc: KeyDistributionCentre, site: KerberosServers
) -> None:
    kdc.stop()
    try:
        error = refusal(site, with_password())
    finally:
        kdc.start()
    assert isinstance(error, Unreachable)
    assert f"no domain controller of {REALM}" in str(error)
    site.look(with_password())


def test_a_realm_that_nobody_knows_is_waited_for(site: KerberosServers) -> None:
    error = refusal(site, with_password("svc-epo@nowhere.invalid"))
    assert isinstance(error, Unreachable)
    assert "_kerberos._tcp.NOWHERE.INVALID" in str(error)


@SCHEMES
def test_a_401_is_not_answered_with_a_second_try(site: KerberosServers, scheme: str) -> None:
    set_fault(site.organization, "unauthorized", value=True)
    for _ in range(3):
        assert isinstance(refusal(site, with_password(scheme=scheme)), Refused)
    assert site.services[EX1].counters["auth"] == 1


@SCHEMES
def test_connections_that_the_server_dropped_are_made_anew(
    site: KerberosServers, scheme: str
) -> None:
    access = with_password(scheme=scheme)
    site.look(access)
    site.hang_up()
    exchange = site.pool.connect(access)
    assert exchange.run(EX1, CHANGE, changes=True)[0].error is None
    assert site.services[EX1].counters["processes"] == 1
    site.pool.close()
    assert site.services[EX1].open_shells == 0


def test_a_sign_in_for_another_tls_connection_is_worth_nothing(site: KerberosServers) -> None:
    other = site.ca.issue(["localhost"]).certificate
    relay = site.listen(site.services[EX1], bound_to=other.public_bytes(Encoding.DER))
    assert isinstance(refusal(site, with_password(scheme="HTTPS", port=relay.port)), Refused)
    assert site.services[EX1].sign_ins.snapshot() == {}


def test_who_does_not_prove_to_be_the_server_is_not_believed(site: KerberosServers) -> None:
    def pretend(reply: Reply) -> Reply:
        status, headers, body = reply
        headers.pop("WWW-Authenticate", None)
        return (status, headers, body) if status == 401 else (200, {}, b"")

    def accept(_: Reply) -> Reply:
        return 200, {}, b""

    def keep_the_proof(reply: Reply) -> Reply:
        status, headers, body = reply
        if status == 200:
            headers.pop("WWW-Authenticate", None)
        return status, headers, body

    port = site.listeners[EX1, "HTTP"].port
    for meddle, cure in (
        (accept, "does not prove"),
        (keep_the_proof, "does not prove"),
        (pretend, "does not offer Negotiate"),
    ):
        with Meddler(port, meddle) as meddler:
            error = refusal(site, with_password(port=meddler.port, version=cure))
        assert isinstance(error, Refused)
        assert cure in str(error)
    assert site.services[EX1].counters["Create"] == 0


def test_a_redirect_is_not_followed(site: KerberosServers) -> None:
    trap = site.services[EX2]

    def lead_away(reply: Reply) -> Reply:
        where = {"Location": f"http://localhost:{site.listeners[EX2, 'HTTP'].port}/wsman"}
        return (307, where, b"") if reply[0] == 200 else reply

    with Meddler(site.listeners[EX1, "HTTP"].port, lead_away) as meddler:
        error = refusal(site, with_password(port=meddler.port))
    assert isinstance(error, Unreachable)
    assert "redirect" in str(error)
    assert trap.counters.snapshot() == {}


@SCHEMES
def test_the_environment_has_no_say(
    site: KerberosServers, scheme: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "KRB5CCNAME", "KRB5_CLIENT_KTNAME"):
        monkeypatch.setenv(name, "/nonexistent")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    netrc = tmp_path / "netrc"
    netrc.write_text("default login wrong password wrong\n")
    monkeypatch.setenv("NETRC", str(netrc))
    site.look(with_password(scheme=scheme))


def test_no_password_and_no_token_is_ever_logged(
    site: KerberosServers, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    site.look(with_password())
    refusal(site, with_password(password="wrong-canary", version="2"))
    assert "host started" in caplog.text
    for secret in (PASSWORDS[FIRST], "wrong-canary", "YIIG", "Negotiate YII"):
        assert secret not in caplog.text
