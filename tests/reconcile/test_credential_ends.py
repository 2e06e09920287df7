"""The end of the operator's own credential is told before it comes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from exchange_push_operator.core.timestamps import utc_text
from lab.in_process import BY_SECRET, Lab, lab
from lab.microsoft365.directory import KeyCredential
from lab.microsoft365.sample import CLIENT, client_certificate, principal

pytestmark = pytest.mark.lab

EXPIRING, NOT_SEEN = "ClientCertificateExpiring", "ClientSecretEndNotSeen"


def told(outside: Lab) -> dict[str, str]:
    return {one["type"]: one["message"] for one in outside.status["advisories"]}


def ended(outside: Lab) -> str:
    end: str = outside.status["clientCertificate"]["notAfter"]
    return end


def test_the_end_of_the_client_certificate_is_in_status() -> None:
    outside = lab()
    ends = client_certificate(outside.clock).not_valid_after_utc
    outside.operator().run()
    assert outside.status["clientCertificate"] == {"notAfter": utc_text(ends)}
    assert {EXPIRING, NOT_SEEN} & told(outside).keys() == set()


def test_three_weeks_before_its_end_it_is_an_advisory_and_the_next_certificate_ends_that() -> None:
    outside = lab()
    ends = client_certificate(outside.clock).not_valid_after_utc
    operator = outside.operator()
    operator.run()

    outside.clock.now = ends - timedelta(days=21)
    operator.step()
    assert EXPIRING not in told(outside)

    outside.clock.forward(minutes=1)
    operator.step()
    message = told(outside)[EXPIRING]
    assert "Secret exchange/fabrikam-entra" in message
    assert outside.condition("Ready")[0] == "True"

    before = ended(outside)
    renewed = client_certificate(outside.clock)
    application = principal(outside.microsoft365, CLIENT)
    application.keys = (*application.keys, KeyCredential.of(renewed, "renewed"))
    outside.secrets["fabrikam-entra"]["tls.crt"] = renewed.public_bytes(Encoding.PEM)
    operator.step()
    assert EXPIRING not in told(outside)
    assert ended(outside) > before


def test_the_end_of_a_client_secret_is_not_known_and_that_is_said() -> None:
    outside = lab(BY_SECRET)
    outside.operator().run()
    assert NOT_SEEN in told(outside)
    assert "clientCertificate" not in outside.status


def test_who_goes_over_to_a_client_secret_is_not_told_of_the_certificate_any_more() -> None:
    outside = lab()
    outside.operator().run()
    outside.edit(BY_SECRET)
    outside.operator().run()
    assert "clientCertificate" not in outside.status
