"""Asks a server. Nothing that is sent here changes anything."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from winrm.exceptions import WSManFaultError

from exchange_push_operator.adapters.exchange_winrm import WinRMExchanges
from exchange_push_operator.adapters.host_script import bootstrap
from exchange_push_operator.adapters.winrm_authorities import Authorities
from exchange_push_operator.adapters.winrm_configuration import winrm_configuration
from exchange_push_operator.adapters.winrm_transport import Wire
from exchange_push_operator.adapters.winrm_trouble import TROUBLE, codes
from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.errors import PushError
from exchange_push_operator.core.ports import ExchangeAccess
from exchange_push_operator.selftest import looks
from exchange_push_operator.selftest.evidence import Echo, Evidence
from exchange_push_operator.selftest.recorder import Recorder

_IDLE = 180.0  # seconds; http.sys drops an idle connection after two minutes
_CODEPAGE, _IDLE_TIMEOUT = 65001, "PT180S"
_MOST_RECEIVES = 10


@dataclass(frozen=True, slots=True)
class Plan:
    """Whom to ask, and what besides the looks."""

    server: str
    access: ExchangeAccess
    ca_path: str | None = None
    probe: bool = False
    idle: bool = False


@dataclass
class Interview:
    """One server. ``pause`` waits for so many seconds."""

    plan: Plan
    recorder: Recorder = field(default_factory=Recorder)
    pause: Callable[[float], None] = time.sleep

    def hold(self) -> Evidence:
        """Ask everything; what fails is evidence too."""
        evidence = self._ask(Evidence(self.plan.server))
        if not evidence.ready:
            return evidence  # not a second bad sign-in
        authorities = Authorities(self.plan.ca_path)
        try:
            ca_path = authorities.path(self.plan.access.ca_pem)
            tickets = self.recorder.tickets
            wire = self.recorder.factory(self.plan.server, self.plan.access, ca_path, tickets)
            return self._provoke(replace(evidence, quotas=_quotas(wire)), wire)
        finally:
            authorities.close()

    def _ask(self, evidence: Evidence) -> Evidence:
        pool = WinRMExchanges(self.plan.ca_path, protocol_factory=self.recorder.open)
        try:
            evidence = self._run(pool, evidence, looks.all_looks(self.plan.server))
            if self.plan.probe and evidence.failure is None:
                evidence = self._run(pool, evidence, (looks.probe(self.plan.server),))
            if self.plan.idle and evidence.failure is None:
                evidence = self._wait(pool, evidence)
        finally:
            pool.close()
        seconds = dict(self.recorder.seconds)
        return replace(evidence, ready=self.recorder.ready(), seconds=seconds)

    def _run(self, pool: WinRMExchanges, evidence: Evidence, batch: tuple[Cmdlet, ...]) -> Evidence:
        exchange = pool.connect(self.plan.access)
        try:
            answers = exchange.run(self.plan.server, batch)
        except PushError as error:
            return replace(evidence, failure=error)
        took = [int(result.get("ms") or 0) for result in self.recorder.results()]
        return replace(
            evidence,
            answers={**evidence.answers, **dict(zip(batch, answers, strict=True))},
            milliseconds={**evidence.milliseconds, **dict(zip(batch, took, strict=False))},
        )

    def _wait(self, pool: WinRMExchanges, evidence: Evidence) -> Evidence:
        before = pool.counters["resets"]
        self.pause(_IDLE)
        evidence = self._run(pool, evidence, looks.ROLES[:1])
        return replace(evidence, resets_after_idle=pool.counters["resets"] - before)

    def _provoke(self, evidence: Evidence, wire: Wire) -> Evidence:
        """End a process of our own, remove its shell, and hear what WinRM says to that."""
        try:
            shell = wire.open_shell(codepage=_CODEPAGE, idle_timeout=_IDLE_TIMEOUT)
        except TROUBLE:
            return evidence
        try:
            script = bootstrap(installed=self.plan.access.host_installed)
            command = wire.run_command(shell, script.command_line, console_mode_stdin=False)
            wire.send_command_input(shell, command, b"\n", end=True)
            _read_to_end(wire, shell, command)
            dead = _echo(lambda: wire.send_command_input(shell, command, b"\n", end=False))
        except TROUBLE:
            dead, command = None, ""
        finally:
            with suppress(*TROUBLE):
                wire.close_shell(shell)
        gone = _echo(lambda: wire.get_command_output_raw(shell, command))
        wire.transport.close_session()
        return replace(evidence, dead_process=dead, gone_shell=gone)


def _read_to_end(wire: Wire, shell: str, command: str) -> None:
    for _ in range(_MOST_RECEIVES):
        if wire.get_command_output_raw(shell, command)[3]:
            return


def _echo(call: Callable[[], object]) -> Echo:
    try:
        call()
    except WSManFaultError as error:
        return Echo(next(iter(sorted(code for code in codes(error) if code)), None))
    except TROUBLE as error:
        return Echo(None, type(error).__name__)
    return Echo(None, "no error")


def _quotas(wire: Wire) -> dict[str, str] | None:
    try:
        return winrm_configuration(wire)
    except TROUBLE:
        return None
