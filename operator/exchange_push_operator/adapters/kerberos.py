"""Kerberos, where this installation has it: whose ticket it is, and who gets it.

The rest is in ``kerberos_tickets`` (one account's tickets), ``kerberos_sign_in`` (one connection)
and ``kerberos_words`` (what errors mean). They import the extra's libraries, this file does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_push_operator.core.errors import SpecError

if TYPE_CHECKING:
    from exchange_push_operator.adapters.kerberos_tickets import Tickets
    from exchange_push_operator.core.ports import ExchangeAccess

NO_KERBEROS = (
    "spec.exchange.connection.transport: Kerberos needs an operator with its kerberos extra, "
    "which this one has not; set NTLM"
)


def principal_of(username: str, server: str) -> str:
    r"""The Kerberos name of an account, ``user@REALM``.

    After an ``@`` stands the Active Directory domain, by its DNS name. ``DOMAIN\user`` and a bare
    ``user`` are of the server's domain: the NetBIOS name does not tell the realm.
    """
    user, at, domain = username.strip().rpartition("@")
    if not at:
        user, domain = username.strip().rpartition("\\")[2], server.partition(".")[2]
    return f"{user}@{domain.upper()}"


def tickets_of(access: ExchangeAccess, principal: str) -> Tickets:
    """The tickets of an account; nothing is sent yet. Raises: SpecError: there is no Kerberos."""
    try:
        from exchange_push_operator.adapters.kerberos_tickets import (  # noqa: PLC0415 - the extra
            Tickets,
        )
    except ImportError as error:
        raise SpecError(NO_KERBEROS) from error
    return Tickets(principal, password=access.password, keytab=access.keytab)
