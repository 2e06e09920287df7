"""Certificate: Exchange signs with a valid OAuth certificate whose key is on every server.

A valid one is never replaced (safety rule 1): OWA, ECP, hybrid, SharePoint and Skype rest on it.
A certificate is assigned or made only where AuthConfig names none and every server was seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from exchange_push_operator.core import (
    auth_certificate,
    certificate_store,
    friendly_name,
    organization,
)
from exchange_push_operator.core.certificate_store import StoredCertificate
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.looks import Looks, Observations
from exchange_push_operator.core.organization import AuthConfig
from exchange_push_operator.core.plan import Advisory, Finding, Plan, fails, holds, unknown
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.stage import Stage
from exchange_push_operator.core.x509 import Certificate


@dataclass(frozen=True, slots=True)
class Observed:
    """AuthConfig and the stores.

    ``unlisted`` tells which servers that are not listed hold the current certificate with its key;
    ``unlisted_stores`` is what they have where AuthConfig names none. None: could not be seen.
    """

    organization_id: str
    auth: AuthConfig
    stores: Mapping[str, Mapping[str, StoredCertificate]]
    transport: Mapping[str, str | None]
    unlisted: Mapping[str, bool | None]
    unlisted_stores: Mapping[str, Mapping[str, StoredCertificate] | None]
    away: tuple[str, ...]
    maintenance: frozenset[str]


def looks(_config: PushConfig) -> Looks:
    """AuthConfig, the servers, and each listed server's store."""
    return Looks(
        organization=(
            organization.ORGANIZATION_CONFIG,
            organization.AUTH_CONFIG,
            organization.EXCHANGE_SERVERS,
        ),
        server=lambda name: (
            organization.LOCAL_SERVER,
            organization.component_states(name),
            certificate_store.LOCAL_CERTIFICATES,
        ),
    )


def more(config: PushConfig, observed: Observations) -> Looks:
    """The current certificate, or all, on servers that are not listed, through one that is."""
    current = organization.auth_config(observed).current
    servers = organization.unlisted(observed, config.servers)
    return Looks(
        organization=tuple(certificate_store.certificates_on(s.fqdn, current) for s in servers)
    )


def observe(config: PushConfig, observed: Observations) -> Observed:
    """Read them. Raises: Refused, CmdletFailed."""
    auth = organization.auth_config(observed)
    unlisted = tuple(s.fqdn for s in organization.unlisted(observed, config.servers))
    current = auth.current
    return Observed(
        organization_id=organization.organization_id(observed),
        auth=auth,
        stores={n: certificate_store.stored_certificates(observed, n) for n in observed.answered},
        transport={
            name: organization.local_server(observed, name).transport_thumbprint
            for name in observed.answered
        },
        unlisted={
            n: certificate_store.holds_key(observed, n, current) for n in unlisted if current
        },
        unlisted_stores={
            n: certificate_store.unlisted_store(observed, n) for n in unlisted if not current
        },
        away=tuple(sorted(observed.away)),
        maintenance=organization.in_maintenance(observed),
    )


def plan(config: PushConfig, observed: Observed, now: datetime) -> Plan:
    """Adopt what AuthConfig names; where it names none, assign or make one."""
    taken = _transport_taken(observed)
    if taken is not None:
        return taken
    if observed.auth.current is None:
        return _assign(config, observed, now)
    finding, found = _current(observed, observed.auth.current, now)
    return Plan(finding, advisories=_advisories(found) if found else ())


def _current(
    observed: Observed, thumbprint: str, now: datetime
) -> tuple[Finding, Certificate | None]:
    found = next((s[thumbprint] for s in observed.stores.values() if thumbprint in s), None)
    if found is None:
        return _nowhere(observed, thumbprint), None
    certificate = found.certificate
    return (
        auth_certificate.unfit(certificate, now)
        or _key_missing(observed, thumbprint)
        or holds(Reason.VALID, f"{thumbprint} is current, valid and on every server seen"),
        certificate,
    )


def _nowhere(observed: Observed, thumbprint: str) -> Finding:
    """No listed server that answered has it: a fact about all only where all were seen."""
    elsewhere = observed.away or any(held is not False for held in observed.unlisted.values())
    missing = _key_missing(observed, thumbprint) if elsewhere else None
    return missing or fails(
        Reason.NOT_FOUND,
        f"AuthConfig names {thumbprint}, which no server has in its store; import it, or "
        "assign another one with Set-AuthConfig",
    )


def _key_missing(observed: Observed, thumbprint: str) -> Finding | None:
    missing = [
        name
        for name, store in observed.stores.items()
        if thumbprint not in store or not store[thumbprint].has_private_key
    ]
    missing += [name for name, held in observed.unlisted.items() if held is False]
    if not missing:
        return None
    message = (
        f"{', '.join(sorted(missing))}: without the private key of {thumbprint}; Exchange "
        "distributes it by itself within a site, else use Export- and Import-ExchangeCertificate"
    )
    return fails(Reason.PRIVATE_KEY_MISSING, message)


def _assign(config: PushConfig, observed: Observed, now: datetime) -> Plan:
    hidden = (name for name, store in observed.unlisted_stores.items() if store is None)
    unseen = sorted((*observed.away, *hidden))
    if unseen:
        message = (
            f"AuthConfig names no certificate; {', '.join(unseen)} must answer before one is "
            "assigned or made"
        )
        return Plan(unknown(Reason.UNREACHABLE, message))
    stores = (*observed.stores.values(), *observed.unlisted_stores.values())
    fit = auth_certificate.assignable(stores, now)
    if config.thumbprint is not None:
        return _assign_named(observed, config.thumbprint, fit)
    ours = {t: s for t, s in fit.items() if s.ours}
    candidates = ours or fit
    if len(candidates) > 1:
        return Plan(
            fails(
                Reason.SEVERAL_CERTIFICATES,
                f"AuthConfig names no certificate and {', '.join(sorted(candidates))} would do; "
                "name one in spec.certificate.thumbprint",
            )
        )
    if candidates:
        return _set(observed, next(iter(candidates)))
    return _create(observed)


def _assign_named(
    observed: Observed, thumbprint: str, fit: Mapping[str, StoredCertificate]
) -> Plan:
    if thumbprint in fit:
        return _set(observed, thumbprint)
    return Plan(
        fails(
            Reason.NOT_FOUND,
            f"spec.certificate.thumbprint: no server has a valid Auth certificate {thumbprint} "
            "with its private key",
        )
    )


def _set(observed: Observed, thumbprint: str) -> Plan:
    """Assign it where it lies: Set-AuthConfig takes it from the store of its own server."""
    holders = [
        name
        for name, store in sorted(observed.stores.items())
        if thumbprint in store and store[thumbprint].has_private_key
    ]
    if not holders:
        return Plan(
            fails(
                Reason.NOT_FOUND,
                f"AuthConfig names no certificate; {thumbprint} would do, but no server in "
                "spec.exchange.servers has it with its private key: list one that has",
            )
        )
    awake = [name for name in holders if name not in observed.maintenance]
    if not awake:
        return _resting(f"every listed server that has {thumbprint}")
    finding = fails(Reason.NOT_FOUND, f"AuthConfig names no certificate; {thumbprint} would do")
    return Plan(finding, (auth_certificate.assign(thumbprint, awake[0]),))


def _create(observed: Observed) -> Plan:
    server = next((n for n in sorted(observed.stores) if n not in observed.maintenance), None)
    if server is None:
        return _resting("every server")
    transport = observed.transport[server]
    if transport is None:
        return Plan(
            unknown(
                Reason.NOT_OBSERVED,
                f"the transport certificate of {server} cannot be seen, so no certificate is made; "
                "let the account read the server's object in Active Directory",
            )
        )
    message = "AuthConfig names no certificate and no server has one that would do"
    name = friendly_name.friendly_name(observed.organization_id, transport)
    step = auth_certificate.create(server, name)
    return Plan(fails(Reason.NOT_FOUND, message), (step,))


def _resting(who: str) -> Plan:
    message = f"AuthConfig names no certificate and {who} is in maintenance"
    return Plan(unknown(Reason.IN_MAINTENANCE, message))


def _transport_taken(observed: Observed) -> Plan | None:
    """Give the transport role back where making our certificate took it (safety rule 4).

    A server in maintenance is not written to: it gets its role back when it is in service again.
    """
    for server, store in sorted(observed.stores.items()):
        taker = store.get(observed.transport[server] or "")
        if taker is None or not taker.ours or server in observed.maintenance:
            continue
        former = friendly_name.former_transport(taker.friendly_name)
        message = f"{server}: the new Auth certificate took the transport role of {former}"
        if former not in store or not store[former].has_private_key:
            cure = "which is gone; run Enable-ExchangeCertificate -Services SMTP with another one"
            return Plan(fails(Reason.TRANSPORT_CERTIFICATE_CHANGED, f"{message}, {cure}"))
        step = auth_certificate.give_transport_back(server, former)
        return Plan(fails(Reason.TRANSPORT_CERTIFICATE_CHANGED, message), (step,))
    return None


def _advisories(certificate: Certificate) -> tuple[Advisory, ...]:
    if not certificate.sha1_signature:
        return ()
    return (
        Advisory(
            "Sha1Certificate",
            f"{certificate.thumbprint} is signed with SHA-1; plan for a new Auth certificate",
        ),
    )


STAGE = Stage("CertificateReady", looks, observe, plan, more)
