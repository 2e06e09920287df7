"""The lines that are spoken with the host script."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_push_operator.adapters.allow_list import check
from exchange_push_operator.adapters.powershell_host import (
    answers,
    decode,
    encode_login,
    encode_run,
    one_line,
    patience,
)
from exchange_push_operator.core.commands import Cmdlet, cmdlet
from exchange_push_operator.core.ports import Sensitive

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_a_request_stands_in_a_line_of_its_own_and_is_ascii() -> None:
    line = encode_run(
        "0a", [cmdlet("Get-AuthServer", DomainController="dc-ü\n")], stop_on_error=True
    )
    assert line.startswith(b"\n")
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 2
    assert line.isascii()
    assert json.loads(line) == {
        "id": "0a",
        "op": "run",
        "stopOnError": True,
        "calls": [
            {
                "cmdlet": "Get-AuthServer",
                "parameters": {"DomainController": "dc-ü\n"},
                "timeout": 60,
            }
        ],
    }


def test_a_login_names_the_server_whose_session_is_opened() -> None:
    line = encode_login("0b", "ex1.corp.fabrikam.com", "CORP\\svc-epo", Sensitive.of('pä"ss'))
    assert json.loads(line) == {
        "id": "0b",
        "op": "login",
        "fqdn": "ex1.corp.fabrikam.com",
        "username": "CORP\\svc-epo",
        "password": 'pä"ss',
    }


def test_a_login_without_a_password_goes_on_with_what_was_delegated() -> None:
    line = encode_login("0b", "ex1.corp.fabrikam.com", "svc-epo@corp.fabrikam.com", None)
    assert "password" not in json.loads(line)


@settings(max_examples=25)
@given(st.dictionaries(st.text(), JSON))
def test_what_the_host_writes_as_an_object_is_read_as_it_was(message: dict[str, Any]) -> None:
    assert decode(json.dumps(message).encode()) == message


@given(st.binary())
def test_noise_on_standard_output_is_never_an_error(noise: bytes) -> None:
    decode(noise)


@pytest.mark.parametrize("line", [b"", b"!hash", b"[1]", b'"text"', b"null", b"\xff\xfe", b"{"])
def test_lines_that_are_no_objects_are_not_heard(line: bytes) -> None:
    assert decode(line) is None


@given(
    text=st.text(),
    texts=st.lists(st.text()),
    flag=st.booleans(),
    number=st.integers(-(2**31), 2**31 - 1),
)
def test_parameters_arrive_as_they_were(
    text: str, texts: list[str], *, flag: bool, number: int
) -> None:
    command = Cmdlet(
        "New-ExchangeCertificate",
        (
            ("Server", text),
            ("DomainName", tuple(texts)),
            ("PrivateKeyExportable", flag),
            ("KeySize", number),
        ),
    )
    check(command, changes=True)
    (call,) = json.loads(encode_run("1", [command], stop_on_error=False))["calls"]
    assert call["parameters"] == {
        "Server": text,
        "DomainName": texts,
        "PrivateKeyExportable": flag,
        "KeySize": number,
    }


def test_an_answer_gives_rows_or_the_error_with_what_is_never_localised() -> None:
    error = {
        "message": "[Server=EX1,RequestId=1c3,TimeStamp=1/2/2026 1:02:03 PM] Das\r\nObjekt  fehlt.",
        "id": "A1,Get-AuthServer",
        "category": "NotSpecified",
        "reason": "ManagementObjectNotFoundException",
        "where": "cmdlet",
    }
    good, bad = answers(
        {
            "results": [
                {"ok": True, "output": [{"Name": "x"}], "errors": []},
                {"ok": False, "output": [], "errors": [error]},
            ]
        }
    )
    assert good.rows == ({"Name": "x"},)
    assert good.error is None
    assert bad.error is not None
    assert str(bad.error) == "Das Objekt fehlt."
    assert bad.error.identifier == "A1,Get-AuthServer"
    assert bad.error.category == "NotSpecified"
    assert bad.error.kind == "ManagementObjectNotFoundException"
    assert bad.error.where == "cmdlet"


def test_a_failure_without_an_error_is_a_failure() -> None:
    (answer,) = answers({"results": [{"ok": False, "output": [], "errors": []}]})
    assert answer.error is not None


@given(st.text())
def test_a_servers_text_becomes_one_line_that_is_not_too_long(text: str) -> None:
    line = one_line(text)
    assert len(line) <= 512
    assert len(line.splitlines()) <= 1


def test_a_larger_batch_is_waited_for_longer_but_not_once_per_cmdlet() -> None:
    look = cmdlet("Get-AuthServer")
    assert patience([look]) < patience([look] * 11) < 11 * 60
    assert patience([cmdlet("Invoke-MonitoringProbe")]) > patience([look])


def test_a_restart_is_not_cut_off_between_stop_and_start() -> None:
    """The end of the process would leave the service stopped; the health manager takes minutes."""
    restart = cmdlet("Restart-Service", Name="MSExchangeHM")
    (call,) = json.loads(encode_run("1", [restart], stop_on_error=True))["calls"]
    assert call["timeout"] >= 300
