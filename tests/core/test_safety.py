"""The last look at a step before it is performed."""

from __future__ import annotations

import pytest

from exchange_push_operator.core.auth_certificate import assign, create
from exchange_push_operator.core.commands import Cmdlet, GraphRequest, cmdlet
from exchange_push_operator.core.errors import Refused
from exchange_push_operator.core.organization import AuthConfig
from exchange_push_operator.core.plan import Step
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.safety import check_cmdlet
from exchange_push_operator.core.transport_role import give_back

CURRENT = "A" * 40


def named(current: str | None) -> AuthConfig:
    return AuthConfig(current, None, None, None)


def step(command: Cmdlet | GraphRequest) -> Step:
    return Step("", "", "", command)


@pytest.mark.parametrize(
    ("command", "current"),
    [
        (cmdlet("Set-AuthConfig", CertificateThumbprint="B" * 40, Force=True), CURRENT),
        (cmdlet("Set-AuthConfig", CertificateThumbprint=CURRENT), CURRENT),
        (cmdlet("New-ExchangeCertificate", Services="None"), CURRENT),
        (cmdlet("New-ExchangeCertificate", Services="None", Force=True), None),
        (cmdlet("New-ExchangeCertificate", Services="SMTP"), None),
        (cmdlet("New-ExchangeCertificate", Services="None, SMTP"), None),
        (cmdlet("New-ExchangeCertificate"), None),
    ],
    ids=[
        "replaces the current certificate",
        "sets the current certificate once more",
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
        (give_back("ex1", CURRENT), CURRENT),
        (step(cmdlet("Set-AuthServer", Identity="MicrosoftSts", Enabled=True)), CURRENT),
        (step(GraphRequest("PATCH", "servicePrincipals/1", {"keyCredentials": []})), CURRENT),
    ],
    ids=["assigns the first", "makes the first", "gives SMTP back", "another cmdlet", "Graph"],
)
def test_a_step_may_pass_that(checked: Step, current: str | None) -> None:
    check_cmdlet(checked, named(current))
