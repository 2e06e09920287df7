"""A walk of the operator with real WinRM in between."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from exchange_push_operator.adapters.exchange_winrm import WinRMExchanges
from exchange_push_operator.adapters.winrm_transport import Wire, open_wire
from exchange_push_operator.core.ports import ExchangeAccess
from lab.exchange.accounts import Accounts
from lab.exchange.faults import set_fault
from lab.exchange.organization import ACCOUNT
from lab.exchange.process import Process
from lab.exchange.shells import StartProcess, WinRMService
from lab.exchange.winrm import WinRMServer
from lab.in_process import PASSWORD, Operator, lab

if TYPE_CHECKING:
    from exchange_push_operator.adapters.kerberos_tickets import Tickets


class OverWinRM:
    """The in-process lab with its Exchange servers behind real listeners."""

    def __init__(
        self, things: ExitStack, culture: str = "en-US", process: StartProcess = Process
    ) -> None:
        outside = lab({"exchange": {"connection": {"scheme": "HTTP"}}}, auth_certificate=False)
        set_fault(outside.organization, "culture", culture)
        accounts = Accounts({ACCOUNT: PASSWORD})
        things.callback(accounts.close)
        self.services = {
            name: WinRMService(outside.organization, name, accounts, process=process)
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

    @property
    def open_processes(self) -> int:
        return sum(service.open_processes for service in self.services.values())
