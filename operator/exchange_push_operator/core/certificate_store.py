"""What lies in the certificate stores of the servers, read from the answers of cmdlets."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from exchange_push_operator.core import friendly_name, organization
from exchange_push_operator.core.commands import Cmdlet, Row, cmdlet
from exchange_push_operator.core.looks import ORGANIZATION, Observations, once
from exchange_push_operator.core.x509 import Certificate, read_certificate

LOCAL_CERTIFICATES = cmdlet("Get-LocalCertificate")


def certificates_on(server: str, thumbprint: str | None) -> Cmdlet:
    """The look at one certificate, or all, of a server that is asked through another one."""
    if thumbprint is None:
        return cmdlet("Get-ExchangeCertificate", Server=server)
    return cmdlet("Get-ExchangeCertificate", Server=server, Thumbprint=thumbprint)


@dataclass(frozen=True, slots=True)
class StoredCertificate:
    """A certificate in a server's store. ``ours``: this operator made it for this organisation."""

    certificate: Certificate
    has_private_key: bool
    friendly_name: str
    ours: bool


Store: TypeAlias = Mapping[str, StoredCertificate]
"""A server's store by thumbprint."""


class Held(Enum):
    """Whether a server has a certificate. What could not be seen is not missing."""

    WITH_KEY = "with its private key"
    WITHOUT_KEY = "without its private key"
    MISSING = "missing"
    UNSEEN = "unseen"


@once
def stored_certificates(observed: Observations, name: str) -> Store:
    """A listed server's store by thumbprint. Raises: Refused, CmdletFailed."""
    return _store(observed, observed.server(name, LOCAL_CERTIFICATES))


def _store(observed: Observations, rows: Iterable[Row]) -> Store:
    organization_id = organization.organization_id(observed)
    found = (_stored(row, organization_id) for row in rows)
    return {stored.certificate.thumbprint: stored for stored in found if stored is not None}


def _stored(row: Mapping[str, Any], organization_id: str) -> StoredCertificate | None:
    certificate = read_certificate(base64.b64decode(str(row["RawData"]), validate=True))
    if certificate is None:
        return None
    name = str(row.get("FriendlyName") or "")
    ours = friendly_name.is_ours(name, organization_id)
    return StoredCertificate(certificate, bool(row["HasPrivateKey"]), name, ours)


def made_to_follow(observed: Observations, auth: organization.AuthConfig) -> tuple[str, ...]:
    """Ours, made to follow what AuthConfig names or one of these, and not named there yet.

    Known by their friendly names, which a crash does not forget; the one that lasts longest first.
    """
    organization_id = organization.organization_id(observed)
    stores = [stored_certificates(observed, name) for name in observed.answered]
    every = [stored for store in stores for stored in store.values()]
    named = [one for one in (auth.current, auth.next) if one]
    found: dict[str, Certificate] = {}
    waiting = [*named]
    while waiting:
        one = waiting.pop()
        for stored in every:
            thumbprint = stored.certificate.thumbprint
            new = thumbprint not in found and thumbprint not in named
            if new and friendly_name.number_after(stored.friendly_name, organization_id, one):
                found[thumbprint] = stored.certificate
                waiting.append(thumbprint)
    last = sorted(found.values(), key=lambda made: (made.not_after, made.thumbprint), reverse=True)
    return tuple(made.thumbprint for made in last)


def find_certificate(observed: Observations, thumbprint: str) -> StoredCertificate | None:
    """A certificate in the store of any answering server, one with its private key first."""
    stores = (stored_certificates(observed, name) for name in observed.answered)
    found = [store[thumbprint] for store in stores if thumbprint in store]
    return max(found, key=lambda stored: (stored.has_private_key, stored.ours), default=None)


def held_in(store: Store, thumbprint: str) -> Held:
    """Whether a listed server, whose store is known, has a certificate."""
    stored = store.get(thumbprint)
    return Held.MISSING if stored is None else _with_or_without(stored.has_private_key)


def held_on(observed: Observations, server: str, thumbprint: str) -> Held:
    """Whether an unlisted server, asked through a listed one, has a certificate.

    "Not found" is an InvalidOperationException; any other error is a server out of reach. That
    is the test of Microsoft's own MonitorExchangeAuthCertificate.
    """
    answer = observed.cmdlets[ORGANIZATION, certificates_on(server, thumbprint)]
    if answer.error is not None:
        missing = answer.error.kind == "InvalidOperationException"
        return Held.MISSING if missing else Held.UNSEEN
    # Cmdlets of Exchange may answer with everything where what is asked for is not there.
    rows = [row for row in answer.rows if str(row["Thumbprint"]).upper() == thumbprint]
    if not rows:
        return Held.MISSING
    return _with_or_without(any(row["HasPrivateKey"] for row in rows))


def _with_or_without(key: object) -> Held:
    return Held.WITH_KEY if key else Held.WITHOUT_KEY


def unlisted_store(observed: Observations, server: str) -> Store | None:
    """An unlisted server's store by thumbprint; None if it cannot be seen."""
    answer = observed.cmdlets[ORGANIZATION, certificates_on(server, None)]
    return None if answer.error else _store(observed, answer.rows)
