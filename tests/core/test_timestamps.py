"""Times as Kubernetes and the servers write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from answers import NOW
from exchange_push_operator.core.timestamps import parse_utc, utc_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21T09:00:00Z", NOW),
        ("2026-11-21T09:00:00.0000000Z", NOW),
        ("2026-11-21T09:00:00", NOW),
        ("2026-11-21T10:00:00+01:00", NOW),
        ("2026-11-21T09:00:00.1234567Z", NOW + timedelta(microseconds=123456)),
    ],
)
def test_a_moment_is_read_in_utc(text: str, expected: datetime) -> None:
    assert parse_utc(text) == expected


def test_a_moment_is_written_as_kubernetes_writes_it() -> None:
    berlin = datetime(2026, 11, 21, 10, 0, 0, 999, tzinfo=timezone(timedelta(hours=1)))
    assert utc_text(berlin) == "2026-11-21T09:00:00Z"
    assert parse_utc(utc_text(NOW)) == NOW.astimezone(UTC)
