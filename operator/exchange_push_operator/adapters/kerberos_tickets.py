"""The tickets of one account: from its password or keytab, in memory, and new before they end.

libkrb5 is asked directly, because what reads the environment (KRB5CCNAME, KRB5_CLIENT_KTNAME)
serves one account in a process. Here each ticket has a cache of its own, without a file, and
nothing stands in arguments or the environment. libkrb5 itself reads krb5.conf, from the file that
KRB5_CONFIG names.
"""

from __future__ import annotations

import base64
import binascii
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gssapi
import krb5
from gssapi.raw import acquire_cred_from

from exchange_push_operator.adapters.kerberos_words import Who, explain_code, unusable_keytab
from exchange_push_operator.adapters.winrm_sign_in import pause
from exchange_push_operator.adapters.winrm_trouble import NoTicket
from exchange_push_operator.core.errors import Refused
from exchange_push_operator.core.ports import Sensitive

KERBEROS = gssapi.OID.from_int_seq("1.2.840.113554.1.2.2")
_AT_LEAST = 600  # seconds a ticket has left when it is used; half its life where that is shorter
_KEYTABS = (b"\x05\x01", b"\x05\x02")  # how the file begins, by version


class Ticket:
    """A ticket-granting ticket in a cache of its own, which goes with this object."""

    def __init__(self, context: krb5.Context, ticket: krb5.Creds) -> None:
        """Put it into a new cache in memory."""
        cache = krb5.cc_new_unique(context, b"MEMORY")
        krb5.cc_initialize(context, cache, ticket.client)
        krb5.cc_store_cred(context, cache, ticket)
        weakref.finalize(self, krb5.cc_destroy, context, cache)
        self._name = b"MEMORY:" + cache.name
        self.ends = float(ticket.times.endtime)
        self.renew_at = max(self.ends - _AT_LEAST, (ticket.times.starttime + self.ends) / 2)

    def credential(self) -> gssapi.Credentials:
        """For a new sign-in; keep the ticket until that is done."""
        store = {b"ccache": self._name}
        raw = acquire_cred_from(store, mechs=[KERBEROS], usage="initiate").creds
        return gssapi.Credentials(base=raw)


class Tickets:
    """One version of one account's credential at its KDC. Threads may share it.

    A KDC counts wrong passwords as a server does: what it refused it hears again after five
    minutes at the earliest.
    """

    def __init__(
        self,
        principal: str,
        *,
        password: Sensitive | None = None,
        keytab: Sensitive | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take what proves the account; nothing is sent yet. ``clock`` is the time of day."""
        self.principal = principal
        self.delegates = password is None  # there is nothing else to go on with
        self._password = password
        self._keytab = keytab
        self._clock = clock
        self._lock = threading.Lock()
        self._ticket: Ticket | None = None
        self._refused: Refused | None = None
        self._wait_until = 0.0
        self._times = 0

    def who(self, server: str) -> Who:
        """The account on its way to a server, for messages."""
        return Who(self.principal, server, "keytab" if self.delegates else "password")

    def get(self, server: str) -> Ticket:
        """A ticket with some time left. Raises: NoTicket."""
        with self._lock:
            now = self._clock()
            if self._refused is not None and now < self._wait_until:
                # A new one: an exception that is raised twice would collect both tracebacks.
                raise NoTicket(Refused(self._refused.reason, str(self._refused)))
            if self._ticket is None or now >= self._ticket.renew_at:
                self._ticket = self._obtain(server, now)
                self._times = 0
            return self._ticket

    def _obtain(self, server: str, now: float) -> Ticket:
        try:
            return self._ask()
        except krb5.Krb5Error as error:
            meaning = explain_code(error.err_code, self.who(server))
        except binascii.Error:
            meaning = unusable_keytab(self.who(server))
        if isinstance(meaning, Refused):
            self._times += 1
            self._refused, self._wait_until = meaning, now + pause(self._times)
        raise NoTicket(meaning)

    def _ask(self) -> Ticket:
        context = krb5.init_context()
        principal = krb5.parse_name_flags(context, self.principal.encode())
        options = krb5.get_init_creds_opt_alloc(context)
        krb5.get_init_creds_opt_set_forwardable(options, self.delegates)
        if self._password is not None:
            word = self._password.reveal().encode()
            found = krb5.get_init_creds_password(context, principal, options, password=word)
            return Ticket(context, found)
        with self._keytab_file() as name:
            keytab = krb5.kt_resolve(context, name)
            found = krb5.get_init_creds_keytab(context, principal, options, keytab=keytab)
            return Ticket(context, found)

    @contextmanager
    def _keytab_file(self) -> Iterator[bytes]:
        """The keytab as a file without a name, in memory: libkrb5 takes none but files."""
        text = self._keytab.reveal() if self._keytab is not None else ""
        content = base64.b64decode(text, validate=True)
        if not content.startswith(_KEYTABS):
            raise binascii.Error  # libkrb5 would call it a failed sign-in
        descriptor = os.memfd_create("keytab")
        try:
            with os.fdopen(descriptor, "wb", closefd=False) as file:
                file.write(content)
            yield f"FILE:/proc/self/fd/{descriptor}".encode()
        finally:
            os.close(descriptor)
