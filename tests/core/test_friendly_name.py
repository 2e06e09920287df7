"""The friendly name of a certificate that we made."""

from __future__ import annotations

import pytest

from answers import ORGANIZATION_ID, TRANSPORT
from exchange_push_operator.core.friendly_name import former_transport, friendly_name, is_ours

NAME = friendly_name(ORGANIZATION_ID, TRANSPORT.thumbprint)
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
        (friendly_name(OTHER_ORGANIZATION, TRANSPORT.thumbprint), False),
        (f"Push proxy Auth; SMTP {TRANSPORT.thumbprint}", False),
        ("Microsoft Exchange Server Auth Certificate", False),
        ("", False),
    ],
    ids=["ours", "another organisation's", "of no organisation", "Setup's", "none"],
)
def test_it_tells_for_which_organisation_we_made_it(name: str, expected: bool) -> None:  # noqa: FBT001 - a table
    assert is_ours(name, ORGANIZATION_ID) is expected
