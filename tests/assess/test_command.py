"""The command line of assess, against the lab's WinRM."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import Encoding

from exchange_push_operator.adapters.allow_list import NotAllowed
from exchange_push_operator.adapters.exchange_winrm import WinRMExchanges
from exchange_push_operator.adapters.graph_msal import EntraGraphs
from exchange_push_operator.adapters.http import Https
from exchange_push_operator.adapters.winrm_transport import Wire, open_wire
from exchange_push_operator.assess import command
from exchange_push_operator.assess.command import graph_access
from exchange_push_operator.assess.written import as_yaml
from exchange_push_operator.command_line import parse
from exchange_push_operator.core.clouds import CLOUDS
from exchange_push_operator.core.commands import cmdlet
from exchange_push_operator.core.errors import SpecError, Unreachable
from exchange_push_operator.core.ports import ExchangeAccess, Sensitive
from exchange_push_operator.workstation import exchange
from exchange_push_operator.workstation.outside import no_writes
from lab.assessment import assessed
from lab.exchange.accounts import Accounts
from lab.exchange.dump import dump
from lab.exchange.faults import set_fault
from lab.exchange.organization import ACCOUNT
from lab.exchange.shells import WinRMService
from lab.exchange.winrm import WinRMServer
from lab.in_process import lab
from lab.microsoft365.in_process import InProcessHttps
from lab.microsoft365.sample import (
    CLIENT,
    FABRIKAM,
    SECRET,
    client_certificate,
    client_key_pem,
    sample,
)

if TYPE_CHECKING:  # the extra kerberos may be missing
    from exchange_push_operator.adapters.kerberos_tickets import Tickets

pytestmark = pytest.mark.lab

EX1 = "ex1.corp.fabrikam.com"
PASSWORD = "canary-5f3a-Grün"
NEEDED = ("assess", "--server", EX1, "--username", ACCOUNT)


class Site:
    """One server of an organisation that is set up, behind WinRM."""

    def __init__(self, server: WinRMServer, service: WinRMService) -> None:
        self.server = server
        self.service = service

    def run(self, *flags: str, password: str = PASSWORD) -> int:
        over = ("--transport", "NTLM", "--scheme", "HTTP", "--port", str(self.server.port))
        options = parse([*NEEDED, *over, *flags])
        return command.run(options, ask=lambda _prompt: password, wire=_on_this_machine)


def _on_this_machine(
    server: str, access: ExchangeAccess, ca_path: str, tickets: Tickets | None
) -> Wire:
    assert (server, tickets) == (EX1, None)  # NTLM
    return open_wire("localhost", access, ca_path, None)


@pytest.fixture
def site() -> Iterator[Site]:
    outside = lab({"exchange": {"servers": [{"name": EX1}]}}, servers=1)
    outside.operator().run()
    accounts = Accounts({ACCOUNT: PASSWORD})
    service = WinRMService(outside.organization, EX1, accounts)
    with WinRMServer(service, "http") as server:
        yield Site(server, service)
    accounts.close()


def test_one_command_tells_the_state_and_writes_the_resource(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = dump(site.service.organization)
    written = tmp_path / "pushconfig.yaml"
    code = site.run("--output", "json", "--write", str(written))
    out = capsys.readouterr().out
    document = json.loads(out)
    assert document["exitCode"] == code
    assert document["plannedChanges"] == []
    assert yaml.safe_load(written.read_text())["spec"]["exchange"]["servers"] == [{"name": EX1}]
    assert PASSWORD not in out + written.read_text()
    assert dump(site.service.organization) == before
    assert site.service.open_shells == 0


def test_a_file_that_is_there_is_kept_and_nothing_is_asked(site: Site, tmp_path: Path) -> None:
    kept = tmp_path / "pushconfig.yaml"
    kept.write_text("mine")
    with pytest.raises(SpecError, match="exists and is not overwritten"):
        site.run("--write", str(kept))
    assert kept.read_text() == "mine"
    assert site.service.counters["auth"] == 0


def test_a_wrong_password_is_tried_once_and_is_told(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert site.run(password="wrong") == 2
    told = capsys.readouterr().err
    assert "turns CORP\\svc-epo down: check username and password of the command line" in told
    assert told.count("\n") == 1
    assert site.service.counters["auth"] == 2  # a negotiation and an answer to the challenge


def test_no_message_sends_a_workstation_to_a_field_of_the_resource(
    capsys: pytest.CaptureFixture[str],
) -> None:
    over = ("--transport", "NTLM", "--scheme", "HTTP")
    options = parse([*NEEDED[:1], "--server", "ex1.invalid", *NEEDED[3:], *over])
    assert command.run(options, ask=lambda _prompt: PASSWORD) == 2
    told = capsys.readouterr().err
    assert "check --server and the DNS of this machine" in told
    assert "spec." not in told


def test_the_password_comes_from_a_file(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n", encoding="utf-8")
    assert site.run("--password-file", str(file), password="wrong") in (0, 1)


def test_a_read_only_access_sends_no_change(site: Site) -> None:
    access = ExchangeAccess(
        "NTLM",
        "HTTP",
        site.server.port,
        ACCOUNT,
        Sensitive.of(PASSWORD),
        None,
        "",
        read_only=True,
    )
    pool = WinRMExchanges(protocol_factory=_on_this_machine)
    before = dump(site.service.organization)
    try:
        with pytest.raises(NotAllowed, match="changes something"):
            pool.connect(access).run(
                EX1, (cmdlet("Disable-PushNotificationProxy", Confirm=False),), changes=True
            )
    finally:
        pool.close()
    assert dump(site.service.organization) == before
    assert site.service.counters["auth"] == 0  # nothing left this machine


def test_the_fence_of_the_adapters_never_opens() -> None:
    https = Https(fence=no_writes)
    url = "https://graph.microsoft.com/v1.0/servicePrincipals/1"
    with pytest.raises(Unreachable, match="changes nothing"):
        https.call("PATCH", url, json_body={}, changes=True)
    https.close()


def test_a_site_that_signs_its_scripts_is_assessed_through_the_installed_one(site: Site) -> None:
    assert site.run("--host-script", "Installed") == 2  # there is no file
    set_fault(site.service.organization, "host_script", "installed")
    assert site.run("--host-script", "Installed") in (0, 1)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--client-id", "x"], "give both, or neither"),
        (["--client-id", "x", "--client-secret-file", "y"], "needs --tenant"),
        (["--client-key", "y"], "needs --client-certificate"),
        (["--keytab", "k", "--transport", "NTLM"], "NTLM cannot use one"),
        (
            ["--client-id", "x", "--tenant", "y.com", "--client-certificate", "/nowhere/c"],
            "cannot be",
        ),
        (["--keytab", "/nowhere/k"], "No such file"),
        (["--password-file", "/nowhere/p"], "cannot be read"),
    ],
)
def test_flags_that_need_one_another_are_told_before_anything_is_asked(
    flags: list[str], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        command.run(parse([*NEEDED, *flags]), ask=lambda _prompt: PASSWORD)


def test_an_application_signs_in_with_the_certificate_and_key_of_one_file(tmp_path: Path) -> None:
    certificate = client_certificate()
    model = sample(certificate=certificate)
    file = tmp_path / "reader.pem"
    file.write_bytes(certificate.public_bytes(Encoding.PEM) + client_key_pem())
    flags = ("--tenant", "fabrikam.com", "--client-id", CLIENT, "--client-certificate", str(file))
    application = graph_access(parse([*NEEDED, *flags]), CLOUDS["Global"], model.now())
    graphs = EntraGraphs(InProcessHttps(model), model.now)
    assert application is not None
    identity = graphs.connect(replace(application, tenant_id=FABRIKAM)).identity()
    assert identity.tenant_id == FABRIKAM
    assert "PRIVATE KEY" not in repr(application)


def test_an_application_signs_in_with_a_secret_and_the_resource_names_one(tmp_path: Path) -> None:
    model = sample()
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    flags = ("--tenant", "fabrikam.com", "--client-id", CLIENT, "--client-secret-file", str(file))
    application = graph_access(parse([*NEEDED, *flags]), CLOUDS["Global"], model.now())
    assert application is not None
    graphs = EntraGraphs(InProcessHttps(model), model.now)
    identity = graphs.connect(replace(application, tenant_id=FABRIKAM)).identity()
    assert identity.tenant_id == FABRIKAM
    evidence = assessed(lab(), by_secret=True)
    credentials = evidence.resource["spec"]["tenant"]["credentials"]
    named = {"secretRef": {"name": "fabrikam-entra", "key": "client-secret"}}
    assert credentials["clientSecret"] == named
    assert "Secret fabrikam-entra (client-secret);" in as_yaml(evidence, "1.2.3")


def test_a_keytab_takes_the_place_of_the_password(tmp_path: Path) -> None:
    file = tmp_path / "svc.keytab"
    file.write_bytes(b"\x05\x02")

    def nobody(prompt: str) -> str:
        raise AssertionError(prompt)

    access = exchange.access(parse([*NEEDED, "--keytab", str(file)]), nobody)
    assert access.password is None
    assert b64decode(access.proof.reveal()) == b"\x05\x02"
    assert access.read_only


def test_a_password_is_no_argument() -> None:
    with pytest.raises(SystemExit):
        parse([*NEEDED, "--password", "x"])
