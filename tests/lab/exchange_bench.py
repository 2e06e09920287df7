"""`make bench-exchange`: the operator's looks over WinRM, against the article's way.

The same looks at the same simulated servers with the same delays: once one `run_ps` of plain
pywinrm for each look, as a script would do it; once as the operator does it, with a new process
(cold) and with one that is up (warm). Prints the table of docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import winrm

from exchange_push_operator.adapters.exchange_winrm import WinRMExchanges
from exchange_push_operator.adapters.winrm_transport import Wire, open_wire
from exchange_push_operator.core.commands import Cmdlet, Row
from exchange_push_operator.core.looks import merge
from exchange_push_operator.core.organization import ORGANIZATION_CONFIG
from exchange_push_operator.core.parse import parse
from exchange_push_operator.core.ports import Exchange, ExchangeAccess, Sensitive
from exchange_push_operator.reconcile.side_by_side import side_by_side
from exchange_push_operator.stages import STAGES
from lab.exchange.accounts import Accounts
from lab.exchange.article_way import ScriptProcess, script
from lab.exchange.build import default_organization
from lab.exchange.counters import Counters
from lab.exchange.faults import set_fault
from lab.exchange.organization import ACCOUNT
from lab.exchange.shells import WinRMService
from lab.exchange.winrm import WinRMServer
from lab.in_process import START
from lab.network.ca import PrivateCA
from lab.resources import resource

PASSWORD = "lab-password-7d41"
DELAYS = {"latency": 0.02, "process_start": 0.5, "session_start": 2.0, "cmdlet_time": 0.1}
COLD, WARM = 6, 20  # how much faster the operator has to be
_VERBS = ("auth", "Create", "Command", "Send", "Receive", "Signal", "Delete")

Batches: TypeAlias = Mapping[str, tuple[Cmdlet, ...]]
Rows: TypeAlias = dict[tuple[str, Cmdlet], list[Row]]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one time of looking took."""

    seconds: float
    requests: int
    processes: int
    sessions: int


class Bench:
    """Servers with delays, reached on this machine."""

    def __init__(self, servers: int, delays: Mapping[str, float], things: ExitStack) -> None:
        """Serve until ``things`` is closed."""
        organization = default_organization(servers=servers, clock=lambda: START)
        for name, seconds in delays.items():
            set_fault(organization, name, seconds)
        self.batches = batches(tuple(organization.servers))
        accounts = Accounts({ACCOUNT: PASSWORD})
        things.callback(accounts.close)
        self.ca = str(PrivateCA().write(Path(things.enter_context(_folder()), "ca.pem")))
        self._services = {
            name: WinRMService(organization, name, accounts, process=ScriptProcess)
            for name in organization.servers
        }
        self._ports = {
            name: things.enter_context(WinRMServer(service, "http")).port
            for name, service in self._services.items()
        }
        self.pool = WinRMExchanges(protocol_factory=self._wire)
        things.callback(self.pool.close)

    def measure(self, look: Callable[[], Rows]) -> tuple[Cost, Rows]:
        """Look, and count what it cost."""
        for service in self._services.values():
            service.counters = Counters()
        before = time.perf_counter()
        rows = look()
        seconds = time.perf_counter() - before
        counted = [service.counters for service in self._services.values()]
        return Cost(
            seconds,
            sum(one[verb] for one in counted for verb in _VERBS),
            sum(one["processes"] for one in counted),
            sum(one["sessions"] for one in counted),
        ), rows

    def article(self) -> Rows:
        """One script for each look, one after another."""
        return {
            (server, look): self._run_ps(server, look)
            for server, batch in self.batches.items()
            for look in batch
        }

    def operator(self) -> Rows:
        """One batch for each server, side by side."""
        exchange = self._exchange()
        servers = tuple(self.batches)
        told = side_by_side(lambda name: exchange.run(name, self.batches[name]), servers)
        return {
            (server, look): list(answer.rows)
            for server, answers in zip(servers, told, strict=True)
            for look, answer in zip(self.batches[server], answers, strict=True)
        }

    def _run_ps(self, server: str, look: Cmdlet) -> list[Row]:
        session = winrm.Session(
            f"http://localhost:{self._ports[server]}/wsman",
            auth=(ACCOUNT, PASSWORD),
            transport="ntlm",
            proxy=None,
            ca_trust_path=self.ca,
        )
        answer = session.run_ps(script(server, look))
        assert answer.status_code == 0, answer.std_err
        found: list[Row] = json.loads(answer.std_out)
        return found

    def _exchange(self) -> Exchange:
        password = Sensitive.of(PASSWORD)
        return self.pool.connect(ExchangeAccess("NTLM", "HTTP", 0, ACCOUNT, password, None, "1"))

    def _wire(self, server: str, access: ExchangeAccess, ca_path: str, tickets: Any) -> Wire:
        local = ExchangeAccess(
            access.transport, "HTTP", self._ports[server], ACCOUNT, access.password, None, "1"
        )
        return open_wire("localhost", local, ca_path, tickets)


def batches(servers: Sequence[str]) -> Batches:
    """The operator's looks of a steady pass, by server."""
    exchange = {"servers": [{"name": name} for name in servers]}
    spec = resource()["spec"]
    config = parse(resource({**spec, "exchange": {**spec["exchange"], **exchange}}))
    looks = merge(stage.looks(config) for stage in STAGES)
    shared = {servers[0]: tuple(dict.fromkeys((ORGANIZATION_CONFIG, *looks.organization)))}
    return {name: (*shared.get(name, ()), *looks.server(name)) for name in servers}


def compare(servers: int, delays: Mapping[str, float]) -> dict[str, Cost]:
    """The costs of each way. AssertionError where they do not see the same."""
    with ExitStack() as things:
        bench = Bench(servers, delays, things)
        article, theirs = bench.measure(bench.article)
        cold, ours = bench.measure(bench.operator)
        warm, again = bench.measure(bench.operator)
    assert theirs == ours == again
    looks = sum(map(len, bench.batches.values()))
    return {f"article, {looks} looks": article, "operator, cold": cold, "operator, warm": warm}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-exchange ARGS=...", description=__doc__)
    parser.add_argument("--servers", type=int, nargs="+", default=[1, 3], metavar="N")
    given = parser.parse_args()
    print("| servers | way | seconds | times faster | WinRM requests | processes | sessions |")
    print("|---|---|---|---|---|---|---|")
    enough = True
    for servers in given.servers:
        costs = compare(servers, DELAYS)
        article, cold, warm = costs.values()
        enough &= article.seconds >= COLD * cold.seconds
        enough &= article.seconds >= WARM * warm.seconds
        for way, cost in costs.items():
            faster = f"{article.seconds / cost.seconds:.1f}" if cost is not article else ""
            counted = f"{cost.requests} | {cost.processes} | {cost.sessions}"
            print(f"| {servers} | {way} | {cost.seconds:.2f} | {faster} | {counted} |")
    if not enough:
        sys.stderr.write(f"not {COLD} times faster cold and {WARM} times warm\n")
    return 0 if enough else 1


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="exchange-bench-")


if __name__ == "__main__":
    sys.exit(main())
