"""The Auth certificate: what one must be, and the steps that make, assign and copy it."""

from __future__ import annotations

from datetime import datetime, timedelta

from exchange_push_operator.core.commands import Ahead, cmdlet
from exchange_push_operator.core.plan import Finding, Step, fails
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.core.x509 import Certificate

SUBJECT = "cn=Microsoft Exchange Server Auth Certificate"
SMALLEST_KEY = 2048


def unfit(certificate: Certificate, now: datetime, coming: str | None = None) -> Finding | None:
    """Why it cannot be the current one; None where it can. ``coming``: AuthConfig's next one."""
    name = certificate.thumbprint
    if certificate.not_after <= now:
        cure = (
            f"publish the next one, {coming}, with Set-AuthConfig -PublishCertificate"
            if coming
            else "run MonitorExchangeAuthCertificate.ps1 -ValidateAndRenewAuthCertificate $true"
        )
        return fails(
            Reason.EXPIRED,
            f"the current certificate {name} has expired; policy Adopt replaces nothing: {cure}",
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


def publish(thumbprint: str, server: str) -> Step:
    """Let the staged next certificate be the current one now."""
    return Step(
        action="Publish the next Auth certificate",
        target=thumbprint,
        event="CertificateAssigned",
        server=server,
        command=cmdlet("Set-AuthConfig", PublishCertificate=True, Force=True, Confirm=False),
    )


def stage(thumbprint: str, server: str, ahead: timedelta, *, again: bool = False) -> Step:
    """Name it as next, on a server that has it. ``again``: only its date is another one."""
    return Step(
        action="Move the date of the next Auth certificate" if again else "Stage the next one",
        target=thumbprint,
        event="CertificateDateMoved" if again else "CertificateStaged",
        server=server,
        command=cmdlet(
            "Set-AuthConfig",
            NewCertificateThumbprint=thumbprint,
            NewCertificateEffectiveDate=Ahead(ahead),
            Force=True,
            Confirm=False,
        ),
    )


def copy(thumbprint: str, holder: str, server: str) -> Step:
    """Import it, with its key, on a server that lacks it; run on one that has it."""
    return Step(
        action=f"Import Auth certificate {thumbprint}",
        target=server,
        event="CertificateImported",
        server=holder,
        command=cmdlet("Copy-ExchangeCertificate", Thumbprint=thumbprint, Server=server),
        alone=True,
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
