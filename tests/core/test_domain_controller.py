"""Which cmdlets go to the domain controller of the pass, and what happens when it is away."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from exchange_push_operator.adapters.allow_list import allow_list
from exchange_push_operator.core.commands import Cmdlet, cmdlet
from exchange_push_operator.core.domain_controller import PARAMETER, TAKE_IT, OneController, pinned
from exchange_push_operator.core.errors import CmdletFailed, OutcomeUnknown, Unreachable
from exchange_push_operator.core.ports import Answer

EX1, EX2 = "ex1.corp.fabrikam.com", "ex2.corp.fabrikam.com"
DC = "dc1.corp.fabrikam.com"
AUTH_CONFIG, PROXY = cmdlet("Get-AuthConfig"), cmdlet("Enable-PushNotificationProxy", WhatIf=True)
SET = cmdlet("Set-AuthConfig", CertificateThumbprint="AB")


class Recorder:
    """Fills the port Exchange; answers everything with the same."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.sent: list[tuple[str, tuple[str, ...]]] = []

    def run(
        self, server: str, batch: Sequence[Cmdlet], *, changes: bool = False
    ) -> tuple[Answer, ...]:
        del changes
        self.sent.append((server, tuple(map(str, batch))))
        return (self.answer,) * len(batch)


def test_the_list_agrees_with_the_allow_list() -> None:
    takes = {name for name, rule in allow_list().items() if PARAMETER in rule.parameters}
    assert takes == TAKE_IT


def test_the_first_answer_names_the_controller_and_everything_later_goes_there() -> None:
    recorder = Recorder(Answer(({"OriginatingServer": DC},)))
    exchange = OneController(recorder)
    exchange.run(EX1, (PROXY, AUTH_CONFIG))
    exchange.run(EX2, (AUTH_CONFIG, PROXY))
    exchange.run(EX2, (SET,), changes=True)
    assert recorder.sent == [
        (EX1, (str(PROXY), "Get-AuthConfig")),
        (EX2, (f"Get-AuthConfig -DomainController '{DC}'", str(PROXY))),
        (EX2, (f"{SET} -DomainController '{DC}'",)),
    ]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(),
        Answer(({},)),
        Answer(({"OriginatingServer": None},)),
        Answer(({"OriginatingServer": DC}, {"OriginatingServer": DC})),
        Answer(error=CmdletFailed("no")),
    ],
)
def test_where_nobody_names_a_controller_each_server_asks_its_own(answer: Answer) -> None:
    recorder = Recorder(answer)
    exchange = OneController(recorder)
    exchange.run(EX1, (AUTH_CONFIG,))
    exchange.run(EX1, (AUTH_CONFIG,))
    assert recorder.sent == [(EX1, ("Get-AuthConfig",))] * 2


def test_a_controller_that_goes_away_in_a_pass_ends_it() -> None:
    recorder = Recorder(Answer(({"OriginatingServer": DC},)))
    exchange = OneController(recorder)
    exchange.run(EX1, (AUTH_CONFIG,))
    recorder.answer = Answer(error=CmdletFailed("x", kind="ADTransientException"))
    with pytest.raises(Unreachable, match=DC):
        exchange.run(EX1, (AUTH_CONFIG,))
    with pytest.raises(OutcomeUnknown, match=DC):
        exchange.run(EX1, (SET,), changes=True)


def test_an_error_that_is_not_the_controllers_stays_an_answer() -> None:
    away = Answer(error=CmdletFailed("x", kind="ADTransientException"))
    other = Answer(error=CmdletFailed("x", kind="ManagementObjectNotFoundException"))
    named = Answer(({"OriginatingServer": DC},))
    recorder = Recorder(away)
    exchange = OneController(recorder)
    assert exchange.run(EX1, (AUTH_CONFIG,)) == (away,), "no controller was asked for"
    recorder.answer = named
    exchange.run(EX1, (AUTH_CONFIG,))
    recorder.answer = away
    assert exchange.run(EX1, (PROXY,)) == (away,), "it goes to no controller"
    recorder.answer = other
    assert exchange.run(EX1, (AUTH_CONFIG,)) == (other,)


def test_what_was_prepared_for_a_controller_is_sent_as_it_is() -> None:
    assert pinned(pinned(SET, DC), "dc2.corp.fabrikam.com") == pinned(SET, DC)
