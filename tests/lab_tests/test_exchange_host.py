"""The stand-in of the host script speaks the product's line protocol."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exchange_push_operator.adapters.powershell_host import (
    answers,
    decode,
    encode_login,
    encode_run,
)
from exchange_push_operator.core.commands import Cmdlet, cmdlet
from exchange_push_operator.core.ports import Sensitive
from lab.exchange.accounts import Accounts
from lab.exchange.build import default_organization
from lab.exchange.counters import Counters
from lab.exchange.faults import set_fault
from lab.exchange.host import Host

ACCOUNT, PASSWORD = "CORP\\svc-epo", "Passw0rd!"
FQDN = "ex1.corp.fabrikam.com"
NO_TRANSPORT = "System.Management.Automation.Remoting.PSRemotingDataStructureException"
DISABLE = cmdlet("Disable-PushNotificationProxy", Confirm=False)
ENABLE = cmdlet("Enable-PushNotificationProxy", Organization="fabrikam.com", Confirm=False)


@pytest.fixture
def host() -> Host:
    organization = default_organization(servers=1)
    accounts = Accounts({ACCOUNT: PASSWORD})
    return Host(organization, organization.server(FQDN), accounts, Counters(), "ABC")


def lines(output: bytes) -> list[dict[str, Any]]:
    assert output.startswith(b"\n")
    assert output.endswith(b"\n")
    return [json.loads(line) for line in output.split(b"\n") if line]


def login(host: Host, password: str = PASSWORD, fqdn: str = FQDN) -> None:
    answer = lines(host.feed(encode_login("1", fqdn, ACCOUNT, Sensitive.of(password))))
    assert answer == [{"id": "1", "boot": host.boot, "ok": True}]


def run(host: Host, *batch: Cmdlet, stop: bool = False, identifier: str = "r") -> dict[str, Any]:
    (answer,) = lines(host.feed(encode_run(identifier, batch, stop_on_error=stop)))
    return answer


def test_it_begins_with_the_ready_line(host: Host) -> None:
    (ready,) = lines(host.start())
    assert ready["ready"] == host.boot
    assert (ready["bits"], ready["host"], ready["version"]) == (64, "EX1", "ABC")


def test_a_batch_gives_one_result_each_that_the_product_can_read(host: Host) -> None:
    login(host)
    line = host.feed(
        encode_run("2", [cmdlet("Get-AuthConfig"), cmdlet("Get-AuthServer")], stop_on_error=False)
    )
    message = decode(line.strip())
    assert message is not None
    first, second = answers(message)
    assert first.rows[0]["NextCertificateEffectiveDate"] is None
    assert second.rows == ()
    assert host.counters.snapshot() == {"host.login": 1, "host.run": 1, "sessions": 1}


def test_values_are_plain_json(host: Host) -> None:
    login(host)
    result = run(host, cmdlet("Get-LocalExchangeServer"), cmdlet("Get-ExchangeCertificate"))
    local, certificates = result["results"]
    started = local["output"][0]["HealthManagerStartedUTC"]
    assert started.endswith("0Z")
    assert len(started) == len("2026-11-21T09:00:00.0000000Z")
    assert certificates["output"][0]["Services"] == "IIS, IMAP, POP, SMTP"
    assert certificates["output"][0]["RawData"].startswith("MII")


def test_a_line_may_come_in_pieces_and_after_rubbish(host: Host) -> None:
    request = b'{"id":"7","op":"pi\n' + b'\n{"id":"8","op":"ping"}\n'
    output = b"".join(host.feed(request[index : index + 1]) for index in range(len(request)))
    unreadable, pong = lines(output)
    assert unreadable == {"id": None, "boot": host.boot, "fatal": "unreadable request"}
    assert pong["pong"] is True


@pytest.mark.parametrize("request_", [{"op": "sing"}, {"op": "run"}, {"op": "run", "calls": []}])
def test_a_request_it_does_not_know_is_fatal_and_not_echoed(
    host: Host, request_: dict[str, Any]
) -> None:
    (answer,) = lines(host.feed(json.dumps({"id": "3", **request_}).encode() + b"\n"))
    assert answer == {"id": "3", "boot": host.boot, "fatal": "unknown request"}


@pytest.mark.parametrize(
    ("call", "identifier"),
    [
        (cmdlet("Remove-AuthServer", Identity="x"), "CmdletNotAllowed"),
        (cmdlet("Get-AuthConfig", Identity="x"), "ParameterNotAllowed"),
        (cmdlet("Restart-Service", Name="W3SVC"), "BadArgument"),
        (cmdlet("Enable-PushNotificationProxy", Organization=True), "BadArgument"),
    ],
)
def test_the_allow_list_refuses(host: Host, call: Cmdlet, identifier: str) -> None:
    login(host)
    (error,) = run(host, call)["results"][0]["errors"]
    assert (error["id"], error["where"]) == (identifier, "request")


def test_stop_on_error_ends_the_batch_at_the_first_error(host: Host) -> None:
    login(host)
    wrong = cmdlet("Set-PartnerApplication", Identity="none", Enabled=True)
    assert len(run(host, wrong, DISABLE, stop=True)["results"]) == 1
    assert len(run(host, wrong, DISABLE, identifier="s")["results"]) == 2


def test_a_repeated_id_is_answered_and_not_run_again(host: Host) -> None:
    login(host)
    first = run(host, ENABLE)
    run(host, DISABLE, identifier="other")
    assert run(host, ENABLE) == first
    assert [change.cmdlet for change in host.organization.changes] == [ENABLE.name, DISABLE.name]


def test_only_the_eight_newest_answers_are_kept(host: Host) -> None:
    login(host)
    run(host, ENABLE)
    run(host, DISABLE, identifier="d")
    for number in range(7):
        run(host, cmdlet("Get-AuthConfig"), identifier=str(number + 10))
    run(host, ENABLE)
    assert len(host.organization.changes) == 3


@pytest.mark.parametrize(
    ("fault", "password", "fqdn", "identifier"),
    [
        ("second_hop_refused", PASSWORD, FQDN, "AccessDenied"),
        ("iis_down", PASSWORD, FQDN, NO_TRANSPORT),
        ("", "wrong", FQDN, "AccessDenied"),
        ("", PASSWORD, "ex2.corp.fabrikam.com", NO_TRANSPORT),
    ],
)
def test_without_an_exchange_session_only_local_functions_answer(
    host: Host, fault: str, password: str, fqdn: str, identifier: str
) -> None:
    if fault:
        set_fault(host.organization, fault, value=True)
    login(host, password, fqdn)
    local, exchange = run(host, cmdlet("Get-LocalCertificate"), cmdlet("Get-AuthConfig"))["results"]
    assert local["ok"] is True
    (error,) = exchange["errors"]
    assert (error["id"], error["where"]) == (identifier, "session")
    assert error["reason"] == "PSRemotingTransportException"


def test_before_the_login_there_is_no_session(host: Host) -> None:
    (error,) = run(host, cmdlet("Get-AuthConfig"))["results"][0]["errors"]
    assert (error["id"], error["where"]) == ("NotLoggedIn", "session")


def test_a_cmdlet_that_does_not_end_ends_the_process(host: Host) -> None:
    login(host)
    set_fault(host.organization, "stuck_cmdlet", "Get-AuthConfig")
    answer = run(host, cmdlet("Get-AuthConfig"), cmdlet("Get-AuthServer"))
    assert answer["stuck"] is True
    (result,) = answer["results"]
    assert (result["errors"][0]["id"], result["errors"][0]["category"]) == (
        "Deadline",
        "OperationTimeout",
    )
    assert host.exit_code == 98
    assert host.feed(b'{"id":"9","op":"ping"}\n') == b""


@pytest.mark.parametrize(("fault", "done"), [("die_before_change", 0), ("die_after_change", 1)])
def test_a_process_may_die_before_or_after_a_change(host: Host, fault: str, done: int) -> None:
    login(host)
    set_fault(host.organization, fault, 1)
    run(host, cmdlet("Get-AuthConfig"))
    assert host.feed(encode_run("c", [ENABLE], stop_on_error=True)) == b""
    assert host.exit_code == 1
    assert len(host.organization.changes) == done


def test_the_end_of_standard_input_ends_it(host: Host) -> None:
    host.end()
    assert host.exit_code == 0
