"""The port Exchange straight on the model."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from exchange_push_operator.adapters.allow_list import NotAllowed
from exchange_push_operator.core.commands import Cmdlet, cmdlet
from exchange_push_operator.core.errors import (
    OutcomeUnknown,
    PushError,
    Refused,
    Throttled,
    Unreachable,
)
from exchange_push_operator.core.ports import Exchange
from exchange_push_operator.core.reasons import Reason
from lab.exchange.build import default_organization
from lab.exchange.faults import set_fault
from lab.exchange.in_process import InProcessExchange

EX1 = "ex1.corp.fabrikam.com"
LOOK = cmdlet("Get-AuthConfig")
CHANGE = cmdlet("Enable-PushNotificationProxy", Organization="fabrikam.com", Confirm=False)
WRONG = cmdlet("Set-PartnerApplication", Identity="none", Enabled=True)


@pytest.fixture
def exchange() -> InProcessExchange:
    return InProcessExchange(default_organization())


def test_it_fills_the_port(exchange: InProcessExchange) -> None:
    port: Exchange = exchange
    (looked,) = port.run(EX1, [LOOK])
    assert looked.rows[0]["Realm"] == ""
    assert exchange.calls == 1


@pytest.mark.parametrize("command", [cmdlet("Remove-AuthServer", Identity="x"), CHANGE])
def test_what_the_adapter_would_not_send_is_a_mistake_here_too(
    exchange: InProcessExchange, command: Cmdlet
) -> None:
    with pytest.raises(NotAllowed):
        exchange.run(EX1, [command])
    assert exchange.calls == 0


def test_changes_stop_at_the_first_error(exchange: InProcessExchange) -> None:
    assert len(exchange.run(EX1, [CHANGE, WRONG, CHANGE], changes=True)) == 2
    gone = cmdlet("Get-ExchangeServer", Identity="ex9")
    assert len(exchange.run(EX1, [LOOK, gone, LOOK])) == 3
    assert len(exchange.organization.changes) == 1


@pytest.mark.parametrize(
    ("fault", "value", "changes", "kind", "done"),
    [
        ("down", True, True, Unreachable, 0),
        ("quota", True, True, Throttled, 0),
        ("unauthorized", True, True, Refused, 0),
        ("second_hop_refused", True, True, Refused, 0),
        ("iis_down", True, False, Unreachable, 0),
        ("stuck_cmdlet", LOOK.name, False, Unreachable, 0),
        ("stuck_cmdlet", CHANGE.name, True, OutcomeUnknown, 0),
        ("lost_answers", 1, False, Unreachable, 0),
        ("lost_answers", 1, True, OutcomeUnknown, 1),
        ("die_before_change", 1, True, OutcomeUnknown, 0),
        ("die_after_change", 1, True, OutcomeUnknown, 1),
    ],
)
def test_trouble_is_told_as_the_product_tells_it(
    exchange: InProcessExchange,
    fault: str,
    value: bool | int | str,  # noqa: FBT001 - a row of the table
    changes: bool,  # noqa: FBT001 - a row of the table
    kind: type[PushError],
    done: int,
) -> None:
    set_fault(exchange.organization, fault, value)
    with pytest.raises(kind):
        exchange.run(EX1, [CHANGE if changes else LOOK], changes=changes)
    assert len(exchange.organization.changes) == done


def test_a_name_that_is_no_server_is_unreachable(exchange: InProcessExchange) -> None:
    with pytest.raises(Unreachable, match="no such host"):
        exchange.run("ex9.corp.fabrikam.com", [LOOK])


def test_a_refused_second_hop_has_its_own_reason(exchange: InProcessExchange) -> None:
    set_fault(exchange.organization, "second_hop_refused", value=True)
    with pytest.raises(Refused) as caught:
        exchange.run(EX1, [LOOK])
    assert caught.value.reason is Reason.SECOND_HOP_FAILED


class CutError(Exception):
    """A crash."""


@pytest.mark.parametrize(("where", "done"), [("before", 0), ("after", 1)])
def test_a_call_can_be_cut_before_and_after_its_effect(
    exchange: InProcessExchange, where: str, done: int
) -> None:
    def cut(server: str, batch: Sequence[Cmdlet], changes: bool) -> None:  # noqa: FBT001 - the hook
        del server, batch, changes
        raise CutError

    setattr(exchange, where, cut)
    with pytest.raises(CutError):
        exchange.run(EX1, [CHANGE], changes=True)
    assert len(exchange.organization.changes) == done
