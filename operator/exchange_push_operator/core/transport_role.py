"""The transport (SMTP) role goes back to whom it was taken from (safety rule 4)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from exchange_push_operator.core.certificate_store import Held, Store, held_in
from exchange_push_operator.core.commands import cmdlet
from exchange_push_operator.core.friendly_name import former_transport
from exchange_push_operator.core.plan import Plan, Step, fails
from exchange_push_operator.core.reasons import Reason


def taken(
    stores: Mapping[str, Store],
    transport: Mapping[str, str | None],
    resting: frozenset[str],
    now: datetime,
) -> Plan | None:
    """Give the role back where making our certificate took it; None where nobody's was taken.

    A server in maintenance is not written to: it gets its role back when it is in service again.
    """
    for server, store in sorted(stores.items()):
        taker = store.get(transport[server] or "")
        if taker is None or not taker.ours or server in resting:
            continue
        begin = former_transport(taker.friendly_name)
        if str(transport[server]).startswith(begin):  # somebody has given it a name of ours
            continue
        former = next((name for name in store if name.startswith(begin)), begin)
        message = f"{server}: the new Auth certificate took the transport role of {former}"
        there = held_in(store, former) is Held.WITH_KEY
        if not there or not store[former].certificate.valid_at(now):
            cure = "which is gone or not valid; run Enable-ExchangeCertificate -Services SMTP with "
            cure += "another one"
            return Plan(fails(Reason.TRANSPORT_CERTIFICATE_CHANGED, f"{message}, {cure}"))
        step = give_back(server, former)
        return Plan(fails(Reason.TRANSPORT_CERTIFICATE_CHANGED, message), (step,))
    return None


def give_back(server: str, former: str) -> Step:
    """Let the certificate that had the role have it again."""
    return Step(
        action="Give the transport role back",
        target=server,
        event="TransportCertificateRestored",
        server=server,
        command=cmdlet(
            "Enable-ExchangeCertificate",
            Server=server,
            Thumbprint=former,
            Services="SMTP",
            Force=True,
            Confirm=False,
        ),
        safety=True,
        completes=True,
    )
