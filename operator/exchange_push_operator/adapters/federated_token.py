"""What Entra ID compares of a service account's token with a federated credential."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

_NAMES = {"issuer": "iss", "subject": "sub", "audience": "aud"}
_VALUE = re.compile(r"[!-~]{1,300}")  # a URL or a name; no other text gets into a message


def compared_claims(token: str) -> Mapping[str, str]:
    """Issuer, subject and audience of a JWT, unverified: no secrets, and only shown to people.

    A claim that cannot be shown, and every claim of a token that cannot be read, is left out.
    """
    claims = _payload(token)
    found = {name: _text(claims.get(claim)) for name, claim in _NAMES.items()}
    return {name: value for name, value in found.items() if _VALUE.fullmatch(value)}


def _payload(token: str) -> Mapping[str, Any]:
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (LookupError, ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _text(value: Any) -> str:
    """One text; the audience may be a list of one."""
    one = value[0] if isinstance(value, list) and len(value) == 1 else value
    return one if isinstance(one, str) else ""
