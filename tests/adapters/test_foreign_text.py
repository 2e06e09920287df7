"""What others write is made fit for a status: it does not move, and it hides what is secret."""

from __future__ import annotations

from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_push_operator.adapters.foreign_text import account_name, first_sentence, mask, short
from exchange_push_operator.adapters.powershell_host import decode, one_line
from exchange_push_operator.core.scrub import scrub

TOLD = (
    "AD error 0x51 on dc1. RequestId=6f9619ff-8b86-d011-b42d-00c04fc9{0:04} "
    "at 11/21/2026 9:{0:02}:00 AM"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("token eyJhbGci.eyJhdWQi.c2ln was refused", "token ... was refused"),
        ("token eyJhbGci.eyJhdWQi. was refused", "token ... was refused"),
        ("token eyJhbGciOiJub25l was refused", "token ... was refused"),
        ("request 5f0e8a52-0000-4000-8000-AB9f61d7b3c8 failed", "request ... failed"),
        ("at 2026-11-21T09:00:01.1234567Z it failed", "at ... it failed"),
        ("at 2026-11-21T09:00:01+01:00 it failed", "at ... it failed"),
        ("at 11/21/2026 9:00:01 AM it failed", "at ... it failed"),
        ("am 21.11.2026 09:00:01 gescheitert", "am ... gescheitert"),
        ("on Sat, 21 Nov 2026 09:00:00 GMT", "on Sat, ... GMT"),
        ("after 00:00:30.1234567 it gave up", "after ... it gave up"),
        ("Exchange 15.2.2562.17 said\r\n  (401)", "Exchange 15.2.2562.17 said (401)"),
        ("half a sign \ud83d", "half a sign ?"),
    ],
)
def test_a_text_for_the_status_has_no_token_no_id_and_no_time(text: str, expected: str) -> None:
    assert scrub(text) == expected


def test_a_servers_error_reads_the_same_at_every_pass() -> None:
    assert len({one_line(TOLD.format(number)) for number in range(1, 60)}) == 1


@given(st.text(st.characters(exclude_categories=())))
def test_every_text_can_be_written(text: str) -> None:
    for made in (scrub(text), one_line(text), short(text), first_sentence(text)):
        made.encode()


def test_half_of_a_surrogate_pair_does_not_come_through_from_the_host() -> None:
    assert decode(rb'{"a": ["\ud83d"], "b": "\ud83d\ude00 \\ud83d"}') == {
        "a": ["?"],
        "b": "\U0001f600 \\ud83d",
    }


def test_a_line_that_is_nested_too_deep_is_not_heard() -> None:
    assert decode(b'{"a":' + b"[" * 100_000) is None


@pytest.mark.parametrize(
    "username", ["CORP\\svc-epo", "corp.fabrikam.com\\svc_epo$", "svc.epo@corp.fabrikam.com"]
)
def test_an_account_is_named(username: str) -> None:
    assert account_name(username) == username


@pytest.mark.parametrize(
    "username",
    ["", "svc", "P@ssw0rd", "hunter2\n", "CORP\\a b", "\\x", "x@", "a\\b\\c", "!x@y.com"],
)
def test_what_does_not_look_like_an_account_is_not_shown(username: str) -> None:
    assert account_name(username) == "the account"


SECRET = "Q8~s3cr3t/with+signs=and more_ü"


@pytest.mark.parametrize(
    "spelling",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        quote(SECRET, safe="").lower().replace("q8", "Q8"),
        "".join(f"%{byte:02x}" for byte in SECRET.encode()),
    ],
)
def test_a_secret_is_masked_however_it_is_spelt(spelling: str) -> None:
    assert mask(f"secret={spelling}&x", SECRET) == "secret=***&x"


def test_no_secret_masks_nothing() -> None:
    assert mask("as it was", "") == "as it was"
