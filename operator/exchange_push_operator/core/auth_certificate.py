"""The Auth certificate: what one must be, and the steps that make and assign it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from exchange_push_operator.core.certificate_store import StoredCertificate
from exchange_push_operator.core.commands import cmdlet
from exchange_push_operator.core.plan import Finding, Step, fails
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.x509 import Certificate

SUBJECT = "cn=Microsoft Exchange Server Auth Certificate"
SMALLEST_KEY = 2048


def unfit(certificate: Certificate, now: datetime) -> Finding | None:
    """Why the certificate cannot be the current one; None where it can."""
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


def assignable(
    stores: Iterable[Mapping[str, StoredCertificate] | None], now: datetime
) -> Mapping[str, StoredCertificate]:
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


def assign(thumbprint: str, server: str) -> Step:
    """Name it in AuthConfig, on a server that has it with its key."""
    return Step(
        action="Assign the Auth certificate",
        target=thumbprint,
        event="CertificateAssigned",
        server=server,
        # -Force hides the confirmation that a program cannot answer (page of Set-AuthConfig).
        command=cmdlet(
            "Set-AuthConfig", CertificateThumbprint=thumbprint, Force=True, Confirm=False
        ),
    )


def create(server: str, friendly_name: str) -> Step:
    """Make one; its friendly name remembers what a crash must not forget."""
    return Step(
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
            FriendlyName=friendly_name,
            DomainName=(),
            Services="None",
            Confirm=False,
        ),
    )


def give_transport_back(server: str, former: str) -> Step:
    """Let the certificate that had the transport role have it again (safety rule 4)."""
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
    )
