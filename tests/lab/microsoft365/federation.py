"""Federated credentials: Entra ID takes the token of another issuer for an application's proof.

Sources: Microsoft Graph federatedIdentityCredential; the entra page "Workload identity federation"
(RS256 alone, exact comparison, issuer's documents fetched from the internet); numbers and texts of
the refusals from public reports (Azure/azure-workload-identity 1200, microsoft/Agents 202).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeAlias

import jwt

from lab.microsoft365 import jwts
from lab.microsoft365.directory import FederatedCredential, Holder
from lab.microsoft365.errors import StsError

GLOBAL_AUDIENCE = "api://AzureADTokenExchange"
Keys: TypeAlias = Callable[[], Mapping[str, Any]]


def issuer_of(assertion: str) -> str:
    """Who says to have issued an assertion; "" where it cannot be read."""
    try:
        return str(jwts.unverified(assertion).get("iss") or "")
    except jwts.BadToken:
        return ""


def check_federated(
    application: Holder, assertion: str, issuers: Mapping[str, Keys]
) -> dict[str, Any]:
    """The claims of a token that a federated credential of the application allows.

    ``issuers`` are the JWKS documents that the internet shows, by issuer. Raises StsError.
    """
    claims = jwts.unverified(assertion)
    _match(application.federated, claims)
    issuer = str(claims["iss"])
    if issuer not in issuers:  # number from reports, error name and status inferred
        text = f"Request to External OIDC endpoint failed: '{issuer}'."
        raise StsError(50166, "invalid_request", text)
    try:
        key = _key(issuers[issuer](), str(jwts.header(assertion).get("kid")))
        return jwts.verified_by(assertion, key, "RS256")
    except jwts.BadToken as error:
        # That the number is the one of certificates is inferred.
        text = f"Client assertion failed signature validation. [Reason - {error}]"
        raise StsError(700027, "invalid_client", text, 401) from error


def _match(credentials: tuple[FederatedCredential, ...], claims: Mapping[str, Any]) -> None:
    """One credential must name issuer, subject and audience; which is told first is inferred."""
    named = [one for one in credentials if one.issuer == claims.get("iss")]
    if not named:
        raise _no_record(700211, "issuer", claims.get("iss"))
    named = [one for one in named if one.subject == claims.get("sub")]
    if not named:
        raise _no_record(700213, "subject", claims.get("sub"))
    said = claims.get("aud")
    audiences = set(said) if isinstance(said, list) else {said}
    if not any(one.audience in audiences for one in named):
        raise _no_record(700212, "audience", said)


def _key(document: Mapping[str, Any], key_id: str) -> Any:
    keys = (one for one in document["keys"] if one.get("kid") == key_id)
    found = next(keys, None)
    if found is None:
        message = "The key was not found."
        raise jwts.BadToken(message)
    return jwt.PyJWK(found).key


def _no_record(number: int, claim: str, value: Any) -> StsError:
    text = (
        f"No matching federated identity record found for presented assertion {claim} '{value}'. "
        "Check your federated identity credential Subject, Audience and Issuer against the "
        "presented assertion. https://learn.microsoft.com/entra/workload-id/"
        "workload-identity-federation"
    )
    return StsError(number, "invalid_client", text, 401)


@dataclass(frozen=True, slots=True)
class LabIssuer:
    """A cluster that issues tokens for its service accounts, as a kube-apiserver does."""

    url: str = "https://oidc.lab.example/cluster"

    def keys(self) -> Mapping[str, Any]:
        """Its JWKS document."""
        return {"keys": [_signer(self.url).jwk()]}

    def token(self, subject: str, audience: str, now: datetime) -> str:
        """A token of a subject."""
        claims = {"iss": self.url, "sub": subject, "aud": [audience]}
        return _signer(self.url).sign(claims, now)

    def credential(self, subject: str, audience: str = GLOBAL_AUDIENCE) -> FederatedCredential:
        """What an administrator registers at the application."""
        return FederatedCredential(self.url, subject, audience)


@cache
def _signer(url: str) -> jwts.Signer:
    """The same at every call: its certificate, and so its key id, is made anew each time."""
    return jwts.Signer.named(f"issuer {url}")


def account_subject(namespace: str, name: str) -> str:
    """The ``sub`` that Kubernetes gives to a service account."""
    return f"system:serviceaccount:{namespace}:{name}"
