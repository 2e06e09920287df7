"""The in-process lab with one wall out: Exchange is reached through real WinRM sockets.

Time is the lab's: the adapter's pauses move its clock instead of being waited for, so hours of
back-off take milliseconds. Only a socket that gives up waits for real, as long as ``Timeouts`` say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from winrm.exceptions import WinRMOperationTimeoutError

from exchange_push_operator.adapters.exchange_winrm import WinRMExchanges
from exchange_push_operator.adapters.winrm_transport import Timeouts, Wire, open_wire
from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.ports import Answer, Exchange, ExchangeAccess, Fence
from lab.exchange.accounts import Accounts
from lab.exchange.build import default_organization
from lab.exchange.organization import ACCOUNT, Organization
from lab.exchange.shells import WinRMService
from lab.exchange.winrm import WinRMServer
from lab.in_process import PASSWORD, Clock, Lab, Operator
from lab.network.ca import PrivateCA, Showcase

if TYPE_CHECKING:
    from exchange_push_operator.adapters.kerberos_tickets import Tickets

PATIENT = Timeouts(operation=5, read=10.0, connect=5.0)
_UNRESOLVABLE = "nowhere.invalid"  # RFC 2606: no such name, ever

Strike = Callable[[], None]


def _nothing() -> None:
    """No fault."""


class Site:
    """Listeners for ``servers`` servers; one organisation after another is put behind them."""

    def __init__(self, folder: Path, things: ExitStack, *, servers: int = 2) -> None:
        """Serve until ``things`` is closed."""
        organization = default_organization(servers=servers)
        self.accounts = Accounts({ACCOUNT: PASSWORD})
        things.callback(self.accounts.close)
        ca = PrivateCA()
        self.ca_file = str(ca.write(folder / "ca.pem"))
        self.clock = Clock()
        self.services = {
            name: WinRMService(
                organization, name, self.accounts, monotonic=lambda: self.clock().timestamp()
            )
            for name in organization.servers
        }
        shown = Showcase(ca, ["localhost"], folder)
        self.listeners = {
            (name, scheme): things.enter_context(
                WinRMServer(service, scheme.lower(), shown if scheme == "HTTPS" else None)
            )
            for name, service in self.services.items()
            for scheme in ("HTTP", "HTTPS")
        }

    def serve(self, organization: Organization, clock: Clock) -> None:
        """Another organisation behind the same ports, in its own time."""
        self.clock = clock
        for service in self.services.values():
            service.serve(organization)

    @property
    def open_shells(self) -> int:
        """Shells on all servers."""
        return sum(service.open_shells for service in self.services.values())

    @property
    def refused_sign_ins(self) -> dict[str, int]:
        """How often each server has turned the account down."""
        return {name: one.counters["refused sign-ins"] for name, one in self.services.items()}


class SocketOperator(Operator):
    """One life of the operator over the sockets of a site.

    ``strike`` is called right before the first change is sent, to Exchange or to Entra ID.
    """

    def __init__(
        self, outside: Lab, site: Site, *, strike: Strike = _nothing, timeouts: Timeouts = PATIENT
    ) -> None:
        super().__init__(outside)
        site.serve(outside.organization, outside.clock)
        self.site, self.timeouts = site, timeouts
        self._strike: Strike | None = strike
        clock = outside.clock
        self.pool = WinRMExchanges(
            site.ca_file,
            protocol_factory=self._wire,
            clock=lambda: clock().timestamp(),
            pause=lambda seconds: clock.forward(seconds=seconds),
        )

    def close(self) -> None:
        """End every process on the servers."""
        self.pool.close()

    def disconnect(self) -> None:
        """As after an idle minute: the next call opens shell and connection anew."""
        self.pool.close_idle(now=float("inf"))

    @property
    def struck(self) -> bool:
        """Whether the moment has come."""
        return self._strike is None

    def strike_before(self, *, changes: bool) -> None:
        """The moment has come, once."""
        if changes and self._strike is not None:
            strike, self._strike = self._strike, None
            strike()

    def _wire(
        self, server: str, access: ExchangeAccess, ca_path: str, tickets: Tickets | None
    ) -> Wire:
        hidden = self.lab.organization.server(server).faults.unresolvable
        port = self.site.listeners[server, access.scheme].port
        host = _UNRESOLVABLE if hidden else "localhost"
        reached = replace(access, port=port)
        wire = open_wire(host, reached, ca_path, tickets, timeouts=self.timeouts)
        return _Simulated(wire, self.lab.clock, self.timeouts.operation)

    def _exchange(self, access: ExchangeAccess, wanted: Fence) -> Exchange:
        self.accesses.append(access)
        return _Struck(self.pool.connect(access, wanted), self)

    def _before_call(self, _call: str, changes: bool) -> None:  # noqa: FBT001 - a hook of the lab
        self.strike_before(changes=changes)


@dataclass
class _Struck:
    """The port, which a fault strikes when the first change is sent."""

    exchange: Exchange
    operator: SocketOperator

    def run(
        self, server: str, batch: Sequence[Cmdlet], *, changes: bool = False
    ) -> tuple[Answer, ...]:
        self.operator.strike_before(changes=changes)
        return self.exchange.run(server, batch, changes=changes)


class _Simulated:
    """A wire on which a Receive that timed out has taken that long by the lab's clock too."""

    def __init__(self, wire: Wire, clock: Clock, operation: float) -> None:
        self._wire, self._clock, self._operation = wire, clock, operation

    def get_command_output_raw(
        self, shell_id: str, command_id: str
    ) -> tuple[bytes, bytes, int, bool]:
        try:
            return self._wire.get_command_output_raw(shell_id, command_id)
        except WinRMOperationTimeoutError:
            self._clock.forward(seconds=self._operation)
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wire, name)
