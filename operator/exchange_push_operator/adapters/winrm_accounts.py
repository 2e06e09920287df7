"""Who signs in to Exchange: one sign-in and one set of tickets for each credential."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from exchange_push_operator.adapters.kerberos import principal_of, tickets_of
from exchange_push_operator.adapters.winrm_sign_in import SignIn
from exchange_push_operator.core.ports import ExchangeAccess

if TYPE_CHECKING:
    from exchange_push_operator.adapters.kerberos_tickets import Tickets

Credential: TypeAlias = tuple[str, str, str]
"""Transport, account, and a salted digest of what proves it."""

_FORGET = 3600.0  # seconds after which a credential that nobody uses is forgotten


class Accounts:
    """All credentials that are in use. Whoever calls has a lock around it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Know nobody yet."""
        self._clock = clock
        self._salt = secrets.token_bytes(32)
        self._sign_ins: dict[Credential, SignIn] = {}
        self._tickets: dict[tuple[str, Credential], Tickets] = {}

    def key(self, name: str, access: ExchangeAccess) -> Credential:
        """The credential with which this access signs in to a server. Needs no lock."""
        # The password takes part, so that nobody is ever served by a process that another
        # password has opened; salted, so that it cannot be guessed from a dump of the memory.
        proof = hmac.new(self._salt, access.proof.reveal().encode(), hashlib.sha256)
        kerberos = access.transport == "Kerberos"
        account = principal_of(access.username, name) if kerberos else access.username.casefold()
        return (access.transport, account, proof.hexdigest())

    def sign_in(self, key: Credential) -> SignIn:
        """What is known of tries with it, on all servers."""
        return self._sign_ins.setdefault(key, SignIn(self._clock))

    def tickets(self, key: Credential, name: str, access: ExchangeAccess) -> Tickets | None:
        """Its tickets; None where it is not for Kerberos."""
        # A Secret that was touched gets a new ticket: the account's groups stand in it.
        of = (access.version, key)
        if access.transport == "Kerberos" and of not in self._tickets:
            self._tickets[of] = tickets_of(access, principal_of(access.username, name))
        return self._tickets.get(of)

    def forget_unused(self, now: float) -> None:
        """Forget what nobody has used for an hour."""
        for key in [k for k, one in self._sign_ins.items() if now - one.used > _FORGET]:
            del self._sign_ins[key]
            for of in [of for of in self._tickets if of[1] == key]:
                del self._tickets[of]
