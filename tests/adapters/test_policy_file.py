"""The policy file: read at the start, read anew when it changes, never lost to a mistake."""

import logging
import os
from pathlib import Path

import pytest

from exchange_push_operator.adapters.policy_file import PolicyFile
from exchange_push_operator.core.errors import SpecError

FIRST = "namespaces: {exchange: {exchangeHosts: [ex1.corp.fabrikam.com]}}\n"
SECOND = "namespaces: {exchange: {exchangeHosts: ['*.corp.fabrikam.com']}}\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(FIRST, encoding="utf-8")
    return path


def hosts(policy: PolicyFile) -> tuple[str, ...]:
    return policy().namespaces["exchange"].exchange_hosts


def replace(path: Path, text: str) -> None:
    """As kubelet does it: another file under the same name."""
    other = path.with_suffix(".new")
    other.write_text(text, encoding="utf-8")
    other.replace(path)


def test_an_empty_file_allows_nothing(path: Path) -> None:
    path.write_text("", encoding="utf-8")
    assert PolicyFile(path)().namespaces == {}


def test_a_change_is_seen_at_the_next_look(path: Path) -> None:
    policy = PolicyFile(path)
    assert hosts(policy) == ("ex1.corp.fabrikam.com",)
    replace(path, SECOND)
    assert hosts(policy) == ("*.corp.fabrikam.com",)


def test_a_file_that_stays_is_not_read_again(path: Path) -> None:
    policy = PolicyFile(path)
    assert policy() is policy()


@pytest.mark.parametrize("text", ["namespaces: [", "namespaces: 7", "hosts: {}"])
def test_a_mistake_leaves_the_last_good_policy_in_force_and_is_logged_once(
    path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    policy = PolicyFile(path)
    replace(path, text)
    with caplog.at_level(logging.ERROR):
        assert hosts(policy) == hosts(policy) == ("ex1.corp.fabrikam.com",)
    (record,) = caplog.records
    assert str(path) in record.getMessage()
    replace(path, SECOND)
    assert hosts(policy) == ("*.corp.fabrikam.com",)


def test_a_file_that_is_taken_away_leaves_the_last_good_policy_in_force(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    policy = PolicyFile(path)
    os.unlink(path)  # noqa: PTH108 - what happens, not how
    assert hosts(policy) == ("ex1.corp.fabrikam.com",)
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("namespaces: [", "is not YAML"),
        ("namespaces: 7", "policy.namespaces"),
        ("{1: 2}", "expected one key"),
        ("\x00", "is not YAML"),
    ],
)
def test_a_mistake_at_the_start_is_one_line_with_its_place(
    path: Path, text: str, message: str
) -> None:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match=message) as error:
        PolicyFile(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_text_are_said_to_be_unreadable(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="cannot be read"):
        PolicyFile(path)


@pytest.mark.parametrize(
    "text",
    ["a: 2026-13-45", "a: !!int ''", "a: !!bool x", "a: !!timestamp x", "[" * 1_000, "a: [", "5"],
)
def test_no_mistake_in_the_file_is_a_bug(path: Path, text: str) -> None:
    policy = PolicyFile(path)
    replace(path, text)
    assert hosts(policy) == ("ex1.corp.fabrikam.com",)
    with pytest.raises(SpecError, match="policy"):
        PolicyFile(path)
