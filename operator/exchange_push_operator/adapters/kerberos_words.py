"""What Kerberos' errors mean for people, by the library's numbers, never by its texts.

RFC 4120 7.5.9 for what a KDC or a server answers; the others are libkrb5's own (krb5_err.et).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from exchange_push_operator.adapters.foreign_text import account_name
from exchange_push_operator.core.errors import PushError, Refused, Unreachable
from exchange_push_operator.core.reasons import Reason

_BASE = -1765328384  # of libkrb5's table; RFC 4120's numbers are the first 128 of it
_OF_THE_PROTOCOL = 128


class Code(IntEnum):
    """Places in the table."""

    NAME_EXPIRED = 1
    CLIENT_UNKNOWN = 6
    SERVER_UNKNOWN = 7
    POLICY = 12
    ETYPE_NOT_SUPPORTED = 14
    CLIENT_REVOKED = 18
    KEY_EXPIRED = 23
    PREAUTH_FAILED = 24
    BAD_INTEGRITY = 31
    SKEW = 37
    MODIFIED = 41
    KDC_REPLY_SKEW = 147
    PROGRAM_ETYPE_NOT_SUPPORTED = 151
    REALM_UNKNOWN = 154
    KDC_UNREACHABLE = 156
    KEYTAB_NOT_FOUND = 181
    KEYTAB_BAD_VERSION = 190
    OWN_PREAUTH_FAILED = 210
    REALM_NOT_RESOLVED = 220


@dataclass(frozen=True, slots=True)
class Who:
    """Whose sign-in it is, by principal and by the server it goes to; ``proof`` is what it has."""

    principal: str
    server: str
    proof: str  # "password" or "keytab"

    @property
    def account(self) -> str:
        """The account for messages."""
        return account_name(self.principal)

    @property
    def realm(self) -> str:
        """The domain for messages."""
        known = self.account == self.principal
        return self.principal.rpartition("@")[2] if known else "its domain"


def explain_code(number: int, who: Who) -> PushError:
    """The error for people. ``number`` is libkrb5's, or GSSAPI's minor status."""
    place = (number - 2**32 if number >= 2**31 else number) - _BASE
    match place:
        case Code.REALM_UNKNOWN | Code.KDC_UNREACHABLE | Code.REALM_NOT_RESOLVED:
            return Unreachable(
                f"no domain controller of {who.realm} answers Kerberos; check that the cluster "
                f"resolves _kerberos._tcp.{who.realm} and reaches port 88, or name one in krb5.conf"
            )
        case Code.KEYTAB_NOT_FOUND | Code.KEYTAB_BAD_VERSION:
            return unusable_keytab(who)
        case Code.SERVER_UNKNOWN | Code.MODIFIED:
            return Refused(Reason.ACCESS_DENIED, _service(place, who))
        case _ if place in _ACCOUNTS:
            return Refused(Reason.ACCESS_DENIED, _ACCOUNTS[place].format(who=who))
        case _ if 0 <= place < _OF_THE_PROTOCOL:
            text = f"Kerberos of {who.realm} turns {who.account} down with error {place} (RFC 4120)"
            return Refused(Reason.ACCESS_DENIED, text)
        case _:
            return Unreachable(f"{who.server}: Kerberos ends with error {number}; check krb5.conf")


def unusable_keytab(who: Who) -> Refused:
    """The keytab of the Secret is none, or another account's."""
    return Refused(
        Reason.SECRET_INVALID,
        f"keytab in the Secret of spec.exchange.connection.credentialsSecretRef: no key of "
        f"{who.account} in it; make it for this very name (ktpass), and put the file in as it is",
    )


def not_delegated(who: Who) -> Refused:
    """A keytab signs in to WinRM, and the second hop has nothing to go on with."""
    return Refused(
        Reason.SECOND_HOP_FAILED,
        f"{who.server} may not pass {who.account} on to its Exchange session: trust the computer "
        "for delegation in Active Directory and let the account be delegated, or use a password",
    )


def not_offered(who: Who) -> Refused:
    """WinRM has Kerberos switched off."""
    return Refused(
        Reason.ACCESS_DENIED,
        f"{who.server}: WinRM does not offer Negotiate; switch it on there "
        '(winrm set winrm/config/service/auth @{Negotiate="true"})',
    )


def not_proven(who: Who) -> Refused:
    """Who answers has not shown that it is the server."""
    return Refused(
        Reason.ACCESS_DENIED,
        f"{who.server}: who answers does not prove to be this server; check what stands between",
    )


def _service(place: int, who: Who) -> str:
    if place == Code.SERVER_UNKNOWN:
        return (
            f"{who.realm} knows no service HTTP/{who.server}: name the server in "
            f"spec.exchange.servers as Active Directory does (setspn -Q HOST/{who.server})"
        )
    return (
        f"{who.server}: its service name HTTP/{who.server} belongs to another account; "
        "find the duplicate (setspn -X) and remove it"
    )


_SKEW = (
    "{who.server}: the clocks of the cluster and of {who.realm} are more than five minutes apart; "
    "synchronise them (NTP)"
)
_WRONG = (
    "{who.realm} turns {who.account} down: the {who.proof} in the Secret of "
    "spec.exchange.connection.credentialsSecretRef is not the one of the account"
)
_ETYPE = (
    "{who.realm} and this operator have no encryption type in common for {who.account}: allow AES "
    "(msDS-SupportedEncryptionTypes), then set the account's password anew"
)
_ACCOUNTS: dict[int, str] = {
    Code.NAME_EXPIRED: "{who.account} has expired in {who.realm}; extend it",
    Code.CLIENT_UNKNOWN: "{who.realm} knows no account {who.account}; write username in the Secret "
    "as user@domain, with the DNS name of its Active Directory domain",
    Code.POLICY: "a policy of {who.realm} keeps {who.account} from signing in; check logon hours, "
    "workstations and authentication policies",
    Code.ETYPE_NOT_SUPPORTED: _ETYPE,
    Code.PROGRAM_ETYPE_NOT_SUPPORTED: _ETYPE,
    Code.CLIENT_REVOKED: "{who.account} is disabled or locked in {who.realm}; enable it "
    "(Enable-ADAccount, Unlock-ADAccount)",
    Code.KEY_EXPIRED: "the password of {who.account} has expired; set a new one and put it, or a "
    "new keytab, into the Secret of spec.exchange.connection.credentialsSecretRef",
    Code.PREAUTH_FAILED: _WRONG,
    Code.BAD_INTEGRITY: _WRONG,
    Code.OWN_PREAUTH_FAILED: _WRONG,
    Code.SKEW: _SKEW,
    Code.KDC_REPLY_SKEW: _SKEW,
}
