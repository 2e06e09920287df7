"""The friendly name of a certificate that we made: what a crash must not forget.

It tells the organisation that the certificate was made for, by the start of its GUID, so that one
made right before a crash is found and taken up, and which certificate had the transport role on
that server before, so that the role can be given back. Windows and Exchange allow it 63 characters
(page of New-ExchangeCertificate), and this is 63 characters long; hence the short words.
"""

from __future__ import annotations

_WORDS = "PushAuth"
_DIGITS = 8  # the first group of a GUID
_ROLE = " SMTP "


def friendly_name(organization_id: str, transport: str) -> str:
    """The name for one to be made: ``PushAuth 0f7c2a54 SMTP <thumbprint>``."""
    return f"{_begin(organization_id)}{transport}"


def is_ours(name: str, organization_id: str) -> bool:
    """Whether we made it for this very organisation, not for another one or a former one."""
    return name.startswith(_begin(organization_id))


def former_transport(name: str) -> str:
    """The thumbprint of the certificate that had the transport role before."""
    return name.partition(_ROLE)[2]


def _begin(organization_id: str) -> str:
    return f"{_WORDS} {organization_id[:_DIGITS].lower()}{_ROLE}"
