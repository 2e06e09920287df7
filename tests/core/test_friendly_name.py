"""The friendly name of a certificate that we made."""

from __future__ import annotations

import pytest

from answers import AUTH, NEXT, ORGANIZATION_ID, TRANSPORT
from exchange_push_operator.core.friendly_name import (
    former_transport,
    friendly_name,
    is_ours,
    number_after,
)

NAME = friendly_name(ORGANIZATION_ID, TRANSPORT.thumbprint)
FOLLOWER = friendly_name(ORGANIZATION_ID, TRANSPORT.thumbprint, after=AUTH.thumbprint)
OTHER_ORGANIZATION = "1f7c2a54-0000-4000-8000-9f61d7b3c8aa"


def test_it_is_as_long_as_exchange_allows() -> None:
    assert f"PushAuth 0f7c2a54 SMTP {TRANSPORT.thumbprint}" == NAME
    assert len(NAME) == 63


def test_it_tells_whose_transport_role_it_was() -> None:
    assert former_transport(NAME) == TRANSPORT.thumbprint


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (NAME, True),
        (FOLLOWER, True),
        (friendly_name(OTHER_ORGANIZATION, TRANSPORT.thumbprint), False),
        (f"Push proxy Auth; SMTP {TRANSPORT.thumbprint}", False),
        ("Microsoft Exchange Server Auth Certificate", False),
        ("", False),
    ],
    ids=[
        "ours",
        "our follower's",
        "another organisation's",
        "of no organisation",
        "Setup's",
        "none",
    ],
)
def test_it_tells_for_which_organisation_we_made_it(name: str, expected: bool) -> None:  # noqa: FBT001 - a table
    assert is_ours(name, ORGANIZATION_ID) is expected


def test_one_made_to_follow_tells_which_and_is_as_long() -> None:
    assert f"PushAuth 0f7c2a54 {AUTH.thumbprint[:8]} SMTP {TRANSPORT.thumbprint[:31]}" == FOLLOWER
    assert len(FOLLOWER) == 63
    assert number_after(FOLLOWER, ORGANIZATION_ID, AUTH.thumbprint) == 1
    assert number_after(FOLLOWER, ORGANIZATION_ID, NEXT.thumbprint) == 0
    assert number_after(NAME, ORGANIZATION_ID, AUTH.thumbprint) == 0
    assert TRANSPORT.thumbprint.startswith(former_transport(FOLLOWER))


@pytest.mark.parametrize("number", [2, 10, 123])
def test_another_one_for_the_same_tells_the_how_manieth_it_is(number: int) -> None:
    name = friendly_name(ORGANIZATION_ID, TRANSPORT.thumbprint, AUTH.thumbprint, number)
    assert name.startswith(f"PushAuth 0f7c2a54 {AUTH.thumbprint[:8]}.{number} SMTP ")
    assert len(name) == 63
    assert is_ours(name, ORGANIZATION_ID)
    assert number_after(name, ORGANIZATION_ID, AUTH.thumbprint) == number
    assert number_after(name, ORGANIZATION_ID, NEXT.thumbprint) == 0
    assert TRANSPORT.thumbprint.startswith(former_transport(name))


@pytest.mark.parametrize("counted", [".", ".two", "2", ".2.3"])
def test_a_name_that_somebody_made_up_follows_nothing(counted: str) -> None:
    name = f"PushAuth 0f7c2a54 {AUTH.thumbprint[:8]}{counted} SMTP {TRANSPORT.thumbprint}"
    assert number_after(name, ORGANIZATION_ID, AUTH.thumbprint) == 0
