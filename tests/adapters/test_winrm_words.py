"""What people read about trouble on the way to a server, in errors and in the log."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from requests.exceptions import ConnectionError as Cut
from requests.exceptions import InvalidURL
from urllib3.connection import HTTPConnection
from urllib3.exceptions import LocationParseError, NewConnectionError, ProtocolError
from winrm.exceptions import InvalidCredentialsError, WSManFaultError

from adapters.scripted_wire import CHANGE, EX1, LOOKS, Fixture, access, fault
from exchange_push_operator.adapters.winrm_authorities import Authorities
from exchange_push_operator.core.errors import (
    OutcomeUnknown,
    PushError,
    Refused,
    SpecError,
    Unreachable,
)
from exchange_push_operator.core.ports import ExchangeAccess
from lab.network.ca import PrivateCA

REFUSED = Cut(
    NewConnectionError(HTTPConnection("ex1"), "Failed to establish: [Errno 111] Connection refused")
)
PYTHON = ("HTTPConnection", "object at", "Errno", "{", "Error", "extended fault data")


@pytest.fixture
def lab(caplog: pytest.LogCaptureFixture) -> Iterator[Fixture]:
    caplog.set_level(logging.INFO)
    fixture = Fixture()
    yield fixture
    fixture.pool.close()


def session_refused(lab: Fixture) -> None:
    error = {
        "message": "[Server=EX1,RequestId=6f9619ff-8b86-d011-b42d-00c04fc90001] Access is denied.",
        "id": "AccessDenied",
        "where": "session",
    }
    lab.world.results = lambda _: {"ok": False, "output": [], "errors": [error]}


def fails(verb: str, *errors: Exception) -> Callable[[Fixture], None]:
    return lambda lab: lab.fails(verb, *errors)


TROUBLE = {
    "refused": fails("create", REFUSED),
    "fault": fails("create", *[fault(2150858770)] * 2),
    "no shell": fails("receive", *[fault(2150858843)] * 2),
    "fault without a number": fails("create", *[WSManFaultError(500, "", "", "x")] * 2),
    "wrong password": fails("create", InvalidCredentialsError("rejected")),
    "odd answer": fails("create", *[AttributeError("'NoneType' has no attribute 'text'")] * 2),
    "no Exchange session": session_refused,
}


@pytest.mark.parametrize("trouble", TROUBLE.values(), ids=TROUBLE)
def test_the_log_says_who_what_and_what_next_in_words(
    lab: Fixture, caplog: pytest.LogCaptureFixture, trouble: Callable[[Fixture], None]
) -> None:
    trouble(lab)
    with pytest.raises(PushError) as failed:
        lab.look()
    assert str(failed.value) in caplog.messages[-1]
    for line in caplog.messages:
        assert line.startswith(EX1)
        assert not any(word in line for word in PYTHON), line


def test_a_repair_is_logged_with_its_cause(lab: Fixture, caplog: pytest.LogCaptureFixture) -> None:
    lab.look()
    caplog.clear()
    lab.fails("send", fault(2150858843))
    lab.look()
    assert caplog.messages[0] == (
        f"{EX1}: WinRM has ended the shell or its PowerShell; starting a new process there"
    )


def test_an_open_change_is_logged_with_its_cause(
    lab: Fixture, caplog: pytest.LogCaptureFixture
) -> None:
    lab.look()
    lab.fails("receive", fault(1))
    with pytest.raises(OutcomeUnknown):
        lab.change()
    assert caplog.messages[-1] == (
        f"{EX1}: the answer to Restart-Service was lost ({EX1}: WinRM answers with fault 1; "
        "check its event log there); looking before anything is repeated"
    )


@pytest.mark.parametrize(
    "error",
    [
        LocationParseError("'a..b', label empty or too long"),
        InvalidURL("URL has an invalid label."),
        UnicodeError("label too long"),
    ],
)
def test_a_server_whose_name_is_none_is_a_mistake_of_the_resource(
    lab: Fixture, error: Exception
) -> None:
    lab.fails("create", error)
    with pytest.raises(SpecError, match=r"spec\.exchange\.servers"):
        lab.change()
    assert lab.world.count("create") == 1


@pytest.mark.parametrize(
    "error", [AttributeError("text"), TypeError("int"), RuntimeError(), ProtocolError("x")]
)
def test_no_foreign_exception_escapes(lab: Fixture, error: Exception) -> None:
    lab.fails("create", error, error)
    with pytest.raises(Unreachable):
        lab.look()
    lab.look()
    lab.fails("send", error)
    with pytest.raises(OutcomeUnknown):
        lab.change()


def test_rows_that_are_none_are_not_believed(lab: Fixture) -> None:
    lab.world.results = lambda _: {"ok": True, "output": ["text"], "errors": []}
    with pytest.raises(Unreachable):
        lab.look()


@pytest.mark.parametrize(
    ("username", "shown"),
    [("CORP\\svc-epo", "CORP\\svc-epo"), ("pr0bably-a-P@ssw0rd", "the account")],
)
@pytest.mark.parametrize("name", ["wrong password", "no Exchange session", "denied", "quota"])
def test_the_account_is_named_only_where_it_looks_like_one(
    lab: Fixture, caplog: pytest.LogCaptureFixture, username: str, shown: str, name: str
) -> None:
    more = {"denied": fails("create", fault(5)), "quota": fails("create", fault(2150859174))}
    (TROUBLE | more)[name](lab)
    given = access()
    exchange = lab.pool.connect(
        ExchangeAccess(
            given.transport, given.scheme, given.port, username, given.password, None, "1"
        )
    )
    with pytest.raises(PushError) as failed:
        exchange.run(EX1, LOOKS)
    assert shown in str(failed.value)
    assert shown == username or username not in str(failed.value) + caplog.text


@pytest.mark.parametrize("pem", ["", "rubbish", "# Zertifikat für Exchange\n", "\ud83d"])
def test_a_ca_that_is_none_is_refused(lab: Fixture, pem: str) -> None:
    given = access()
    bad = ExchangeAccess(
        given.transport, given.scheme, given.port, given.username, given.password, pem, "1"
    )
    with pytest.raises(Refused, match="caSecretRef"):
        lab.pool.connect(bad).run(EX1, CHANGE, changes=True)


def test_a_disk_that_takes_no_file_is_no_bug(lab: Fixture) -> None:
    del lab
    authorities = Authorities(None)
    folder = Path(authorities.path(PrivateCA().pem().decode())).parent
    shutil.rmtree(folder)
    with pytest.raises(Unreachable, match="own disk"):
        authorities.path(PrivateCA().pem().decode())
    authorities.close()
