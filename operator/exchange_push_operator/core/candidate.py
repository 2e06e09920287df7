"""Which certificate is to become current where AuthConfig names none.

One decision for two stages: the certificate's assigns it, the principal's has its key first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from exchange_push_operator.core import organization
from exchange_push_operator.core.auth_certificate import SMALLEST_KEY, SUBJECT, unfit
from exchange_push_operator.core.certificate_store import (
    Held,
    Store,
    StoredCertificate,
    certificates_on,
    held_in,
    stored_certificates,
    unlisted_store,
)
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.looks import Looks, Observations
from exchange_push_operator.core.organization import AuthConfig
from exchange_push_operator.core.plan import Finding, fails, unknown
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.x509 import Certificate

LOOKS = (
    organization.ORGANIZATION_CONFIG,
    organization.AUTH_CONFIG,
    organization.EXCHANGE_SERVERS,
)
"""What has to be known of the organisation."""

_NONE_NAMED = "AuthConfig names no certificate"


@dataclass(frozen=True, slots=True)
class Stores:
    """Every server's store. ``unlisted``: None where it could not be seen."""

    listed: Mapping[str, Store]
    unlisted: Mapping[str, Store | None]
    away: tuple[str, ...]

    @property
    def unseen(self) -> tuple[str, ...]:
        """Servers that may have anything (safety rule 12)."""
        hidden = (name for name, store in self.unlisted.items() if store is None)
        return tuple(sorted((*self.away, *hidden)))

    def find(self, thumbprint: str) -> Certificate | None:
        """The certificate in the store of any listed server."""
        found = (store[thumbprint] for store in self.listed.values() if thumbprint in store)
        return next((stored.certificate for stored in found), None)

    def holders(self, thumbprint: str) -> tuple[str, ...]:
        """Listed servers that have a certificate with its private key."""
        return tuple(
            name
            for name, store in sorted(self.listed.items())
            if held_in(store, thumbprint) is Held.WITH_KEY
        )


def looks(config: PushConfig, observed: Observations) -> Looks:
    """Every store of the servers that are not listed, where AuthConfig names none."""
    if organization.auth_config(observed).current is not None:
        return Looks()
    servers = organization.unlisted(observed, config.servers)
    return Looks(organization=tuple(certificates_on(server.fqdn, None) for server in servers))


def read(config: PushConfig, observed: Observations) -> Stores:
    """Read the stores; the unlisted ones matter only where AuthConfig names none.

    Raises: Refused, CmdletFailed.
    """
    named = organization.auth_config(observed).current is not None
    unlisted = () if named else organization.unlisted(observed, config.servers)
    return Stores(
        listed={name: stored_certificates(observed, name) for name in observed.answered},
        unlisted={server.fqdn: unlisted_store(observed, server.fqdn) for server in unlisted},
        away=tuple(sorted(observed.away)),
    )


def choose(
    config: PushConfig, auth: AuthConfig, stores: Stores, now: datetime
) -> Certificate | Finding | None:
    """The certificate; or why none can be chosen; None where none would do and one is made."""
    if stores.unseen:
        message = (
            f"{_NONE_NAMED}; {', '.join(stores.unseen)} must answer before one is assigned or made"
        )
        return unknown(Reason.UNREACHABLE, message)
    fit = _fit((*stores.listed.values(), *stores.unlisted.values()), now)
    candidates = _candidates(config, auth, fit)
    if len(candidates) > 1:
        return fails(
            Reason.SEVERAL_CERTIFICATES,
            f"{_NONE_NAMED} and {', '.join(candidates)} would do; name one in "
            "spec.certificate.thumbprint",
        )
    if candidates:
        return _within_reach(stores, fit[candidates[0]].certificate)
    if config.thumbprint is None:
        return _coming(stores, now)
    return fails(
        Reason.NOT_FOUND,
        f"spec.certificate.thumbprint: no server has a valid Auth certificate {config.thumbprint} "
        "with its private key",
    )


def _candidates(
    config: PushConfig, auth: AuthConfig, fit: Mapping[str, StoredCertificate]
) -> list[str]:
    """What the user names, what is staged already, what we made before a crash, what is there."""
    if config.thumbprint is not None:
        return [config.thumbprint] if config.thumbprint in fit else []
    if auth.next is not None and auth.next in fit:
        return [auth.next]
    ours = [thumbprint for thumbprint, stored in fit.items() if stored.ours]
    return sorted(ours or fit)


def _coming(stores: Stores, now: datetime) -> Finding | None:
    """One whose life has not begun by our clock, which may be the one that is off: wait for it."""
    begun = {
        thumbprint: stored.certificate.not_before
        for thumbprint, stored in _auth_certificates(stores)
        if stored.certificate.rsa_bits >= SMALLEST_KEY
    }
    coming = sorted(thumbprint for thumbprint, begins in begun.items() if begins > now)
    if not coming:
        return None
    return fails(
        Reason.NOT_YET_VALID,
        f"{_NONE_NAMED}; {', '.join(coming)} would do but is not valid yet by the operator's "
        "clock, so none is made: check the clocks, or wait",
    )


def _auth_certificates(stores: Stores) -> Iterator[tuple[str, StoredCertificate]]:
    """Every Auth certificate with its private key, valid or not."""
    for store in (*stores.listed.values(), *stores.unlisted.values()):
        for thumbprint, stored in (store or {}).items():
            if stored.has_private_key and _is_auth(stored):
                yield thumbprint, stored


def _within_reach(stores: Stores, certificate: Certificate) -> Certificate | Finding:
    """Set-AuthConfig takes it from the store of its own server, so a listed one must have it."""
    if stores.holders(certificate.thumbprint):
        return certificate
    return fails(
        Reason.NOT_FOUND,
        f"{_NONE_NAMED}; {certificate.thumbprint} would do, but no server in "
        "spec.exchange.servers has it with its private key: list one that has",
    )


def _fit(stores: Iterable[Store | None], now: datetime) -> Mapping[str, StoredCertificate]:
    """Auth certificates that could become the current one as they are, with their keys.

    The friendly name belongs to a store: a certificate is ours if it is in any of them.
    """
    every = (stored for store in stores for stored in (store or {}).values())
    return {
        stored.certificate.thumbprint: stored
        for stored in sorted(every, key=lambda stored: stored.ours)
        if stored.has_private_key and unfit(stored.certificate, now) is None and _is_auth(stored)
    }


def _is_auth(stored: StoredCertificate) -> bool:
    # By Setup's subject, or by the friendly name that the article's script looks for.
    subject = stored.certificate.subject.lower()
    return subject == SUBJECT.lower() or "oauth" in stored.friendly_name.lower()
