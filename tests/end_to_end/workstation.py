"""An organisation and its tenant on this machine's ports, and commands as people type them."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from lab.exchange.accounts import Accounts
from lab.exchange.kdc import KeyDistributionCentre
from lab.exchange.organization import ACCOUNT
from lab.exchange.shells import WinRMService
from lab.exchange.winrm import WinRMServer
from lab.in_process import Clock, Lab, lab
from lab.microsoft365.sample import client_key_pem
from lab.microsoft365.server import NAMES, Microsoft365Servers
from lab.network.ca import PrivateCA
from lab.network.redirect import Redirect

BIN = Path(sys.executable).parent
EX1, EX2 = "ex1.corp.fabrikam.com", "ex2.corp.fabrikam.com"
PASSWORD = "canary-Grün 7d41"


class WallClock(Clock):
    """Two hours behind, so that what is set up under it is no news; then the wall's."""

    def __init__(self) -> None:
        super().__init__()
        self.behind = timedelta(hours=2)

    def __call__(self) -> datetime:
        return datetime.now(UTC) - self.behind

    def forward(self, **span: float) -> None:
        self.behind -= timedelta(**span)


class Workstation:
    """Commands in processes of their own, which find every server under its real name."""

    def __init__(self, folder: Path, outside: Lab, kdc: KeyDistributionCentre | None) -> None:
        self.folder, self.outside, self.kdc = folder, outside, kdc
        self.accounts = Accounts({ACCOUNT: PASSWORD})
        self.redirect = Redirect(folder)
        self.services: dict[str, WinRMService] = {}
        self._ca = PrivateCA()
        self.ca = self._ca.write(folder / "ca.pem")
        self.password = folder / "password"
        self.password.write_text(PASSWORD + "\n", "utf-8")
        self.pair = folder / "reader.pem"
        certificate = outside.secrets["fabrikam-entra"]["tls.crt"]
        self.pair.write_bytes(certificate + client_key_pem())

    def serve(self, closing: ExitStack) -> None:
        """Listen as Exchange and as Microsoft 365."""
        closing.callback(self.accounts.close)
        web = Microsoft365Servers(
            self.outside.microsoft365, self._ca.issue(NAMES).server_context(self.folder)
        )
        for host, port, lab_port in closing.enter_context(web).redirections():
            self.redirect.set(host, port, lab_port)
        for server in self.outside.organization.servers.values():
            service = WinRMService(self.outside.organization, server.fqdn, self.accounts)
            service.keytab = self.kdc.service_keytab if self.kdc else None
            leaf = self._ca.issue([server.fqdn])
            shown = leaf.certificate.public_bytes(Encoding.DER)
            context = leaf.server_context(self.folder)
            one = WinRMServer(service, "https", context, certificate=shown)
            self.redirect.set(server.fqdn, 5986, closing.enter_context(one).port)
            self.services[server.fqdn] = service

    def types(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the console command without a terminal."""
        return subprocess.run(
            [str(BIN / "exchange-push-operator"), *words],
            env=self._environment(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
            start_new_session=True,
        )

    def types_at_a_terminal(self, *words: str, answer: str, **environment: str) -> tuple[int, str]:
        """Run it in a terminal, give ``answer`` when a password is asked for; code and screen."""
        pid, terminal = pty.fork()
        if pid == 0:  # the child; nothing but exec
            program = str(BIN / "exchange-push-operator")
            os.execve(program, [program, *words], self._environment(environment))  # noqa: S606 - no shell is wanted
        shown, asked = b"", False
        while chunk := _read(terminal):
            shown += chunk
            if not asked and b"Password of " in shown:
                asked = True
                os.write(terminal, f"{answer}\n".encode())
        os.close(terminal)
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status), shown.decode()

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        base = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TERM": "xterm"}
        kerberos = {"KRB5_CONFIG": str(self.kdc.krb5_conf)} if self.kdc else {}
        return {**base, **self.redirect.environment(base), **kerberos, **more}


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so where the other side is closed
        return b""


@contextmanager
def workstation(
    folder: Path, *, healthy: bool, kdc: KeyDistributionCentre | None = None
) -> Iterator[Workstation]:
    """With a fresh organisation, or one that the operator has set up."""
    clock = WallClock()
    outside = lab(clock=clock)
    if healthy:
        outside.operator().run()
        assert outside.condition("Ready") == ("True", "Succeeded")
    clock.behind = timedelta()
    with ExitStack() as closing:
        here = Workstation(folder, outside, kdc)
        here.serve(closing)
        yield here
