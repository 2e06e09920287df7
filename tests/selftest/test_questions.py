"""The answers, from evidence alone."""

from __future__ import annotations

import pytest

from exchange_push_operator.core import certificate_store, organization, push_proxy
from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.errors import CmdletFailed, Unreachable
from exchange_push_operator.core.ports import Answer
from exchange_push_operator.selftest import looks
from exchange_push_operator.selftest.evidence import Echo, Evidence
from exchange_push_operator.selftest.finding import Verdict
from exchange_push_operator.selftest.questions import QUESTIONS

EX1 = "ex1.corp.fabrikam.com"
PROXY = {"Enabled": True, "Organization": "fabrikam.com", "Uri": "u", "WhenChangedUTC": "t"}


def verdict(name: str, evidence: Evidence) -> tuple[Verdict, str]:
    question = next(question for question in QUESTIONS if question.name == name)
    found = question.answer(evidence)
    return found.verdict, found.text


def told(look: Cmdlet, *rows: dict[str, object]) -> dict[Cmdlet, Answer]:
    return {look: Answer(rows)}


def test_without_any_evidence_only_the_start_is_broken_and_the_rest_is_open() -> None:
    empty = Evidence(EX1)
    found = {question.name: question.answer(empty).verdict for question in QUESTIONS}
    assert found.pop("host-starts") is Verdict.BROKEN
    assert set(found.values()) == {Verdict.OPEN}


def test_why_the_host_did_not_start_is_told() -> None:
    evidence = Evidence(EX1, failure=Unreachable(f"{EX1}: connection refused"))
    assert verdict("host-starts", evidence)[1] == f"{EX1}: connection refused"


def test_a_proxy_without_a_date_differs() -> None:
    row = {key: value for key, value in PROXY.items() if key != "WhenChangedUTC"}
    evidence = Evidence(EX1, told(push_proxy.WHAT_IF, row))
    assert verdict("proxy-look", evidence) == (
        Verdict.DIFFERS,
        "an object without WhenChangedUTC",
    )


def test_a_proxy_that_active_directory_shows_otherwise_differs() -> None:
    other = PROXY | {"Enabled": False}
    answers = told(push_proxy.WHAT_IF, PROXY) | told(push_proxy.DIRECTORY, other)
    assert verdict("proxy-look", Evidence(EX1, answers)) == (
        Verdict.DIFFERS,
        "the directory object has another Enabled",
    )


def test_a_proxy_that_active_directory_confirms_is_as_expected() -> None:
    answers = told(push_proxy.WHAT_IF, PROXY) | told(push_proxy.DIRECTORY, dict(PROXY))
    assert verdict("proxy-look", Evidence(EX1, answers))[0] is Verdict.EXPECTED


def test_another_error_for_a_missing_certificate_differs_and_is_spelled_out() -> None:
    error = CmdletFailed("weg", kind="RpcException", category="NotSpecified", identifier="A")
    evidence = Evidence(EX1, {looks.absent_certificate(EX1): Answer(error=error)})
    assert verdict("not-found", evidence) == (
        Verdict.DIFFERS,
        "RpcException, NotSpecified, A: weg",
    )


def test_a_certificate_without_der_differs() -> None:
    row: dict[str, object] = {"RawData": None, "HasPrivateKey": True}
    look = certificate_store.certificates_on(EX1, None)
    evidence = Evidence(EX1, told(look, row))
    assert verdict("certificates", evidence) == (Verdict.DIFFERS, "1 rows, without RawData")


def test_a_service_whose_start_cannot_be_seen_differs_and_is_named() -> None:
    names = ("HealthManager", "ServiceHost", "OwaPool", "EcpPool")
    row: dict[str, object] = {f"{name}StartedUTC": "2026-11-21T09:00:00Z" for name in names}
    seen = Evidence(EX1, told(organization.LOCAL_SERVER, row))
    assert verdict("starts", seen)[0] is Verdict.EXPECTED
    evidence = Evidence(EX1, told(organization.LOCAL_SERVER, row | {"EcpPoolStartedUTC": None}))
    assert verdict("starts", evidence) == (
        Verdict.DIFFERS,
        "not seen: EcpPool. Do they run there?",
    )


def test_an_unreadable_transport_certificate_differs() -> None:
    evidence = Evidence(EX1, told(organization.LOCAL_SERVER, {"Version": "15.2.2562.17"}))
    assert verdict("transport", evidence)[0] is Verdict.DIFFERS


@pytest.mark.parametrize(
    ("echo", "expected"),
    [
        (Echo(2150858843), Verdict.EXPECTED),
        (Echo(5), Verdict.DIFFERS),
        (Echo(None, "ReadTimeout"), Verdict.DIFFERS),
    ],
)
def test_the_code_of_a_shell_that_is_gone_is_compared(echo: Echo, expected: Verdict) -> None:
    assert verdict("gone-shell", Evidence(EX1, gone_shell=echo))[0] is expected


def test_a_probe_that_fails_differs_with_its_own_words() -> None:
    row: dict[str, object] = {"ResultType": "Failed", "Error": "(404) Not Found", "Exception": None}
    evidence = Evidence(EX1, told(looks.probe(EX1), row))
    assert verdict("probe-runs", evidence) == (Verdict.DIFFERS, "Failed (404) Not Found")


def test_what_the_directory_of_roles_does_not_tell_stays_open() -> None:
    error = CmdletFailed("no", kind="CommandNotFoundException")
    evidence = Evidence(EX1, {look: Answer(error=error) for look in looks.ROLES})
    assert verdict("roles", evidence)[0] is Verdict.OPEN
