"""What was written to a principal moments ago and is not shown yet."""

from __future__ import annotations

from datetime import timedelta

import pytest

from answers import NEXT, NOW, entry
from exchange_push_operator.core.key_credentials import read_credentials
from exchange_push_operator.reconcile.written import Written

OLD = read_credentials({"keyCredentials": [entry(keyId="a")]})
NEW = read_credentials({"keyCredentials": [entry(keyId="a"), entry(NEXT, keyId="b")]})


def written() -> Written:
    made = Written()
    made.note("one", {"a", "b"}, NOW)
    return made


def test_a_list_without_what_was_written_is_waited_on() -> None:
    assert written().unseen("one", OLD, NOW)
    assert not written().unseen("one", NEW, NOW)


def test_another_principal_is_not() -> None:
    assert not written().unseen("other", OLD, NOW)
    assert not Written().unseen("one", OLD, NOW)


def test_what_one_reader_has_shown_another_may_not_know_yet() -> None:
    made = written()
    assert not made.unseen("one", NEW, NOW)
    assert made.unseen("one", OLD, NOW)


def test_what_has_been_shown_and_is_gone_may_be_put_back_at_once() -> None:
    made, back = written(), frozenset({"a", "b"})
    assert made.unseen("one", OLD, NOW, back)
    assert not made.unseen("one", NEW, NOW, back)
    assert not made.unseen("one", OLD, NOW, back)
    assert made.unseen("one", OLD, NOW, frozenset({"a", "c"}))


@pytest.mark.parametrize(
    "later", [timedelta(minutes=5), timedelta(seconds=-1)], ids=["after a while", "clock set back"]
)
def test_what_is_never_shown_is_waited_for_in_vain_not_for_ever(later: timedelta) -> None:
    assert not written().unseen("one", OLD, NOW + later)


def test_principals_that_every_reader_knows_the_end_of_are_forgotten() -> None:
    made = written()
    made.note("other", {"a"}, NOW + timedelta(minutes=5))
    assert len(made) == 1
