"""What Entra ID compares of a service account's token, for a message to people."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from exchange_push_operator.adapters.federated_token import compared_claims

AKS = "https://eastus.oic.prod-aks.azure.com/72f988bf-0000-4000-8000-2d7cd011db47/"


def jwt(claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"header.{body}.signature"


@pytest.mark.parametrize("audience", ["api://x", ["api://x"]], ids=["text", "list of one"])
def test_the_claims_that_are_compared_are_told_to_the_letter(audience: Any) -> None:
    claims = {"iss": AKS, "sub": "system:serviceaccount:a:B", "aud": audience, "jti": "mine"}
    assert compared_claims(jwt(claims)) == {
        "issuer": AKS,
        "subject": "system:serviceaccount:a:B",
        "audience": "api://x",
    }


@pytest.mark.parametrize(
    "token",
    ["", "opaque", "a.b.c", "a.!.c", jwt([]), jwt({"iss": 1, "aud": ["a", "b"]}), "a.bnVsbA.c"],
)
def test_a_token_that_cannot_be_read_tells_nothing(token: str) -> None:
    assert compared_claims(token) == {}


def test_what_is_no_name_and_no_address_is_not_shown() -> None:
    odd = {"iss": "https://a\nb", "sub": "x" * 301, "aud": "with space"}
    assert compared_claims(jwt(odd)) == {}
