"""``addKey``: a new key for whoever proves to hold one that is there already.

Sources: Microsoft Graph "servicePrincipal: addKey" and "Generate proof-of-possession tokens". The
answer to a proof that is missing or wrong is recorded (microsoft-graph-docs 10686, 14626, 22076):
it speaks of the access token, whatever the fault.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lab.microsoft365 import jwts
from lab.microsoft365.directory import Holder, KeyCredential
from lab.microsoft365.errors import GraphError

AUDIENCE = "00000002-0000-0000-c000-000000000000"
_LONGEST = 600  # seconds


def check_proof(holder: Holder, proof: Any, now: datetime) -> None:
    """A proof signed with one of the holder's valid keys. Raises GraphError (401)."""
    keys = [key for key in holder.keys if key.good_at(now)]
    claims = _claims(proof, keys) if isinstance(proof, str) else None
    if claims is None or not _fits(claims, holder, now):
        text = "Access Token missing or malformed."
        raise GraphError(401, "Authentication_MissingOrMalformed", text)


def _claims(proof: str, keys: Sequence[KeyCredential]) -> Mapping[str, Any] | None:
    for key in keys:
        try:
            return jwts.verified(proof, key.certificate, "RS256")
        except jwts.BadToken:
            continue
    return None


def _fits(claims: Mapping[str, Any], holder: Holder, now: datetime) -> bool:
    try:
        jwts.check_times(claims, now, ("nbf", "exp"))
    except jwts.BadToken:
        return False
    meant = (claims.get("aud"), claims.get("iss")) == (AUDIENCE, holder.object_id)
    return meant and claims["exp"] - claims["nbf"] <= _LONGEST
