"""Why Entra ID does not sign an application in, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from exchange_push_operator.adapters.foreign_text import first_sentence, short
from exchange_push_operator.adapters.http import host_of
from exchange_push_operator.core.errors import PushError, Refused, Unreachable
from exchange_push_operator.core.ports import GraphAccess
from exchange_push_operator.core.reasons import Reason

_PASSING = frozenset({"temporarily_unavailable", "server_error"})
_NUMBER = re.compile(r"AADSTS(\d+):?\s*")

_COMPARE = (
    "compare issuer, subject (system:serviceaccount:<namespace>:<name>) and audience of its "
    "federated credentials with the account named in {field}{sent}"
)
_NO_FEDERATION = (
    Reason.ACCESS_DENIED,
    "application {client} has no federated credential for the cluster's service account",
    _COMPARE,
)


def _no_such(claim: str) -> tuple[Reason, str, str]:
    """What Microsoft documents these numbers to say: which of the three found no match."""
    return (
        Reason.ACCESS_DENIED,
        f"no federated credential of application {{client}} has the {claim} of the token",
        f"correct the {claim} of the one for the account named in {{field}}, or add one{{sent}}",
    )


# Microsoft: the numbers "should never be used by the client"; they may change. Here they choose
# words, and a reason only where OAuth's own `error` is too coarse; unknown ones do no harm.
_HINTS: Mapping[int, tuple[Reason, str, str]] = {
    7000215: (
        Reason.SECRET_INVALID,
        "the client secret of application {client} is wrong",
        "put its value, not its id, into the Secret named in {field}",
    ),
    7000222: (
        Reason.SECRET_INVALID,
        "the client secret of application {client} has expired",
        "make a new one at the application and put it into the Secret named in {field}",
    ),
    700027: (
        Reason.SECRET_INVALID,
        "the client certificate is not registered at application {client} or has expired",
        "register tls.crt of the Secret named in {field} at the application, or renew it",
    ),
    700024: (
        Reason.ACCESS_DENIED,
        "the signed proof of application {client} is outside its validity",
        "set the clock of the node",
    ),
    700016: (
        Reason.ACCESS_DENIED,
        "tenant {tenant} has no application {client}",
        "check tenant.credentials.clientId and consent to the application in the tenant",
    ),
    7000112: (
        Reason.ACCESS_DENIED,
        "application {client} is disabled in tenant {tenant}",
        "enable it",
    ),
    70021: _NO_FEDERATION,
    700211: _no_such("issuer"),
    700212: _no_such("audience"),
    700213: _no_such("subject"),
    53003: (
        Reason.ACCESS_DENIED,
        "a Conditional Access policy of tenant {tenant} blocks application {client}",
        "allow the addresses of this cluster in that policy",
    ),
}


def credential_field(access: GraphAccess) -> str:
    """The field of the resource that names the credential's Secret or service account."""
    if access.federated_token is not None:
        return "tenant.credentials.workloadIdentity"
    kind = "clientSecret" if access.certificate is None else "clientCertificate"
    return f"tenant.credentials.{kind}"


def refusal(
    result: Mapping[str, Any], access: GraphAccess, claims: Mapping[str, str] | None = None
) -> PushError:
    """The error of a sign-in: MSAL's result without an access token.

    ``claims`` are those of the service account's token that was shown.
    """
    host = host_of(access.authority)
    error = short(str(result.get("error") or "no reason given"))
    if error in _PASSING:
        return Unreachable(f"{host}: Entra ID is out of order for the moment ({error})")
    number = _number(result)
    reason, fact, cure = _hint(number, access) or _unknown(error, result, access)
    hint = f" (AADSTS{number})" if number else ""
    words = {
        "client": access.client_id,
        "tenant": access.tenant_id,
        "field": credential_field(access),
        "sent": _sent(claims or {}),
    }
    return Refused(reason, f"{host}: {_fill(fact, words)}{hint}; {_fill(cure, words)}")


def _sent(claims: Mapping[str, str]) -> str:
    told = ", ".join(f"{name} {value}" for name, value in claims.items())
    return f" (sent: {told})" if told else ""


def _hint(number: int, access: GraphAccess) -> tuple[Reason, str, str] | None:
    hint = _HINTS.get(number)
    about_a_secret = hint is not None and hint[0] is Reason.SECRET_INVALID
    return None if about_a_secret and access.federated_token is not None else hint


def _unknown(error: str, result: Mapping[str, Any], access: GraphAccess) -> tuple[Reason, str, str]:
    text = _NUMBER.sub("", str(result.get("error_description") or ""), count=1)
    fact = ": ".join(filter(None, (error, first_sentence(text))))
    if access.federated_token is not None:
        return Reason.ACCESS_DENIED, fact, _COMPARE
    if error == "invalid_client":
        return (
            Reason.SECRET_INVALID,
            fact,
            "renew the credential of application {client} and the Secret named in {field}",
        )
    return Reason.ACCESS_DENIED, fact, "check application {client} in tenant {tenant}"


def _number(result: Mapping[str, Any]) -> int:
    numbers = result.get("error_codes")
    if isinstance(numbers, list) and numbers and isinstance(numbers[0], int):
        return numbers[0]
    found = _NUMBER.match(str(result.get("error_description") or ""))
    return int(found[1]) if found else 0


def _fill(text: str, words: Mapping[str, str]) -> str:
    # Not str.format: a text of Entra ID may hold braces.
    for name, word in words.items():
        text = text.replace("{" + name + "}", word)
    return text
