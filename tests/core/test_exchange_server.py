"""A server as Active Directory has it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answers import EX3, server
from exchange_push_operator.core.errors import CmdletFailed
from exchange_push_operator.core.exchange_server import product, read, version

ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(), st.lists(st.text()), st.just({"Major": 15})
)
EDGE = {"IsMailboxServer": False, "IsClientAccessServer": False, "IsEdgeServer": True}
NEITHER = {"IsMailboxServer": False, "IsClientAccessServer": False}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("15.2.2562.17", (15, 2, 2562, 17)),
        ("Version 15.2 (Build 2562.17)", (15, 2, 2562, 17)),
        ("Version 15.0 (Build 775.38)", (15, 0, 775, 38)),
        ("Version 6.5 (Build 7638.2: Service Pack 2)", (6, 5, 7638, 2)),
        ("Version 15.2", ()),
        ("", ()),
        (None, ()),
        (15, ()),
    ],
)
def test_a_version(text: object, expected: tuple[int, ...]) -> None:
    assert version(text) == expected


@pytest.mark.parametrize(
    ("build", "name"),
    [
        ("8.3.83.6", "Exchange 2007"),
        ("14.3.123.4", "Exchange 2010"),
        ("15.0.775.38", "Exchange 2013"),
        ("15.1.2507.6", "Exchange 2016"),
        ("15.2.1748.10", "Exchange 2019"),
        ("15.2.2562.17", "Exchange SE"),
        ("15.2.3000.1", "Exchange SE"),
        ("15.3.1.1", "Exchange 15.3"),
        ("", "Exchange of an unknown version"),
    ],
)
def test_a_product_by_its_build(build: str, name: str) -> None:
    assert product(version(build)) == name


@pytest.mark.parametrize(
    ("changes", "described"),
    [
        ({}, f"{EX3} (Exchange SE, site Berlin)"),
        ({"Site": "Berlin"}, f"{EX3} (Exchange SE, site Berlin)"),
        ({"Site": None, **EDGE}, f"{EX3} (Edge Transport)"),
        ({"Site": "", **NEITHER}, f"{EX3} (neither Mailbox nor Client Access)"),
        (
            {"AdminDisplayVersion": "Version 14.3 (Build 123.4)"},
            f"{EX3} (Exchange 2010, site Berlin)",
        ),
    ],
)
def test_what_is_said_of_a_server(changes: dict[str, Any], described: str) -> None:
    assert read(server(EX3, **changes)).described == described


@given(st.dictionaries(st.sampled_from(sorted(server(EX3))), ODD), st.booleans())
def test_whatever_is_odd_or_missing_a_row_is_read_or_turned_down_but_never_lost(
    odd: dict[str, object],
    missing: bool,  # noqa: FBT001 - a case
) -> None:
    row = server(EX3, **odd)
    if missing:
        row = {key: value for key, value in row.items() if key not in odd}
    try:
        found = read(row)
    except CmdletFailed:
        return
    assert found.fqdn
    assert found.version or not (found.mailbox or found.client_access)
    assert found.described.startswith(found.fqdn)
