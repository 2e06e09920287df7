"""The servers' certificate stores, read from answers."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from answers import AUTH, EX1, EX2, EX3, NEXT, ORGANIZATION_ID, TRANSPORT, held, missing, seen
from exchange_push_operator.core.certificate_store import (
    LOCAL_CERTIFICATES,
    Held,
    certificates_on,
    find_certificate,
    held_on,
    stored_certificates,
    unlisted_store,
)
from exchange_push_operator.core.friendly_name import friendly_name

OUR_NAME = friendly_name(ORGANIZATION_ID, TRANSPORT.thumbprint)


def test_a_store_by_the_thumbprint_of_the_content() -> None:
    junk = {**held(NEXT), "RawData": base64.b64encode(b"no certificate").decode()}
    row = {**held(AUTH, key=False, name=OUR_NAME), "Thumbprint": "wrong"}
    observed = seen(servers={EX1: {LOCAL_CERTIFICATES: [junk, row]}})
    store = stored_certificates(observed, EX1)
    assert list(store) == [AUTH.thumbprint]
    assert store[AUTH.thumbprint].ours
    assert not store[AUTH.thumbprint].has_private_key


def test_a_certificate_without_a_friendly_name_is_not_ours() -> None:
    observed = seen(servers={EX1: {LOCAL_CERTIFICATES: [{**held(AUTH), "FriendlyName": None}]}})
    found = find_certificate(observed, AUTH.thumbprint)
    assert found is not None
    assert not found.ours


def test_a_certificate_is_found_on_any_server_one_with_its_key_first() -> None:
    stores = {
        EX1: {LOCAL_CERTIFICATES: [held(AUTH, key=False)]},
        EX2: {LOCAL_CERTIFICATES: [held(AUTH)]},
    }
    found = find_certificate(seen(servers=stores), AUTH.thumbprint)
    assert found is not None
    assert found.has_private_key
    assert find_certificate(seen(servers=stores), NEXT.thumbprint) is None


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([held(AUTH)], Held.WITH_KEY),
        ([held(AUTH, key=False)], Held.WITHOUT_KEY),
        ([], Held.MISSING),
        ([held(NEXT)], Held.MISSING),
        (missing("InvalidOperationException"), Held.MISSING),
        (missing("RpcClientException"), Held.UNSEEN),
        (missing(""), Held.UNSEEN),
    ],
    ids=["with its key", "without", "no row", "another", "not found", "out of reach", "odd error"],
)
def test_whether_an_unlisted_server_has_a_certificate(said: Any, expected: Held) -> None:
    look = certificates_on(EX3, AUTH.thumbprint)
    assert held_on(seen(organization={look: said}), EX3, AUTH.thumbprint) is expected


def test_the_store_of_an_unlisted_server() -> None:
    look = certificates_on(EX3, None)
    found = unlisted_store(seen(organization={look: [held(AUTH)]}), EX3)
    assert list(found or ()) == [AUTH.thumbprint]
    assert unlisted_store(seen(organization={look: missing()}), EX3) is None
