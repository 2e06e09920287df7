"""The lab's control interface: what a person types to try a roll-over out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exchange_push_operator.core.timestamps import parse_utc, utc_text
from lab.control_client import Control, ControlRefusedError
from lab.control_interface import ControlInterface
from lab.servers import LabServers, Shape

pytestmark = pytest.mark.lab


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    with ExitStack() as stack:
        servers = LabServers(tmp_path, Shape(servers=1))
        servers.start(stack)
        url = stack.enter_context(ControlInterface(servers)).url
        yield stack.enter_context(closing(Control(url)))


def auth_config(control: Control) -> dict[str, Any]:
    found: dict[str, Any] = control.state()["exchange"]["authConfig"]
    return found


def auth_certificates(control: Control) -> dict[str, str]:
    (server,) = control.state()["exchange"]["servers"]
    return {held["thumbprint"]: held["notAfter"] for held in server["certificates"]}


def test_a_certificate_is_staged_by_hand_with_a_date_as_text(control: Control) -> None:
    before = set(auth_certificates(control))
    control.cmdlet(
        "New-ExchangeCertificate",
        SubjectName="cn=Microsoft Exchange Server Auth Certificate",
        PrivateKeyExportable=True,
        Services="None",
        FriendlyName="staged by hand",
    )
    (made,) = set(auth_certificates(control)) - before
    date = utc_text(datetime.now(UTC) + timedelta(days=3))
    control.cmdlet(
        "Set-AuthConfig",
        NewCertificateThumbprint=made,
        NewCertificateEffectiveDate=date,
        Force=True,
    )
    named = auth_config(control)
    assert (named["next"], utc_text(parse_utc(named["nextEffective"]))) == (made, date)
    told = control.state()["exchange"]["changes"][-1]
    assert parse_utc(told["parameters"]["NewCertificateEffectiveDate"]) == parse_utc(date)


def test_a_date_that_is_none_is_refused_with_a_sentence(control: Control) -> None:
    with pytest.raises(ControlRefusedError, match=r"400(?s:.*)tomorrow"):
        control.cmdlet(
            "Set-AuthConfig",
            NewCertificateThumbprint=auth_config(control)["current"],
            NewCertificateEffectiveDate="tomorrow",
        )


@pytest.mark.parametrize(("text", "days"), [("60d", 60), ("36h", 1.5), ("90m", 0.0625)])
def test_an_auth_certificate_that_ends_soon(control: Control, text: str, days: float) -> None:
    control.post("/reset", authCertificate={"endsIn": text})
    current = auth_config(control)["current"]
    left = parse_utc(auth_certificates(control)[current]) - datetime.now(UTC)
    assert abs(left - timedelta(days=days)) < timedelta(minutes=5)


def test_by_default_it_ends_in_years(control: Control) -> None:
    control.post("/reset", authCertificate={"endsIn": "60d"})
    control.post("/reset")
    current = auth_config(control)["current"]
    assert parse_utc(auth_certificates(control)[current]) > datetime.now(UTC) + timedelta(days=700)


def test_there_may_be_none(control: Control) -> None:
    control.post("/reset", authCertificate=False)
    assert auth_config(control)["current"] == ""


@pytest.mark.parametrize("body", [{"certificate": True}, {"authCertificate": {"endsIn": "soon"}}])
def test_a_mistake_is_answered_with_its_name(control: Control, body: dict[str, Any]) -> None:
    with pytest.raises(ControlRefusedError, match="the lab answered 400"):
        control.post("/reset", **body)
