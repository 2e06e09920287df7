"""What it means that the host script has no Exchange session."""

from __future__ import annotations

import pytest

from exchange_push_operator.adapters.exchange_session import raise_for_session
from exchange_push_operator.core.commands import cmdlet
from exchange_push_operator.core.errors import CmdletFailed, PushError, Refused, Unreachable
from exchange_push_operator.core.ports import Answer
from exchange_push_operator.core.reasons import Reason

EX1 = "ex1.corp.fabrikam.com"
ACCOUNT = "CORP\\svc-epo"
LOOK = cmdlet("Get-AuthConfig")
LOCAL = cmdlet("Get-LocalExchangeServer")
DENIED = CmdletFailed("Zugriff verweigert", identifier="AccessDenied", where="session")
DOWN = CmdletFailed("keine Verbindung", kind="PSRemotingTransportException", where="session")


def meaning(*answers: Answer, changes: bool = False, delegated: bool = False) -> PushError:
    batch = (LOOK, LOCAL)[: len(answers)]
    with pytest.raises(PushError) as caught:
        raise_for_session(EX1, ACCOUNT, batch, answers, changes=changes, delegated=delegated)
    return caught.value


def test_an_account_that_is_turned_down_there_has_a_reason_of_its_own() -> None:
    error = meaning(Answer(error=DENIED))
    assert isinstance(error, Refused)
    assert error.reason is Reason.SECOND_HOP_FAILED
    assert "Set-User -RemotePowerShellEnabled" in str(error)
    assert "delegation" not in str(error)


def test_a_delegated_ticket_that_is_turned_down_has_its_own_cure() -> None:
    error = meaning(Answer(error=DENIED), delegated=True)
    assert isinstance(error, Refused)
    assert error.reason is Reason.SECOND_HOP_FAILED
    assert f"the delegated ticket of {ACCOUNT}" in str(error)
    for cure in ("trust the server for delegation", "Protected Users", "use a password"):
        assert cure in str(error)


def test_a_session_that_does_not_open_is_a_server_that_is_away() -> None:
    assert isinstance(meaning(Answer(error=DOWN)), Unreachable)
    setup = Answer(({"SetupRunning": True},))
    assert "Setup is running" in str(meaning(Answer(error=DOWN), setup))
    missing = Answer(({"SetupRunning": False, "Version": None},))
    assert "not installed" in str(meaning(Answer(error=DOWN), missing))


def test_after_a_change_was_made_the_next_one_keeps_its_own_error() -> None:
    answers = (Answer(), Answer(error=DENIED))
    raise_for_session(EX1, ACCOUNT, (LOOK, LOCAL), answers, changes=True)
    assert isinstance(meaning(*answers), Refused)
