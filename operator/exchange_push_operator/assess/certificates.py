"""The Auth certificates: who holds which, how long they last, what happens when. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from exchange_push_operator.assess.evidence import Evidence
from exchange_push_operator.assess.finding import Finding, Level, Row, Section
from exchange_push_operator.core import certificate_store, organization
from exchange_push_operator.core.certificate_store import Held, held_in
from exchange_push_operator.core.errors import PushError
from exchange_push_operator.core.reading import reading
from exchange_push_operator.core.x509 import Certificate

# Microsoft's HealthChecker: green from 60 days on.
_SOON = timedelta(days=60)
_STAGE = (
    "; stage the next one (MonitorExchangeAuthCertificate.ps1, or spec.certificate.policy Manage)"
)
_IN_TIME = "; the next one is to be staged 60 days before"
_HELD: Mapping[Held, str] = {
    Held.WITH_KEY: "with its private key",
    Held.WITHOUT_KEY: "WITHOUT its private key",
    Held.MISSING: "missing",
    Held.UNSEEN: "not seen",
}


def named(evidence: Evidence) -> dict[str, str]:
    """The thumbprints of AuthConfig by their role. Raises: Refused, CmdletFailed."""
    auth = organization.auth_config(evidence.observed)
    roles = {"current": auth.current, "next": auth.next, "previous": auth.previous}
    return {role: thumbprint for role, thumbprint in roles.items() if thumbprint}


def section(evidence: Evidence) -> Section:
    """A row for each certificate that AuthConfig names."""
    return Section("Auth certificates", tuple(_rows(evidence)))


def _rows(evidence: Evidence) -> Iterator[Row]:
    try:
        with reading("Get-AuthConfig"):
            roles = named(evidence)
            effective = organization.auth_config(evidence.observed).next_effective
            found = {role: _find(evidence, thumbprint) for role, thumbprint in roles.items()}
    except PushError as error:
        yield Row("AuthConfig", str(error), Level.ATTENTION)
        return
    if "current" not in roles:
        yield Row("current", "AuthConfig names none", Level.BROKEN)
    for role, thumbprint in roles.items():
        certificate = found[role]
        text = f"{thumbprint}, {_life(certificate, evidence.now)}"
        if role == "next" and effective is not None:
            text += f"; becomes current on {effective:%Y-%m-%d}"
        yield Row(role, text, _level(role, certificate, evidence.now))


def _find(evidence: Evidence, thumbprint: str) -> Certificate | None:
    stored = certificate_store.find_certificate(evidence.observed, thumbprint)
    return stored.certificate if stored else None


def _life(certificate: Certificate | None, now: datetime) -> str:
    if certificate is None:
        return "in the store of no server that answers"
    left = (certificate.not_after - now).days
    bits = f"RSA {certificate.rsa_bits}" if certificate.rsa_bits else "not RSA"
    return f"{bits}, valid until {certificate.not_after:%Y-%m-%d}, {left} days left"


def _level(role: str, certificate: Certificate | None, now: datetime) -> Level | None:
    if role == "previous":
        return None
    if certificate is None or not certificate.valid_at(now):
        return Level.BROKEN if role == "current" else Level.ATTENTION
    soon = role == "current" and certificate.not_after - now < _SOON
    return Level.ATTENTION if soon else None


def held_by(evidence: Evidence, server: str) -> str:
    """What a server holds of what AuthConfig names. Raises: Refused, CmdletFailed."""
    store = certificate_store.stored_certificates(evidence.observed, server)
    held = {role: held_in(store, thumbprint) for role, thumbprint in named(evidence).items()}
    return ", ".join(f"{role} {_HELD[found]}" for role, found in held.items())


def findings(evidence: Evidence) -> Iterator[Finding]:
    """When the current one ends, and when the next one takes over."""
    try:
        with reading("Get-AuthConfig"):
            auth = organization.auth_config(evidence.observed)
            current = _find(evidence, auth.current) if auth.current else None
    except PushError:
        return  # CertificateReady tells it
    if auth.next and auth.next_effective and auth.next_effective > evidence.now:
        yield Finding(
            Level.NOTICE, "Auth certificate", f"{auth.next} becomes current", auth.next_effective
        )
    if current is None or not current.valid_at(evidence.now):
        return
    soon = current.not_after - evidence.now < _SOON and not auth.next
    staged = "; the next one is staged" if auth.next else _IN_TIME
    yield Finding(
        Level.ATTENTION if soon else Level.NOTICE,
        "Auth certificate",
        f"{current.thumbprint} expires{_STAGE if soon else staged}",
        current.not_after,
    )
