"""The last look at a step before it is performed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from exchange_push_operator.core.auth_certificate import assign, copy, create, publish, stage
from exchange_push_operator.core.commands import Cmdlet, GraphRequest, Value, cmdlet
from exchange_push_operator.core.errors import Refused
from exchange_push_operator.core.organization import AuthConfig
from exchange_push_operator.core.plan import Step
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.safety import check_cmdlet
from exchange_push_operator.core.transport_role import give_back

CURRENT = "A" * 40
QUIET: dict[str, Value] = {"Force": True, "Confirm": False}


def named(current: str | None) -> AuthConfig:
    return AuthConfig(current, None, None, None)


def step(command: Cmdlet | GraphRequest) -> Step:
    return Step("", "", "", command)


@pytest.mark.parametrize(
    ("command", "current"),
    [
        (cmdlet("Set-AuthConfig", CertificateThumbprint="B" * 40, Force=True), CURRENT),
        (cmdlet("Set-AuthConfig", CertificateThumbprint=CURRENT), CURRENT),
        (cmdlet("Set-AuthConfig", PublishCertificate=True, **QUIET), CURRENT),
        (
            cmdlet(
                "Set-AuthConfig",
                NewCertificateThumbprint="B" * 40,
                NewCertificateEffectiveDate="2026-11-21T09:00:00Z",
                **QUIET,
            ),
            CURRENT,
        ),
        (cmdlet("Set-AuthConfig", ClearPreviousCertificate=True, **QUIET), CURRENT),
        (cmdlet("Set-AuthConfig", ClearPreviousCertificate=True, **QUIET), None),
        (cmdlet("Set-AuthConfig", CertificateThumbprint="B" * 40, Confirm=False), None),
        (cmdlet("Set-AuthConfig", CertificateThumbprint="B" * 40, Force=True), None),
        (cmdlet("Copy-ExchangeCertificate", Thumbprint="B" * 40, Server="ex2"), CURRENT),
        (cmdlet("New-ExchangeCertificate", Services="None"), CURRENT),
        (cmdlet("New-ExchangeCertificate", Services="None", Force=True), None),
        (cmdlet("New-ExchangeCertificate", Services="SMTP"), None),
        (cmdlet("New-ExchangeCertificate", Services="None, SMTP"), None),
        (cmdlet("New-ExchangeCertificate"), None),
    ],
    ids=[
        "replaces the current certificate",
        "sets the current certificate once more",
        "publishes another one",
        "stages another one",
        "forgets the previous one",
        "forgets the previous one where none is current",
        "may be asked a question without -Force",
        "may be asked a question without -Confirm",
        "copies what AuthConfig does not name",
        "makes one where one is current",
        "makes one with -Force",
        "makes one with a service",
        "makes one with services",
        "makes one with the services that it has by default",
    ],
)
def test_a_step_is_refused_that(command: Cmdlet, current: str | None) -> None:
    with pytest.raises(Refused, match="nothing is sent") as refused:
        check_cmdlet(step(command), named(current))
    assert refused.value.reason is Reason.CHANGE_REFUSED


@pytest.mark.parametrize(
    ("checked", "current"),
    [
        (assign(CURRENT, "ex1"), None),
        (create("ex1", CURRENT), None),
        (publish(CURRENT, "ex1"), None),
        (copy(CURRENT, "ex1", "ex2"), CURRENT),
        (give_back("ex1", CURRENT), CURRENT),
        (step(cmdlet("Set-AuthServer", Identity="MicrosoftSts", Enabled=True)), CURRENT),
        (step(GraphRequest("PATCH", "servicePrincipals/1", {"keyCredentials": []})), CURRENT),
    ],
    ids=[
        "assigns the first",
        "makes the first",
        "publishes",
        "copies",
        "gives SMTP back",
        "another cmdlet",
        "Graph",
    ],
)
def test_a_step_may_pass_that(checked: Step, current: str | None) -> None:
    check_cmdlet(checked, named(current))


# policy Manage

COMING = "B" * 40
LATER = timedelta(hours=49)
STAGED = AuthConfig(CURRENT, None, COMING, None)


@pytest.mark.parametrize(
    ("command", "auth"),
    [
        (cmdlet("Set-AuthConfig", CertificateThumbprint=COMING, **QUIET), named(CURRENT)),
        (cmdlet("Set-AuthConfig", ClearPreviousCertificate=True, **QUIET), named(CURRENT)),
        (cmdlet("Set-AuthConfig", PublishCertificate=True, **QUIET), named(CURRENT)),
        (cmdlet("Set-AuthConfig", NewCertificateThumbprint=COMING, **QUIET), named(CURRENT)),
        (stage(CURRENT, "ex1", LATER).command, named(CURRENT)),
        (cmdlet("Copy-ExchangeCertificate", Thumbprint="C" * 40, Server="ex2"), named(CURRENT)),
        (cmdlet("New-ExchangeCertificate", Services="None", Force=True), named(CURRENT)),
    ],
    ids=[
        "assigns another one at once",
        "forgets the previous one",
        "publishes where none is staged",
        "stages without a date",
        "stages the current one",
        "copies one that nobody made to follow",
        "makes one with -Force",
    ],
)
def test_not_even_policy_manage(command: Cmdlet, auth: AuthConfig) -> None:
    with pytest.raises(Refused, match="nothing is sent"):
        check_cmdlet(step(command), auth, manage=True, made=[COMING])


@pytest.mark.parametrize(
    ("checked", "auth"),
    [
        (create("ex1", CURRENT), named(CURRENT)),
        (copy(COMING, "ex1", "ex2"), named(CURRENT)),
        (stage(COMING, "ex1", LATER), named(CURRENT)),
        (publish(COMING, "ex1"), STAGED),
    ],
    ids=["makes the next one", "copies it", "stages it", "publishes it"],
)
def test_policy_manage_alone(checked: Step, auth: AuthConfig) -> None:
    check_cmdlet(checked, auth, manage=True, made=[COMING])
    with pytest.raises(Refused, match="nothing is sent"):
        check_cmdlet(checked, auth, manage=False, made=[COMING])
