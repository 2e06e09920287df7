"""Certificate: Exchange signs with a valid OAuth certificate whose key is on every server.

A valid one is never replaced (safety rule 1): OWA, ECP, hybrid, SharePoint and Skype rest on it.
A certificate is assigned or made only where AuthConfig names none and every server was seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from exchange_push_operator.core import organization
from exchange_push_operator.core.commands import cmdlet
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.looks import Looks, Observations
from exchange_push_operator.core.organization import OURS, AuthConfig, StoredCertificate
from exchange_push_operator.core.plan import Advisory, Finding, Plan, Step, fails, holds, unknown
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.stage import Stage
from exchange_push_operator.core.x509 import Certificate

SUBJECT = "cn=Microsoft Exchange Server Auth Certificate"
SMALLEST_KEY = 2048


@dataclass(frozen=True, slots=True)
class Observed:
    """AuthConfig and the stores.

    ``unlisted`` tells which servers that are not listed hold the current certificate with its key;
    ``unlisted_stores`` is what they have where AuthConfig names none. None: could not be seen.
    """

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
        organization=(organization.AUTH_CONFIG, organization.EXCHANGE_SERVERS),
        server=lambda name: (
            organization.LOCAL_SERVER,
            organization.component_states(name),
            organization.LOCAL_CERTIFICATES,
        ),
    )


def more(config: PushConfig, observed: Observations) -> Looks:
    """The current certificate, or all, on servers that are not listed, through one that is."""
    current = organization.auth_config(observed).current
    servers = organization.unlisted(observed, config.servers)
    return Looks(organization=tuple(organization.certificates_on(s.fqdn, current) for s in servers))


def observe(config: PushConfig, observed: Observations) -> Observed:
    """Read them. Raises: Refused, CmdletFailed."""
    auth = organization.auth_config(observed)
    unlisted = tuple(s.fqdn for s in organization.unlisted(observed, config.servers))
    current = auth.current
    return Observed(
        auth=auth,
        stores={n: organization.stored_certificates(observed, n) for n in observed.answered},
        transport={
            name: organization.local_server(observed, name).transport_thumbprint
            for name in observed.answered
        },
        unlisted={n: organization.holds_key(observed, n, current) for n in unlisted if current},
        unlisted_stores={
            n: organization.unlisted_store(observed, n) for n in unlisted if not current
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
        finding = fails(
            Reason.NOT_FOUND,
            f"AuthConfig names {thumbprint}, which no server has in its store; import it, or "
            "assign another one with Set-AuthConfig",
        )
        return finding, None
    certificate = found.certificate
    return (
        _unfit(certificate, now)
        or _key_missing(observed, thumbprint)
        or holds(Reason.VALID, f"{thumbprint} is current, valid and on every server seen"),
        certificate,
    )


def _unfit(certificate: Certificate, now: datetime) -> Finding | None:
    name = certificate.thumbprint
    if certificate.not_after <= now:
        return fails(
            Reason.EXPIRED,
            f"the current certificate {name} has expired; replace it with "
            "MonitorExchangeAuthCertificate.ps1 or Set-AuthConfig (policy Adopt replaces nothing)",
        )
    if certificate.not_before > now:
        return fails(Reason.NOT_YET_VALID, f"the current certificate {name} is not valid yet")
    if certificate.rsa_bits < SMALLEST_KEY:
        return fails(
            Reason.KEY_TOO_SMALL,
            f"the current certificate {name} has no RSA key of {SMALLEST_KEY} bits or more; "
            "replace it with Set-AuthConfig",
        )
    return None


def _key_missing(observed: Observed, thumbprint: str) -> Finding | None:
    missing = [
        name
        for name, store in observed.stores.items()
        if thumbprint not in store or not store[thumbprint].has_private_key
    ]
    missing += [name for name, held in observed.unlisted.items() if held is False]
    if not missing:
        return None
    return fails(
        Reason.PRIVATE_KEY_MISSING,
        f"{', '.join(sorted(missing))}: without the private key of {thumbprint}; Exchange "
        "distributes it by itself within a site, else use Export- and Import-ExchangeCertificate",
    )


def _assign(config: PushConfig, observed: Observed, now: datetime) -> Plan:
    hidden = (name for name, store in observed.unlisted_stores.items() if store is None)
    unseen = sorted((*observed.away, *hidden))
    if unseen:
        return Plan(
            unknown(
                Reason.UNREACHABLE,
                f"AuthConfig names no certificate; {', '.join(unseen)} must answer before one is "
                "assigned or made",
            )
        )
    fit = _fit(observed, now)
    if config.thumbprint is not None:
        return _assign_named(config.thumbprint, fit)
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
        return _set(next(iter(candidates)))
    return _create(observed)


def _fit(observed: Observed, now: datetime) -> Mapping[str, StoredCertificate]:
    """Auth certificates in the stores that could be assigned as they are."""
    stores = (*observed.stores.values(), *observed.unlisted_stores.values())
    every = {t: s for store in stores if store for t, s in store.items()}
    return {
        thumbprint: stored
        for thumbprint, stored in every.items()
        if stored.has_private_key and _unfit(stored.certificate, now) is None and _is_auth(stored)
    }


def _is_auth(stored: StoredCertificate) -> bool:
    # By Setup's subject, or by the friendly name that the article's script looks for.
    subject = stored.certificate.subject.lower()
    return subject == SUBJECT.lower() or "oauth" in stored.friendly_name.lower()


def _assign_named(thumbprint: str, fit: Mapping[str, StoredCertificate]) -> Plan:
    if thumbprint in fit:
        return _set(thumbprint)
    return Plan(
        fails(
            Reason.NOT_FOUND,
            f"spec.certificate.thumbprint: no server has a valid Auth certificate {thumbprint} "
            "with its private key",
        )
    )


def _set(thumbprint: str) -> Plan:
    step = Step(
        action="Assign the Auth certificate",
        target=thumbprint,
        event="CertificateAssigned",
        # -Force hides the confirmation that a program cannot answer (page of Set-AuthConfig).
        command=cmdlet(
            "Set-AuthConfig", CertificateThumbprint=thumbprint, Force=True, Confirm=False
        ),
    )
    return Plan(
        fails(Reason.NOT_FOUND, f"AuthConfig names no certificate; {thumbprint} would do"), (step,)
    )


def _create(observed: Observed) -> Plan:
    server = next((n for n in sorted(observed.stores) if n not in observed.maintenance), None)
    if server is None:
        message = "AuthConfig names no certificate and every server is in maintenance"
        return Plan(unknown(Reason.IN_MAINTENANCE, message))
    transport = observed.transport[server]
    if transport is None:
        return Plan(
            unknown(
                Reason.NOT_OBSERVED,
                f"the transport certificate of {server} cannot be seen, so no certificate is made; "
                "let the account read the server's object in Active Directory",
            )
        )
    step = Step(
        action="Make an Auth certificate",
        target=server,
        event="CertificateCreated",
        server=server,
        # Never -Force: to this cmdlet it means "yes, replace the SMTP certificate". Services None
        # keeps it from asking.
        command=cmdlet(
            "New-ExchangeCertificate",
            Server=server,
            KeySize=SMALLEST_KEY,
            PrivateKeyExportable=True,
            SubjectName=SUBJECT,
            FriendlyName=f"{OURS}{transport}",
            DomainName=(),
            Services="None",
            Confirm=False,
        ),
    )
    message = "AuthConfig names no certificate and no server has one that would do"
    return Plan(fails(Reason.NOT_FOUND, message), (step,))


def _transport_taken(observed: Observed) -> Plan | None:
    """Give the transport role back where making our certificate took it (safety rule 4)."""
    for server, store in observed.stores.items():
        taker = store.get(observed.transport[server] or "")
        if taker is None or not taker.ours:
            continue
        former = taker.friendly_name.removeprefix(OURS)
        step = Step(
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
        )
        finding = fails(
            Reason.TRANSPORT_CERTIFICATE_CHANGED,
            f"{server}: the new Auth certificate took the transport role of {former}",
        )
        return Plan(finding, (step,))
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
