"""Two Exchange servers behind real listeners, and accounts in a real Kerberos realm."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cryptography.hazmat.primitives.serialization import Encoding

from exchange_push_operator.adapters.exchange_winrm import WinRMExchanges
from exchange_push_operator.adapters.winrm_transport import DirectTransport, Wire, open_wire
from exchange_push_operator.core.commands import cmdlet
from exchange_push_operator.core.ports import Answer, ExchangeAccess, Sensitive
from lab.exchange.accounts import Accounts
from lab.exchange.build import default_organization
from lab.exchange.kdc import REALM, KeyDistributionCentre
from lab.exchange.organization import Organization
from lab.exchange.shells import WinRMService
from lab.exchange.winrm import WinRMServer
from lab.network.ca import PrivateCA

if TYPE_CHECKING:
    from exchange_push_operator.adapters.kerberos_tickets import Tickets

EX1, EX2 = "ex1.corp.fabrikam.com", "ex2.corp.fabrikam.com"
FIRST, SECOND = "svc-epo", "svc-two"
PASSWORDS = {FIRST: "Grün & Blau", SECOND: "canary-zweites-Wort"}
LOOKS = (cmdlet("Get-OrganizationConfig"), cmdlet("Get-LocalExchangeServer"))


@contextmanager
def realm() -> Iterator[KeyDistributionCentre]:
    """The domain: both accounts, and both servers, of which EX1 is trusted for delegation."""
    with KeyDistributionCentre() as kdc:
        for name, password in PASSWORDS.items():
            kdc.add_account(name, password)
        kdc.add_service(EX1, trusted=True)
        kdc.add_service(EX2)
        with krb5_conf(kdc.krb5_conf):
            yield kdc


@contextmanager
def krb5_conf(path: Path) -> Iterator[None]:
    """What the installer sets: libkrb5 has no other way to be told its configuration."""
    before = os.environ.get("KRB5_CONFIG")
    os.environ["KRB5_CONFIG"] = str(path)
    try:
        yield
    finally:
        del os.environ["KRB5_CONFIG"]
        if before is not None:
            os.environ["KRB5_CONFIG"] = before


class KerberosServers:
    """WinRM of every server of an organisation, and a pool that finds it on this machine."""

    def __init__(
        self,
        kdc: KeyDistributionCentre | None,
        organization: Organization,
        folder: Path,
        things: ExitStack,
    ) -> None:
        self.organization = organization
        self.accounts = Accounts({f"CORP\\{name}": word for name, word in PASSWORDS.items()})
        things.callback(self.accounts.close)
        self.ca = PrivateCA()
        self.ca_file = str(self.ca.write(folder / "ca.pem"))
        self.folder, self.things = folder, things
        self.services: dict[str, WinRMService] = {}
        self.listeners: dict[tuple[str, str], WinRMServer] = {}
        for server in organization.servers.values():
            service = WinRMService(organization, server.fqdn, self.accounts)
            service.keytab = kdc.service_keytab if kdc else None
            self.services[server.fqdn] = service
            self.listeners[server.fqdn, "HTTP"] = things.enter_context(WinRMServer(service, "http"))
            self.listeners[server.fqdn, "HTTPS"] = self.listen(service)
        self.pool = self.make_pool()

    def listen(self, service: WinRMService, bound_to: bytes = b"") -> WinRMServer:
        """An HTTPS listener; ``bound_to`` is another certificate than it shows."""
        leaf = self.ca.issue(["localhost"])
        shown = leaf.certificate.public_bytes(Encoding.DER)
        tls = leaf.server_context(self.folder)
        server = WinRMServer(service, "https", tls, certificate=bound_to or shown)
        return self.things.enter_context(server)

    def make_pool(self) -> WinRMExchanges:
        pool = WinRMExchanges(self.ca_file, protocol_factory=self.wire)
        self.things.callback(pool.close)
        return pool

    def wire(
        self, server: str, access: ExchangeAccess, ca_path: str, tickets: Tickets | None
    ) -> Wire:
        port = access.port
        if port in (5985, 5986):  # WinRM's own
            port = self.listeners[server, access.scheme].port
        wire = open_wire("localhost", replace(access, port=port), ca_path, tickets)
        cast("DirectTransport", wire.transport).server = server
        return wire

    def look(self, access: ExchangeAccess, server: str = EX1) -> tuple[Answer, ...]:
        return self.pool.connect(access).run(server, LOOKS)

    def hang_up(self) -> None:
        for listener in self.listeners.values():
            listener.hang_up()


@contextmanager
def servers(kdc: KeyDistributionCentre, folder: Path) -> Iterator[KerberosServers]:
    with ExitStack() as things:
        yield KerberosServers(kdc, default_organization(), folder, things)


def with_password(
    name: str = FIRST,
    *,
    password: str = "",
    scheme: str = "HTTP",
    port: int = 5985,
    version: str = "1",
) -> ExchangeAccess:
    word = Sensitive.of(password or PASSWORDS.get(name, "of nobody"))
    username = name if "@" in name else f"CORP\\{name}"
    return ExchangeAccess("Kerberos", scheme, port, username, word, None, version)


def with_keytab(content: bytes, *, name: str = FIRST, scheme: str = "HTTP") -> ExchangeAccess:
    keytab = Sensitive.of(base64.b64encode(content).decode())
    user = f"{name}@{REALM.lower()}"
    return ExchangeAccess("Kerberos", scheme, 5985, user, None, None, "1", keytab)
