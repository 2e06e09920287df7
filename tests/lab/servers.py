"""The lab's servers in a process of their own: `python -m lab.servers --folder DIR`.

Every Exchange server answers WinRM over HTTPS and HTTP, Microsoft 365 over HTTPS, each on a free
loopback port. One JSON line on standard output says where; then it serves until it is stopped.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from lab.exchange.accounts import Accounts
from lab.exchange.build import default_organization, let_auth_certificate_end
from lab.exchange.counters import Counters
from lab.exchange.faults import set_fault
from lab.exchange.organization import ACCOUNT, Organization
from lab.exchange.process import Process
from lab.exchange.pwsh.process import PowerShellProcess
from lab.exchange.winrm import WinRMServer
from lab.hold import Door, HeldService, Hold
from lab.journal import Journal
from lab.microsoft365 import Microsoft365
from lab.microsoft365.clouds import Service
from lab.microsoft365.sample import CLIENT, FABRIKAM, SECRET, client_certificate, client_key_pem
from lab.microsoft365.sample import sample as sample_tenants
from lab.microsoft365.server import NAMES, Microsoft365Servers
from lab.network.ca import PrivateCA, Showcase

PASSWORD = "lab-password-7d41"
PORTS = {"https": 5986, "http": 5985}


@dataclass(frozen=True, slots=True)
class Shape:
    """What a fresh organisation looks like."""

    servers: int = 2
    auth_certificate: bool = True
    latency: float = 0.0
    days_left: float | None = None  # of the Auth certificate; None: as Setup has made it


class LabServers:
    """The models and the listeners in front of them; `reset` makes the models anew."""

    def __init__(self, folder: Path, shape: Shape, powershell: str = "") -> None:
        self.folder, self.shape, self._powershell = folder, shape, powershell
        self.hold, self.journal = Hold(), Journal()
        self.accounts = Accounts({ACCOUNT: PASSWORD})
        self._client = client_certificate()
        self.ca = PrivateCA()
        self.microsoft365, self.organization = self._models(shape)
        self.door = Door(self.microsoft365, self.hold, self.journal)
        context = self.ca.issue(NAMES).server_context(folder)
        self.web = Microsoft365Servers(self.door, context)
        self.services = [self._service(name) for name in self.organization.servers]
        self.listeners = {service: self._listeners(service) for service in self.services}

    def start(self, closing: ExitStack) -> None:
        """Serve in threads; `closing` ends it."""
        closing.callback(self.accounts.close)
        closing.enter_context(self.web)
        for listeners in self.listeners.values():
            for listener in listeners.values():
                closing.enter_context(listener)

    def reset(self, shape: Shape) -> None:
        """A fresh organisation and tenant behind the same ports. The number of servers stays."""
        self.hold.release()
        self.journal.clear()
        self.shape = shape
        self.microsoft365, self.organization = self._models(shape)
        self.door.put(self.microsoft365)
        self.accounts.set_password(ACCOUNT, PASSWORD)
        self.accounts.attempts, self.accounts.failures = Counters(), Counters()
        for service in self.services:
            service.serve(self.organization)
        self._hide()

    def describe(self) -> dict[str, Any]:
        """Where everything answers; what `.lab/endpoints.json` is made of."""
        exchange = [
            {
                "name": service.server.fqdn,
                **{s: f"{s}://localhost:{one.port}/wsman" for s, one in listeners.items()},
                "username": ACCOUNT,
                "password": PASSWORD,
            }
            for service, listeners in self.listeners.items()
        ]
        urls = self.web.urls()
        entra = {name: urls[name] for name in ("authority", "graph", "acs")}
        identity = {"tenantId": FABRIKAM, "clientId": CLIENT, "clientSecret": SECRET}
        pem = self._write("client.pem", client_key_pem() + self._client_pem())
        self._write("client.crt", self._client_pem())
        self._write("client.key", client_key_pem())
        return {
            "ca": str(self._write("lab-ca.crt", self.ca.pem())),
            "exchange": exchange,
            "entra": {**entra, **identity, "clientCertificate": str(pem)},
            "redirections": [list(row) for row in self._redirections()],
        }

    def _redirections(self) -> list[tuple[str, int, int]]:
        rows = [
            (service.server.fqdn, PORTS[scheme], listener.port)
            for service, listeners in self.listeners.items()
            for scheme, listener in listeners.items()
        ]
        return [*rows, *self.web.redirections()]

    def _models(self, shape: Shape) -> tuple[Microsoft365, Organization]:
        microsoft365 = sample_tenants(certificate=self._client)
        organization = default_organization(
            servers=self.shape.servers,
            auth_certificate=shape.auth_certificate and shape.days_left is None,
            microsoft365=microsoft365,
        )
        if shape.days_left is not None:
            let_auth_certificate_end(organization, timedelta(days=shape.days_left))
        if shape.latency:
            set_fault(organization, "latency", shape.latency)
            delays = {service.value: shape.latency for service in Service}
            microsoft365.set_fault("slow", delays)
        return microsoft365, organization

    def _service(self, name: str) -> HeldService:
        process = partial(PowerShellProcess, powershell=self._powershell)
        start = process if self._powershell else Process
        service = HeldService(self.organization, name, self.accounts, process=start)
        service.hold, service.journal = self.hold, self.journal
        return service

    def _hide(self) -> None:
        """The table of look-ups follows the switch ``unresolvable``."""
        hidden = [s.fqdn for s in self.organization.servers.values() if s.faults.unresolvable]
        draft = self.folder / "unresolvable.new"
        draft.write_text(json.dumps(hidden))
        draft.replace(self.folder / "unresolvable.json")

    def _listeners(self, service: HeldService) -> dict[str, WinRMServer]:
        tls = Showcase(self.ca, (service.server.fqdn, "localhost", "127.0.0.1"), self.folder)
        service.server.followers.append(self._hide)
        return {"https": WinRMServer(service, "https", tls), "http": WinRMServer(service, "http")}

    def _client_pem(self) -> bytes:
        return self._client.public_bytes(Encoding.PEM)

    def _write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_bytes(content)
        return path


def main() -> None:
    from lab.control_interface import ControlInterface  # noqa: PLC0415 - it knows LabServers

    parser = argparse.ArgumentParser(prog="python -m lab.servers", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where keys are written")
    parser.add_argument("--servers", type=int, default=2, help="Exchange servers (default: 2)")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--powershell", default="", help="path: it runs the shipped scripts")
    given = parser.parse_args()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    with ExitStack() as closing:
        shape = Shape(given.servers, latency=given.latency)
        servers = LabServers(given.folder, shape, given.powershell)
        servers.start(closing)
        control = closing.enter_context(ControlInterface(servers))
        print(json.dumps({**servers.describe(), "control": control.url}), flush=True)
        sys.stdout.close()
        stop.wait()


if __name__ == "__main__":
    main()
