"""``plan(apply(plan)) == ()`` for certificate and key, whatever lies in the stores.

The effects of the steps are written down here a second time, in a few lines, on the answers alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given, settings

from answers import NOW, auth_config, body, certificate, held, missing
from any_organization import Case, case, numbers
from exchange_push_operator.core import organization, principal
from exchange_push_operator.core.certificate_store import (
    LOCAL_CERTIFICATES,
    certificates_on,
    stored_certificates,
)
from exchange_push_operator.core.commands import Cmdlet, GraphRequest
from exchange_push_operator.core.errors import PushError
from exchange_push_operator.core.looks import ORGANIZATION, Observations
from exchange_push_operator.core.organization import AUTH_CONFIG, LOCAL_SERVER
from exchange_push_operator.core.plan import Step
from exchange_push_operator.core.ports import Answer
from exchange_push_operator.core.timestamps import utc_text
from exchange_push_operator.reconcile.judge import judge

MADE = certificate(60)
CONDITIONS = ("CertificateReady", "PrincipalCredentialReady")
STARTED = {
    "MSExchangeServiceHost": "ServiceHostStartedUTC",
    "MSExchangeOWAAppPool": "OwaPoolStartedUTC",
    "MSExchangeECPAppPool": "EcpPoolStartedUTC",
}
MOST_ROUNDS = 12
Row = dict[str, Any]


class Organization:
    """The answers of a case, changed as the steps say."""

    def __init__(self, made: Case) -> None:
        self.case = made
        self.observed: Observations = made.observed

    def steps(self) -> list[Step]:
        plans = judge(self.case.asked, self.observed, NOW)
        return [step for name in CONDITIONS for step in plans[name].steps]

    def apply(self, step: Step) -> None:
        if isinstance(step.command, GraphRequest):
            self._patch(step.command)
            return
        does: Mapping[str, Callable[[str, Row], None]] = {
            "New-ExchangeCertificate": self._make,
            "Set-AuthConfig": self._name,
            "Copy-ExchangeCertificate": self._copy,
            "Enable-ExchangeCertificate": self._enable,
            "Restart-Service": self._restart,
            "Restart-WebAppPool": self._restart,
        }
        assert step.server is not None
        does[step.command.name](step.server, dict(step.command.parameters))

    def answer(self, server: str, look: Cmdlet, rows: list[Row] | PushError) -> None:
        said = Answer(tuple(rows)) if isinstance(rows, list) else Answer(error=missing())
        self.observed = replace(
            self.observed, cmdlets={**self.observed.cmdlets, (server, look): said}
        )

    def rows(self, server: str, look: Cmdlet) -> list[Row]:
        return [dict(row) for row in self.observed.cmdlets[server, look].rows]

    def change(self, server: str, look: Cmdlet, **changes: Any) -> None:
        self.answer(server, look, [{**row, **changes} for row in self.rows(server, look)])

    def _make(self, server: str, parameters: Row) -> None:
        row = held(MADE, name=parameters["FriendlyName"])
        self.answer(server, LOCAL_CERTIFICATES, [*self.rows(server, LOCAL_CERTIFICATES), row])

    def _name(self, _server: str, parameters: Row) -> None:
        coming = organization.auth_config(self.observed).next or ""
        published = "PublishCertificate" in parameters
        current = coming if published else parameters["CertificateThumbprint"]
        row = auth_config(current, WhenChangedUTC=utc_text(NOW))
        row["NextCertificateThumbprint"] = "" if published else coming
        self.answer(ORGANIZATION, AUTH_CONFIG, [row])
        for server in organization.unlisted(self.observed, self.case.asked.servers):
            store = self.rows(ORGANIZATION, certificates_on(server.fqdn, None))
            for thumbprint in filter(None, (current, row["NextCertificateThumbprint"])):
                has = [one for one in store if one["Thumbprint"] == thumbprint]
                look = certificates_on(server.fqdn, thumbprint)
                self.answer(ORGANIZATION, look, has or missing())

    def _copy(self, server: str, parameters: Row) -> None:
        thumbprint, target = parameters["Thumbprint"], parameters["Server"]
        of = stored_certificates(self.observed, server)[thumbprint]
        assert of.has_private_key
        kept = self.rows(target, LOCAL_CERTIFICATES)
        self.answer(target, LOCAL_CERTIFICATES, [*kept, held(of.certificate)])

    def _enable(self, server: str, parameters: Row) -> None:
        thumbprint = parameters["Thumbprint"]
        self.change(server, LOCAL_SERVER, TransportCertificateThumbprint=thumbprint)

    def _restart(self, server: str, parameters: Row) -> None:
        self.change(server, LOCAL_SERVER, **{STARTED[parameters["Name"]]: utc_text(NOW)})

    def _patch(self, command: GraphRequest) -> None:
        look = principal.request(self.case.asked)
        before = self.observed.graph_answers[look]
        assert not isinstance(before, PushError)
        known = {raw["keyId"].lower(): raw for raw in before["keyCredentials"]}
        keys = [known.get(raw["keyId"].lower(), raw) for raw in body(command)]
        self.observed = replace(
            self.observed,
            graph_answers={
                **self.observed.graph_answers,
                look: {**before, "keyCredentials": keys},
            },
        )


def settled(number: int) -> tuple[Organization, list[Step]]:
    """An organisation after all its steps, and those steps."""
    made = Organization(case(number))
    performed: list[Step] = []
    for _ in range(MOST_ROUNDS):
        steps = made.steps()
        for step in steps:
            made.apply(step)
        performed += steps
    return made, performed


@settings(max_examples=80, deadline=None)
@given(numbers)
def test_whatever_lies_in_the_stores_nothing_is_left_to_do_after_all_was_done(number: int) -> None:
    made, performed = settled(number)
    assert made.steps() == []
    keys = [step.key for step in performed]
    assert len(keys) == len(set(keys)), "no step is planned again after it was done"
    assert sum(step.event == "CertificateCreated" for step in performed) <= 1
    assert sum(step.event == "CertificateAssigned" for step in performed) <= 1


def test_these_organisations_take_every_kind_of_step() -> None:
    met = {step.event for number in range(200) for step in settled(number)[1]}
    assert met == {
        "CertificateAssigned",
        "CertificateCreated",
        "CertificateImported",
        "KeyCredentialAdded",
        "KeyCredentialRemoved",
        "ServiceRestarted",
        "TransportCertificateRestored",
    }
