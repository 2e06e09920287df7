"""The principal's keys, each beside the certificate it belongs to. Pure.

This is the list that CVE-2025-53786 asks administrators to clean up.
"""

from __future__ import annotations

from collections.abc import Iterator

from exchange_push_operator.assess import certificates
from exchange_push_operator.assess.evidence import Evidence
from exchange_push_operator.assess.finding import Finding, Level, Row, Section
from exchange_push_operator.core import principal
from exchange_push_operator.core.certificate_store import stored_certificates
from exchange_push_operator.core.config import Target
from exchange_push_operator.core.errors import PushError
from exchange_push_operator.core.key_credentials import KeyCredential
from exchange_push_operator.core.reading import reading
from exchange_push_operator.core.x509 import Certificate
from exchange_push_operator.workstation.wording import for_a_workstation

_UNKNOWN = "unknown certificate"
_NAMES = {
    Target.FIRST_PARTY: "shared first-party principal",
    Target.DEDICATED: "dedicated application",
}
_NOT_NAMED = "certificate in a server's store that AuthConfig does not name"


def section(evidence: Evidence) -> Section:
    """A row for each key of the target, and of the shared principal beside it."""
    return Section("Keys in Entra ID", tuple(_rows(evidence)))


def _rows(evidence: Evidence) -> Iterator[Row]:
    if not evidence.config.needs_entra:
        yield Row("not seen", "nobody signed in to Entra ID", Level.UNSEEN)
        return
    for name, entries in _lists(evidence).items():
        if isinstance(entries, PushError):
            yield Row(name, for_a_workstation(str(entries)), Level.ATTENTION)
        elif not entries:
            yield Row(name, "no keys")
        else:
            known = sorted(entries, key=lambda entry: _rank(belongs(evidence, entry)))
            yield from (_row(evidence, name, entry) for entry in known)


def _rank(whose: str) -> int:
    """What AuthConfig names first, in its order."""
    order = ("current certificate", "next certificate", "previous certificate")
    return order.index(whose) if whose in order else len(order)


def _lists(evidence: Evidence) -> dict[str, tuple[KeyCredential, ...] | PushError]:
    config, observed = evidence.config, evidence.observed
    found: dict[str, tuple[KeyCredential, ...] | PushError] = {}
    try:
        with reading("Microsoft Graph"):
            found[_NAMES[config.target]] = principal.read(config, observed).entries
            if config.target is Target.DEDICATED:
                found[_NAMES[Target.FIRST_PARTY]] = principal.read_shared(config, observed) or ()
    except PushError as error:
        found["principal"] = error
    return found


def _row(evidence: Evidence, name: str, entry: KeyCredential) -> Row:
    whose = belongs(evidence, entry)
    ends = f"ends {entry.ends:%Y-%m-%d}" if entry.ends else "no end stored"
    late = " (expired)" if entry.expired(evidence.now) else ""
    odd = whose in (_UNKNOWN, _NOT_NAMED)
    text = f"{entry.digest or entry.key_id}: {whose}, {ends}{late}"
    return Row(name, text, Level.ATTENTION if odd or late else None)


def belongs(evidence: Evidence, entry: KeyCredential) -> str:
    """Whose a key is: of the current, next or previous certificate, or nobody's that is known."""
    try:
        with reading("Get-AuthConfig"):
            roles, stores = certificates.named(evidence), _stores(evidence)
    except PushError:
        return "not compared"
    for role, thumbprint in roles.items():
        held = stores.get(thumbprint)
        if entry.thumbprint == thumbprint or (held is not None and entry.is_of(held)):
            return f"{role} certificate"
    return _NOT_NAMED if any(entry.is_of(held) for held in stores.values()) else _UNKNOWN


def _stores(evidence: Evidence) -> dict[str, Certificate]:
    observed = evidence.observed
    stores = (stored_certificates(observed, name).values() for name in observed.answered)
    return {one.certificate.thumbprint: one.certificate for store in stores for one in store}


def findings(evidence: Evidence) -> Iterator[Finding]:
    """When the key of the current certificate ends, by the date that Entra ID stored."""
    for entries in _lists(evidence).values() if evidence.config.needs_entra else ():
        if isinstance(entries, PushError):
            continue  # PrincipalCredentialReady tells it
        for entry in entries:
            current = belongs(evidence, entry) == "current certificate"
            if current and entry.ends and not entry.expired(evidence.now):
                key = f"the key of the current certificate, {entry.digest}, ends there"
                text = f"{key}; add one with a later end before, if the certificate lives longer"
                yield Finding(Level.NOTICE, "Entra ID", text, entry.ends)
