"""Plays a story on the lab in process, and watches the safety rules at every call."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.ports import Answer, Exchange, ExchangeAccess, Fence
from exchange_push_operator.reconcile import Outcome
from lab.exchange.faults import set_fault
from lab.exchange.in_process import InProcessExchange
from lab.exchange.organization import Organization, Switches
from lab.exchange.server import ServerFaults
from lab.in_process import Lab, Operator
from lab.microsoft365.faults import SWITCHES
from reliability.any_story import KILLED, MICROSOFT, Fault

PAUSE = 601.0  # seconds: longer than anything is refused or throttled
_MOST_PASSES = 16

# What has to be seen in a pass before a change of that pass: of the organisation, and of the
# server that is changed.
_CERTIFICATES = ("Get-AuthConfig", "Get-ExchangeServer")
# ... and the store of every server, listed or not (safety rule 12).
_NEED_ALL_STORES = ("Set-AuthConfig", "New-ExchangeCertificate")
NEEDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Set-AuthConfig": (_CERTIFICATES, ("Get-LocalCertificate",)),
    "New-ExchangeCertificate": (_CERTIFICATES, ("Get-LocalCertificate", "Get-LocalExchangeServer")),
    "Copy-ExchangeCertificate": (_CERTIFICATES, ("Get-LocalCertificate",)),
    "Enable-ExchangeCertificate": ((), ("Get-LocalCertificate", "Get-LocalExchangeServer")),
    "New-AuthServer": (("Get-AuthServer",), ()),
    "Set-AuthServer": (("Get-AuthServer",), ()),
    "Set-PartnerApplication": (("Get-PartnerApplication",), ()),
    "Enable-PushNotificationProxy": (("Enable-PushNotificationProxy",), ()),
    "Disable-PushNotificationProxy": (("Enable-PushNotificationProxy",), ()),
    "Restart-Service": ((), ("Get-LocalExchangeServer",)),
    "Restart-WebAppPool": (("Get-AuthConfig",), ("Get-LocalExchangeServer",)),
}


class Killed(BaseException):
    """SIGKILL: no handler of the operator sees it."""


@dataclass
class Watch:
    """The port Exchange of one pass: what was seen, and what a change may rest on."""

    exchange: InProcessExchange
    seen: dict[tuple[str, str], bool] = field(default_factory=dict)

    def run(
        self, server: str, batch: Sequence[Cmdlet], *, changes: bool = False
    ) -> tuple[Answer, ...]:
        if changes:
            return self._change(server, batch)
        names = [_name(cmdlet) for cmdlet in batch]
        self.seen |= dict.fromkeys(((server, name) for name in names), False)
        answers = self.exchange.run(server, batch)
        told = zip(names, answers, strict=True)
        self.seen |= {(server, name): answer.error is None for name, answer in told}
        return answers

    def _change(self, server: str, batch: Sequence[Cmdlet]) -> tuple[Answer, ...]:
        (change,) = batch
        self.rests_on_what_was_seen(server, change.name)
        organization = self.exchange.organization
        before = valid_auth_certificate(organization)
        try:
            return self.exchange.run(server, batch, changes=True)
        finally:
            now = organization.view().auth_config().current
            assert before in (None, now), f"rule 1: {change} replaced the valid {before}"

    def _saw_store_of(self, server: str) -> bool:
        through_another = f"Get-ExchangeCertificate {server}"
        own = self.seen.get((server, "Get-LocalCertificate"), False)
        return own or any(ok for (_, name), ok in self.seen.items() if name == through_another)

    def rests_on_what_was_seen(self, server: str, change: str) -> None:
        """Rule 2."""
        shared, own = NEEDS[change]
        for look in shared:
            assert any(ok for (_, name), ok in self.seen.items() if name == look), (
                f"rule 2: {change} without {look}"
            )
        if change in _NEED_ALL_STORES:
            for one in self.exchange.organization.servers:
                assert self._saw_store_of(one), f"rule 2: {change} without the store of {one}"
        for look in own:
            assert self.seen.get((server, look)), f"rule 2: {change} on {server} without {look}"


def _name(look: Cmdlet) -> str:
    """The look; at a store through another server with the name of that server."""
    if look.name != "Get-ExchangeCertificate":
        return look.name
    return f"{look.name} {dict(look.parameters)['Server']}"


def valid_auth_certificate(organization: Organization) -> str | None:
    """What AuthConfig names, if it is valid and a server has its key."""
    current = organization.view().auth_config().current
    for server in organization.servers.values():
        held = server.store.get(current)
        if held is not None and held.key is not None and held.valid_at(organization.clock()):
            return current
    return None


class Telling:
    """A story while it is told: counts calls, throws faults and takes them back."""

    def __init__(self, outside: Lab, faults: Sequence[Fault], passes: int) -> None:
        self.outside, self.faults, self.passes = outside, faults, passes
        self.calls = 0
        self.cured = False

    def play(self) -> None:
        """All of it: the passes under faults, and then until nothing moves any more."""
        operator = self.operator()
        for _ in range(self.passes):
            try:
                operator.step()
            except Killed:
                operator = self.operator()
            self.outside.clock.forward(seconds=97.0)
        self._cure()
        self.rest(operator)

    def rest(self, operator: Operator) -> Outcome:
        """Passes until two in a row change nothing and say the same; the last one."""
        outcomes: list[Outcome] = []
        for _ in range(_MOST_PASSES):
            self.outside.clock.forward(seconds=PAUSE)
            outcomes.append(operator.step())
            if len(outcomes) > 2 and nothing_moved(outcomes[-3:]):
                return outcomes[-1]
        changes = [outcome.changes for outcome in outcomes]
        message = f"no rest: {changes}, {outcomes[-1].status['conditions']}"
        raise AssertionError(message)

    def operator(self) -> Operator:
        """A new life."""
        return _Watched(self.outside, before=self.call)

    def call(self) -> None:
        """Before each remote call."""
        # Servers are asked side by side; only what one thread does comes in an order.
        if self.cured or threading.current_thread() is not threading.main_thread():
            return
        now, self.calls = self.calls, self.calls + 1
        for fault in self.faults:
            if fault.at + fault.calls == now and fault.name != KILLED:
                self._throw(fault, _at_rest(fault))
            if fault.at == now:
                if fault.name == KILLED:
                    raise Killed
                self._throw(fault, fault.value)

    def _throw(self, fault: Fault, value: Any) -> None:
        if fault.target == MICROSOFT:
            self.outside.microsoft365.set_fault(fault.name, value)
        elif not fault.target or fault.target in self.outside.organization.servers:
            set_fault(self.outside.organization, fault.name, value, fault.target)

    def _cure(self) -> None:
        self.cured = True
        for fault in self.faults:
            if fault.name != KILLED:
                self._throw(fault, _at_rest(fault))


def nothing_moved(outcomes: Sequence[Outcome]) -> bool:
    """Whether three passes said the same, changed nothing, and wait for nothing."""
    said = [outcome.status for outcome in outcomes]
    settling = any(one["reason"] == "Settling" for one in said[-1]["conditions"])
    changed = any(outcome.changes for outcome in outcomes[1:])
    return said[0] == said[1] == said[2] and not changed and not settling


class _Watched(Operator):
    """An operator whose Exchange port is watched anew in each pass."""

    def _exchange(self, access: ExchangeAccess, _wanted: Fence) -> Exchange:
        self.accesses.append(access)
        return Watch(self.exchange)


_RESTING = {"replication_lag_seconds": 0, "replication_lag_looks": 0, "culture": "en-US"}


def _at_rest(fault: Fault) -> Any:
    if fault.target == MICROSOFT:
        return SWITCHES[fault.name].default
    if fault.name in _RESTING:
        return _RESTING[fault.name]
    holder = Switches() if hasattr(Switches(), fault.name) else ServerFaults()
    return getattr(holder, fault.name)
