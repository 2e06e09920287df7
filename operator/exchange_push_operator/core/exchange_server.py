"""A server as Active Directory has it: one row of Get-ExchangeServer.

A row that cannot be read is an error that names the server: it must not drop out of "every server"
(safety rules 2 and 12). Source of the versions: Microsoft, "Exchange Server build numbers and
release dates".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from exchange_push_operator.core.commands import Row
from exchange_push_operator.core.errors import CmdletFailed

Version: TypeAlias = tuple[int, ...]

_PARTS = 4
_NUMBERS = re.compile(r"\d+")
_FIFTEEN = 15
_SUBSCRIPTION_EDITION: Version = (15, 2, 2562)
_PRODUCTS: dict[Version, str] = {
    (8,): "Exchange 2007",
    (14,): "Exchange 2010",
    (15, 0): "Exchange 2013",
    (15, 1): "Exchange 2016",
    (15, 2): "Exchange 2019",
}


def version(text: object) -> Version:
    """``15.2.2562.17`` or ``Version 15.2 (Build 2562.17)`` as numbers; () for another shape."""
    numbers = _NUMBERS.findall(text) if isinstance(text, str) else []
    return tuple(int(number) for number in numbers[:_PARTS]) if len(numbers) >= _PARTS else ()


def product(build: Version) -> str:
    """What people call it. 15.2 is 2019 and, from its first build on, Subscription Edition."""
    if build[:2] == _SUBSCRIPTION_EDITION[:2] and build >= _SUBSCRIPTION_EDITION:
        return "Exchange SE"
    known = _PRODUCTS.get(build[:2]) or _PRODUCTS.get(build[:1])
    return known or f"Exchange {'.'.join(map(str, build[:2])) or 'of an unknown version'}"


@dataclass(frozen=True, slots=True)
class ExchangeServer:
    """``version`` is AdminDisplayVersion: the cumulative update, without hotfix updates."""

    name: str
    fqdn: str
    version: Version
    mailbox: bool
    client_access: bool
    edge: bool
    site: str

    @property
    def in_scope(self) -> bool:
        """Whether AuthConfig matters to it: Mailbox or Client Access, of version 15."""
        return (self.mailbox or self.client_access) and self.version[:1] == (_FIFTEEN,)

    @property
    def described(self) -> str:
        """``ex9.corp.fabrikam.com (Exchange 2019, site Berlin)``."""
        facts = [self.kind, *([f"site {self.site}"] if self.site else [])]
        return f"{self.fqdn} ({', '.join(facts)})"

    @property
    def kind(self) -> str:
        """What it is, as far as it decides whether it matters."""
        if self.edge:
            return "Edge Transport"
        if not self.in_scope and self.version[:1] == (_FIFTEEN,):
            return "neither Mailbox nor Client Access"
        return product(self.version)


def read(row: Row) -> ExchangeServer:
    """Read a row. Raises: CmdletFailed, with the server's name."""
    name, fqdn = (str(row.get(key) or "") for key in ("Name", "Fqdn"))
    if not name or not fqdn:
        raise _unreadable(name or fqdn or "a server", "full name")
    server = ExchangeServer(
        name=name,
        fqdn=fqdn.lower(),
        version=version(row.get("AdminDisplayVersion")),
        mailbox=_role(row, "IsMailboxServer"),
        client_access=_role(row, "IsClientAccessServer"),
        edge=_role(row, "IsEdgeServer"),
        site=_site(row.get("Site")),
    )
    if not server.version and (server.mailbox or server.client_access):
        raise _unreadable(name, "version (AdminDisplayVersion)")
    return server


def _role(row: Row, key: str) -> bool:
    value = row.get(key)
    if not isinstance(value, bool):
        raise _unreadable(str(row["Name"]), f"role ({key})")
    return value


def _site(value: object) -> str:
    """The site's own name: ``corp.fabrikam.com/Configuration/Sites/Berlin`` is Berlin."""
    return str(value or "").rsplit("/", maxsplit=1)[-1]


def _unreadable(whose: str, what: str) -> CmdletFailed:
    return CmdletFailed(
        f"Get-ExchangeServer told no {what} of {whose}; look at it in the Exchange Management Shell"
    )
