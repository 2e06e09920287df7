"""Our keys of certificates that were current before: how long each stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from answers import AUTH, EX1, NOW, ORGANIZATION_ID, auth_config, certificate, config, entry, seen
from answers import held as stored
from exchange_push_operator.core import rollover_seen, superseded
from exchange_push_operator.core.certificate_store import LOCAL_CERTIFICATES, Held
from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.key_credentials import own_key_id
from exchange_push_operator.core.organization import AUTH_CONFIG
from exchange_push_operator.core.rollover_seen import Seen
from exchange_push_operator.core.timestamps import utc_text
from exchange_push_operator.core.x509 import Certificate

OLDER = certificate(60, begins=-700)
OLD = certificate(61, begins=-400)
GRACE = timedelta(hours=168)


def managed(since: Certificate | None = None, began: datetime = NOW) -> PushConfig:
    """Policy Manage; status tells since when a certificate is superseded."""
    made = config({"certificate": {"policy": "Manage"}})
    if since is None:
        return made
    told = {"thumbprint": since.thumbprint, "supersededAt": utc_text(began)}
    return replace(made, status={"certificate": {"previous": told}})


def ours(of: Certificate, **changes: Any) -> dict[str, Any]:
    return entry(of, keyId=own_key_id(ORGANIZATION_ID, of, 0), **changes)


def world(previous: Certificate | None, *former: Certificate) -> Seen:
    """AUTH is current everywhere, and the principal has our keys of the former ones."""
    named = auth_config(PreviousCertificateThumbprint=previous.thumbprint if previous else "")
    asked = managed()
    stores = {name: {LOCAL_CERTIFICATES: [stored(AUTH)]} for name in asked.servers}
    keys = [entry(), *(ours(of) for of in former)]
    observed = seen(asked, organization={AUTH_CONFIG: [named]}, servers=stores, keys=keys)
    return rollover_seen.read(asked, observed)


def gone(asked: PushConfig, found: Seen, now: datetime) -> set[str | None]:
    found = replace(found, clock=found.clock and now)  # the servers' clock goes with ours
    return {entry.thumbprint for entry in superseded.removable(asked, found, now)}


@pytest.mark.parametrize(("age", "removed"), [(0, False), (167, False), (168, True)])
def test_a_key_of_ours_goes_when_its_grace_is_over(
    age: int,
    removed: bool,  # noqa: FBT001 - a table
) -> None:
    asked = managed(OLD, NOW)
    left = gone(asked, world(OLD, OLD), NOW + timedelta(hours=age))
    assert left == ({OLD.thumbprint} if removed else set())


@pytest.mark.parametrize("pair", [(OLDER, OLD), (OLD, OLDER)], ids=["older first", "newer first"])
def test_each_has_its_own_grace_where_auth_config_has_forgotten_them(
    pair: tuple[Certificate, Certificate],
) -> None:
    """Microsoft's script clears the previous one right after it has published another."""
    asked = managed(OLDER, NOW - GRACE)
    found = world(None, *pair)
    assert superseded.previous(asked, found, NOW) == OLD.thumbprint
    assert gone(asked, found, NOW) == {OLDER.thumbprint}


def test_of_two_forgotten_ones_the_newest_is_told_whatever_their_thumbprints() -> None:
    for serial in range(62, 70):
        newer = certificate(serial, begins=-300)
        found = world(None, OLD, newer)
        assert superseded.previous(managed(), found, NOW) == newer.thumbprint


def test_our_clock_alone_ends_no_grace() -> None:
    asked, found = managed(OLD, NOW), world(OLD, OLD)
    assert found.clock is not None
    assert superseded.removable(asked, found, NOW + timedelta(days=3000)) == ()


def test_a_key_of_somebody_else_never_goes() -> None:
    found = world(OLD, OLD)
    foreign = tuple(
        replace(entry, key_id="ffffffff-0000-4000-8000-000000000001")
        for entry in found.entries or ()
    )
    asked, later = managed(OLD, NOW), NOW + timedelta(days=3000)
    assert gone(asked, replace(found, entries=foreign), later) == set()


def test_a_server_without_the_current_one_keeps_the_key() -> None:
    found = world(OLD, OLD)
    where = found.where[AUTH.thumbprint]
    short = replace(where, listed={**where.listed, EX1: Held.MISSING})
    lacking = replace(found, where={**found.where, AUTH.thumbprint: short})
    asked, later = managed(OLD, NOW), NOW + 2 * GRACE
    assert gone(asked, found, later) == {OLD.thumbprint}
    assert gone(asked, lacking, later) == set()


def test_a_server_that_cannot_be_seen_keeps_the_key() -> None:
    found, asked, later = world(OLD, OLD), managed(OLD, NOW), NOW + 2 * GRACE
    assert gone(asked, replace(found, idle=(EX1,)), later) == set()


def test_the_grace_of_each_is_counted_from_its_own_row_of_status() -> None:
    rows = [
        {"thumbprint": OLDER.thumbprint, "supersededAt": utc_text(NOW - GRACE)},
        {"thumbprint": OLD.thumbprint, "supersededAt": utc_text(NOW - GRACE / 2)},
    ]
    asked = replace(managed(), status={"principalCredential": {"superseded": rows}})
    found = world(OLD, OLDER, OLD)
    assert gone(asked, found, NOW) == {OLDER.thumbprint}
    assert gone(asked, found, NOW + GRACE / 2) == {OLDER.thumbprint, OLD.thumbprint}
    told = superseded.told(asked, found, NOW)
    assert [row["thumbprint"] for row in told] == [OLDER.thumbprint, OLD.thumbprint]
    assert [row["supersededAt"] for row in told] == [row["supersededAt"] for row in rows]


def test_what_auth_config_does_not_name_any_more_is_told() -> None:
    (advisory,) = superseded.advisories(managed(), world(OLD, OLDER, OLD), NOW)
    assert advisory.type == "SupersededKeys"
    assert OLDER.thumbprint in advisory.message
    assert OLD.thumbprint not in advisory.message
    assert tuple(superseded.advisories(managed(), world(OLD, OLD), NOW)) == ()
