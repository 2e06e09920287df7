"""The friendly name of a certificate that we made: what a crash must not forget.

It tells the organisation that the certificate was made for, by the start of its GUID, so that one
made right before a crash is found and taken up; which certificate had the transport role on that
server before, so that the role can be given back; and, of one made to follow another, which one.
Windows and Exchange allow it 63 characters (page of New-ExchangeCertificate), and this is 63
characters long; hence the short words, and the transport certificate of a follower by the start of
its thumbprint.
"""

from __future__ import annotations

_WORDS = "PushAuth"
_DIGITS = 8  # the first group of a GUID, and as much of the thumbprint of the one before
_ROLE = " SMTP "
_LONGEST = 63


def friendly_name(organization_id: str, transport: str, after: str = "") -> str:
    """The name for one to be made.

    ``PushAuth 0f7c2a54 SMTP <thumbprint>``, or ``PushAuth 0f7c2a54 7595DBDE SMTP <31 digits>`` for
    one that follows ``after``.
    """
    follows = f" {after[:_DIGITS]}" if after else ""
    return f"{_begin(organization_id)}{follows}{_ROLE}{transport}"[:_LONGEST]


def is_ours(name: str, organization_id: str) -> bool:
    """Whether we made it for this very organisation, not for another one or a former one."""
    return name.startswith(f"{_begin(organization_id)} ") and _ROLE in name


def follows(name: str, organization_id: str, thumbprint: str) -> bool:
    """Whether we made it to follow that certificate."""
    return name.startswith(f"{_begin(organization_id)} {thumbprint[:_DIGITS]}{_ROLE}")


def former_transport(name: str) -> str:
    """How the thumbprint of the certificate that had the transport role before begins."""
    return name.partition(_ROLE)[2]


def _begin(organization_id: str) -> str:
    return f"{_WORDS} {organization_id[:_DIGITS].lower()}"
