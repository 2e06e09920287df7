"""``assess`` and ``plan -f`` as a person has them: the console command, over the true wire."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from end_to_end.workstation import EX1, EX2, PASSWORD, Workstation, workstation
from lab.exchange.dump import dump
from lab.exchange.kdc import KeyDistributionCentre, missing
from lab.exchange.organization import ACCOUNT
from lab.microsoft365.sample import CLIENT

ASSESS = ("assess", "--server", EX1)
NTLM = ("--username", ACCOUNT, "--transport", "NTLM")
KERBEROS = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.fixture
def healthy(tmp_path: Path) -> Iterator[Workstation]:
    with workstation(tmp_path, healthy=True) as one:
        yield one


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Workstation]:
    with workstation(tmp_path, healthy=False) as one:
        yield one


@pytest.fixture
def in_a_realm(tmp_path: Path) -> Iterator[Workstation]:
    with (
        KeyDistributionCentre() as kdc,
        workstation(tmp_path, healthy=True, kdc=kdc) as one,
    ):
        kdc.add_account("svc-epo", PASSWORD)
        for server in (EX1, EX2):
            kdc.add_service(server, trusted=True)
        yield one


def with_file(at: Workstation) -> tuple[str, ...]:
    return (f"--password-file={at.password}", f"--ca-file={at.ca}")


def with_entra(at: Workstation) -> tuple[str, ...]:
    pair = f"--client-certificate={at.pair}"
    return ("--tenant", "fabrikam.com", "--client-id", CLIENT, pair)


def told(at: Workstation, *words: str) -> tuple[int, dict[str, Any]]:
    done = at.types(*ASSESS, *words, "--output=json")
    assert done.stderr == ""
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["exitCode"] == done.returncode
    return done.returncode, document


def break_it(at: Workstation) -> None:
    """A server without the certificate, and a proxy that is off."""
    current = at.outside.exchange()["authConfig"]["current"]
    del at.outside.organization.server("EX2").store[current]
    at.outside.administrator("Disable-PushNotificationProxy", Confirm=False)


@pytest.mark.lab
def test_exchange_alone_is_fine_and_what_was_not_asked_for_is_said(healthy: Workstation) -> None:
    before = dump(healthy.outside.organization)
    code, document = told(healthy, *NTLM, *with_file(healthy))
    assert (code, document["verdict"], document["plannedChanges"]) == (0, "fine", [])
    facts = {row["name"]: row["text"] for row in document["facts"]["Trust with Microsoft 365"]}
    assert [facts[f"probe on {name}"] for name in (EX1, EX2)] == ["succeeded", "succeeded"]
    assert "not asked" in {one["what"] for one in document["findings"]}
    assert dump(healthy.outside.organization) == before
    assert {service.open_shells for service in healthy.services.values()} == {0}


@pytest.mark.lab
def test_the_keys_are_seen_over_tls_and_the_shared_principal_needs_attention(
    healthy: Workstation,
) -> None:
    keys = healthy.outside.key_credentials()
    code, document = told(healthy, *NTLM, *with_file(healthy), *with_entra(healthy))
    assert code == 1
    assert document["plannedChanges"] == []
    texts = [row["text"] for row in document["facts"]["Keys in Entra ID"]]
    assert [text.split(": ")[1].split(",")[0] for text in texts] == [
        "current certificate",
        "unknown certificate",
    ]
    assert healthy.outside.key_credentials() == keys


@pytest.mark.lab
def test_the_file_it_writes_has_an_empty_plan_where_all_is_well(healthy: Workstation) -> None:
    file, code = healthy.folder / "pushconfig.yaml", 1
    done = healthy.types(
        *(*ASSESS, *NTLM, *with_file(healthy), *with_entra(healthy)), f"--write={file}"
    )
    assert (done.returncode, done.stderr) == (code, "")
    planned = plan(healthy, file)
    assert planned[0] == 0, planned[1]
    assert planned[1]["plannedChanges"] == []


@pytest.mark.lab
def test_the_file_it_writes_has_exactly_the_repairs_where_something_is_broken(
    healthy: Workstation,
) -> None:
    break_it(healthy)
    file = healthy.folder / "pushconfig.yaml"
    words = (*NTLM, *with_file(healthy), *with_entra(healthy), f"--write={file}")
    code, document = told(healthy, *words)
    assert code == 2
    broken = [one["what"] for one in document["findings"] if one["level"] == "broken"]
    assert "CertificateReady" in broken
    code, planned = plan(healthy, file)
    assert code == 2
    repairs = {"Copy-ExchangeCertificate", "Enable-PushNotificationProxy", "Restart-Service"}
    assert {step["cmdlet"]["name"] for step in planned["plannedChanges"]} == repairs
    found = [
        sorted(one["action"] for one in many)
        for many in (planned["plannedChanges"], document["plannedChanges"])
    ]
    assert found[0] == found[1]


@pytest.mark.lab
def test_a_fresh_organisation_needs_the_steps_of_the_article(fresh: Workstation) -> None:
    code, document = told(fresh, *NTLM, *with_file(fresh), *with_entra(fresh))
    assert code == 2
    assert [change["stage"] for change in document["plannedChanges"]] == [
        "AuthServerReady",
        "PrincipalCredentialReady",
        "ProxyReady",
        "Verified",
        "Verified",
    ]


@pytest.mark.lab
def test_text_and_markdown_tell_the_same_verdict(healthy: Workstation) -> None:
    words = (*ASSESS, *NTLM, *with_file(healthy))
    text, table = (healthy.types(*words, f"--output={form}") for form in ("text", "markdown"))
    assert (text.returncode, table.returncode) == (0, 0)
    assert "Verdict: fine\n" in text.stdout
    assert table.stdout.startswith(f"# Assessment of `{EX1}`: fine\n")
    assert "\033" not in text.stdout
    assert PASSWORD not in text.stdout + table.stdout


@pytest.mark.lab
def test_the_password_is_asked_for_at_a_terminal_and_not_shown(healthy: Workstation) -> None:
    words = (*ASSESS, *NTLM, f"--ca-file={healthy.ca}")
    code, screen = healthy.types_at_a_terminal(*words, answer=PASSWORD)
    assert code == 0
    assert f"Password of {ACCOUNT}: " in screen
    assert PASSWORD not in screen
    assert "\033[32mfine\033[0m" in screen
    code, screen = healthy.types_at_a_terminal(*words, answer=PASSWORD, NO_COLOR="1")
    assert (code, "\033" in screen) == (0, False)


@pytest.mark.lab
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "there is no terminal to ask for the password at; give --password-file FILE"),
        (("--password-file=/nowhere",), "--password-file /nowhere: cannot be read"),
    ],
)
def test_no_password_is_one_line_and_2(
    fresh: Workstation, words: tuple[str, ...], message: str
) -> None:
    done = fresh.types(*ASSESS, *NTLM, f"--ca-file={fresh.ca}", *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert message in done.stderr


@KERBEROS
@pytest.mark.lab
def test_a_keytab_and_a_password_sign_in_with_kerberos(in_a_realm: Workstation) -> None:
    assert in_a_realm.kdc is not None
    keytab = in_a_realm.folder / "svc-epo.keytab"
    keytab.write_bytes(in_a_realm.kdc.keytab("svc-epo"))
    who = ("--username=svc-epo@corp.fabrikam.com", f"--ca-file={in_a_realm.ca}")
    code, _ = told(in_a_realm, *who, f"--keytab={keytab}")
    assert code == 0
    seen = in_a_realm.services[EX1].sign_ins.snapshot()
    assert seen["delegated"] == seen["bound to TLS"] >= 1
    code, _ = told(in_a_realm, *who, f"--password-file={in_a_realm.password}")
    assert code == 0
    assert in_a_realm.accounts.attempts.snapshot() == {}  # of NTLM


def plan(at: Workstation, file: Path) -> tuple[int, dict[str, Any]]:
    assert yaml.safe_load(file.read_text("utf-8"))["spec"]["managementPolicy"] == "Observe"
    pair = f"--client-certificate={at.pair}"
    words = (f"--filename={file}", f"--username={ACCOUNT}", *with_file(at), pair)
    done = at.types("plan", *words, "--output=json")
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)
