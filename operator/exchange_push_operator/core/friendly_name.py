"""The friendly name of a certificate that we made: what a crash must not forget.

It tells the organisation that the certificate was made for, by the start of its GUID, so that one
made right before a crash is found and taken up; which certificate had the transport role on that
server before, so that the role can be given back; and, of one made to follow another, which one and
the how-manieth for it: one that was given up before it was current keeps its name.
Windows and Exchange allow it 63 characters (page of New-ExchangeCertificate), and this is 63
characters long; hence the short words, and the transport certificate of a follower by the start of
its thumbprint.
"""

from __future__ import annotations

_WORDS = "PushAuth"
_DIGITS = 8  # the first group of a GUID, and as much of the thumbprint of the one before
_ROLE = " SMTP "
_LONGEST = 63


def friendly_name(organization_id: str, transport: str, after: str = "", number: int = 1) -> str:
    """The name for one to be made.

    ``PushAuth 0f7c2a54 SMTP <thumbprint>``, or ``PushAuth 0f7c2a54 7595DBDE SMTP <31 digits>`` for
    one that follows ``after``; the second has ``7595DBDE.2`` there, and fewer digits.
    """
    counted = f".{number}" if number > 1 else ""
    follows = f" {after[:_DIGITS]}{counted}" if after else ""
    return f"{_begin(organization_id)}{follows}{_ROLE}{transport}"[:_LONGEST]


def is_ours(name: str, organization_id: str) -> bool:
    """Whether we made it for this very organisation, not for another one or a former one."""
    return name.startswith(f"{_begin(organization_id)} ") and _ROLE in name


def number_after(name: str, organization_id: str, thumbprint: str) -> int:
    """The how-manieth it is that we made to follow that certificate; 0 for one that we did not."""
    first = f"{_begin(organization_id)} {thumbprint[:_DIGITS]}"
    begin, role, _ = name.partition(_ROLE)
    if not role or not begin.startswith(first):
        return 0
    counted = begin.removeprefix(first)
    if not counted:
        return 1
    return int(counted[1:]) if counted[0] == "." and counted[1:].isdecimal() else 0


def former_transport(name: str) -> str:
    """How the thumbprint of the certificate that had the transport role before begins."""
    return name.partition(_ROLE)[2]


def _begin(organization_id: str) -> str:
    return f"{_WORDS} {organization_id[:_DIGITS].lower()}"
