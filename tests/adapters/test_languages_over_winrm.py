"""One whole walk over real WinRM with servers of each language: text never decides anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from exchange_push_operator.adapters.exchange_winrm import WinRMExchanges
from exchange_push_operator.adapters.winrm_transport import Wire, open_wire
from exchange_push_operator.core.ports import ExchangeAccess
from lab.exchange.accounts import Accounts
from lab.exchange.faults import set_fault
from lab.exchange.organization import ACCOUNT
from lab.exchange.shells import WinRMService
from lab.exchange.texts import CULTURES
from lab.exchange.winrm import WinRMServer
from lab.in_process import PASSWORD, Operator, lab

if TYPE_CHECKING:
    from exchange_push_operator.adapters.kerberos_tickets import Tickets

pytestmark = pytest.mark.lab


class OverWinRM:
    """The in-process lab with its Exchange servers behind real listeners."""

    def __init__(self, culture: str, things: ExitStack) -> None:
        outside = lab({"exchange": {"connection": {"scheme": "HTTP"}}}, auth_certificate=False)
        set_fault(outside.organization, "culture", culture)
        accounts = Accounts({ACCOUNT: PASSWORD})
        things.callback(accounts.close)
        self.services = {
            name: WinRMService(outside.organization, name, accounts)
            for name in outside.organization.servers
        }
        self.ports = {
            name: things.enter_context(WinRMServer(service, "http")).port
            for name, service in self.services.items()
        }
        self.pool = WinRMExchanges(protocol_factory=self.wire)
        things.callback(self.pool.close)
        self.outside, self.operator = outside, Operator(outside)
        self.operator.world = replace(self.operator.world, exchange=self.pool.connect)

    def wire(
        self, server: str, access: ExchangeAccess, ca_path: str, tickets: Tickets | None
    ) -> Wire:
        here = replace(access, port=self.ports[server.lower()])
        return open_wire("localhost", here, ca_path, tickets)

    def fault(self, name: str, value: Any = 1) -> None:
        set_fault(self.outside.organization, name, value)

    @property
    def open_shells(self) -> int:
        return sum(service.open_shells for service in self.services.values())


@pytest.fixture
def things() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("culture", CULTURES)
def test_a_walk_over_winrm_ends_ready_in_every_language(culture: str, things: ExitStack) -> None:
    site = OverWinRM(culture, things)
    site.operator.run()
    assert site.outside.condition("Ready") == ("True", "Succeeded")
    reference = lab(auth_certificate=False)
    reference.operator().run()
    assert site.outside.outside() == reference.outside()
    site.pool.close()
    assert site.open_shells == 0


@pytest.mark.parametrize(
    ("fault", "value"),
    [("send_fault", 2), ("lose_shells", 1), ("quota", True), ("second_hop_refused", True)],
)
def test_a_fault_is_known_by_its_number_and_told_in_our_own_words(
    fault: str,
    value: Any,
    things: ExitStack,
) -> None:
    told = {culture: conditions_after(culture, fault, value, things) for culture in CULTURES}
    assert told == dict.fromkeys(CULTURES, told["en-US"])


def conditions_after(
    culture: str, fault: str, value: Any, things: ExitStack
) -> list[tuple[str, ...]]:
    """Type, status, reason and message of every condition."""
    site = OverWinRM(culture, things)
    site.fault(fault, value)
    site.operator.run()
    keys = ("type", "status", "reason", "message")
    return [tuple(one[key] for key in keys) for one in site.outside.status["conditions"]]
