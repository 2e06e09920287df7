"""Roll-over: the one table, over every combination, and its copy in docs/rollover.md."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest

from exchange_push_operator.core.rollover import (
    TABLE,
    Act,
    Date,
    Key,
    Life,
    Row,
    Situation,
    decide,
)
from exchange_push_operator.core.rollover_key import KEY_TABLE, Afterwards, KeyRow, decide_key
from lab.resources import ROOT

BOTH = (True, False)
SITUATIONS = [
    Situation(*each)
    for each in itertools.product(Life, Life, Date, Key, BOTH)
    # A certificate that is nowhere is not staged, and nobody has its key.
    if each[1] is not Life.ABSENT or (each[2] is Date.NONE and each[3] is Key.UNSEEN)
    if each[1] is not Life.ENDING  # which is said of the current one alone
]
AFTERWARDS = [Afterwards(*each) for each in itertools.product(Life, BOTH, BOTH, Life, BOTH)]
USABLE = (Life.VALID, Life.NEAR)
TO_BECOME_CURRENT = (Act.STAGE, Act.BRING_FORWARD, Act.PUBLISH)


def acts(*wanted: Act) -> Iterable[Situation]:
    found = [seen for seen in SITUATIONS if decide(seen).act in wanted]
    assert found
    return found


def test_every_combination_has_a_row_and_every_row_a_combination() -> None:
    assert {decide(seen) for seen in SITUATIONS} == set(TABLE)
    assert {decide_key(seen) for seen in AFTERWARDS} == set(KEY_TABLE)


def test_no_certificate_is_staged_or_published_before_entra_id_has_its_key() -> None:
    assert all(seen.key is Key.HELD for seen in acts(*TO_BECOME_CURRENT))


def test_no_certificate_is_staged_or_published_that_a_server_lacks_or_that_has_expired() -> None:
    assert all(seen.next in USABLE for seen in acts(*TO_BECOME_CURRENT))


def test_nothing_is_made_staged_or_published_while_a_server_cannot_be_seen() -> None:
    assert all(seen.all_seen for seen in acts(*TO_BECOME_CURRENT, Act.CREATE))


def test_a_third_certificate_is_never_made_beside_one_that_can_follow() -> None:
    assert all(seen.next not in (*USABLE, Life.PARTIAL) for seen in acts(Act.CREATE))


def test_a_valid_current_certificate_with_nothing_staged_that_could_follow_is_left_alone() -> None:
    for seen in SITUATIONS:
        useless = seen.next in (Life.ABSENT, Life.EXPIRED)
        if seen.current in (Life.VALID, Life.PARTIAL) and useless:
            assert decide(seen).act is Act.REST


def test_the_date_is_moved_where_the_key_vanished_before_it_whatever_else_holds() -> None:
    for seen in SITUATIONS:
        near = seen.date not in (Date.NONE, Date.LATER)
        usable = seen.next in (*USABLE, Life.PARTIAL)
        if near and usable and seen.key is Key.MISSING and seen.current is not Life.ABSENT:
            assert decide(seen).act is Act.MOVE_DATE


def test_what_entra_id_does_not_show_is_neither_there_nor_missing() -> None:
    for seen in SITUATIONS:
        if seen.key is Key.UNSEEN and seen.next is not Life.ABSENT:
            assert decide(seen).act not in (Act.STAGE, Act.BRING_FORWARD, Act.PUBLISH)
            assert decide(seen).act is not Act.MOVE_DATE or seen.next in (
                Life.GIVEN_UP,
                Life.PARTIAL,
            )


def test_a_repair_goes_on_although_another_server_is_away() -> None:
    away = [seen for seen in acts(Act.REPAIR) if not seen.all_seen]
    assert away


def test_an_expired_current_certificate_has_the_next_published_and_not_a_third_made() -> None:
    for date in (Date.LATER, Date.SOON, Date.PASSED, Date.OVERDUE):
        seen = Situation(Life.EXPIRED, Life.VALID, date, Key.HELD, all_seen=True)
        assert decide(seen).act is Act.PUBLISH


def test_one_that_was_given_up_has_its_date_moved_before_exchange_publishes_it() -> None:
    for date in (Date.SOON, Date.MINUTES, Date.PASSED, Date.OVERDUE):
        for current in (Life.VALID, Life.NEAR, Life.GIVEN_UP, Life.PARTIAL):
            for key, all_seen in itertools.product(Key, BOTH):
                seen = Situation(current, Life.GIVEN_UP, date, key, all_seen)
                assert decide(seen).act is Act.MOVE_DATE


@pytest.mark.parametrize("current", [Life.GIVEN_UP, Life.ENDING])
def test_a_given_up_or_ending_one_is_followed_when_the_minutes_of_entra_id_are_over(
    current: Life,
) -> None:
    expected = {
        Date.LATER: Act.BRING_FORWARD,
        Date.SOON: Act.BRING_FORWARD,
        Date.MINUTES: Act.WAIT_FOR_DATE,
        Date.PASSED: Act.PUBLISH,
        Date.OVERDUE: Act.PUBLISH,
    }
    for date, act in expected.items():
        seen = Situation(current, Life.VALID, date, Key.HELD, all_seen=True)
        assert decide(seen).act is act


def test_only_our_own_key_is_removed_and_only_where_nobody_can_sign_with_it() -> None:
    removed = [seen for seen in AFTERWARDS if decide_key(seen).act is Act.REMOVE_KEY]
    assert removed
    for seen in removed:
        assert seen.ours
        unused = seen.grace_over and seen.all_seen
        everywhere = seen.current in (*USABLE, Life.ENDING, Life.GIVEN_UP)
        assert seen.previous is Life.EXPIRED or (unused and everywhere)


# docs/rollover.md


def words(states: Iterable[object]) -> str:
    return ", ".join(sorted(str(state) for state in states)) or "any"


def yes_or_no(value: bool | None) -> str:  # noqa: FBT001 - a cell of a table
    return {True: "yes", False: "no", None: "any"}[value]


def line(row: Row) -> str:
    cells = [words(row.current), words(row.next), words(row.date), words(row.key)]
    return f"| {' | '.join([*cells, yes_or_no(row.all_seen), f'**{row.act}**', row.why])} |"


def key_line(row: KeyRow) -> str:
    cells = [words(row.previous), yes_or_no(row.ours), yes_or_no(row.grace_over)]
    cells += [words(row.current), yes_or_no(row.all_seen), f"**{row.act}**", row.why]
    return f"| {' | '.join(cells)} |"


def test_the_documentation_shows_this_very_table() -> None:
    text = (ROOT / "docs" / "rollover.md").read_text("utf-8")
    expected = "\n".join(line(row) for row in TABLE)
    assert expected in text, f"docs/rollover.md: the first table has to be\n{expected}"
    expected = "\n".join(key_line(row) for row in KEY_TABLE)
    assert expected in text, f"docs/rollover.md: the second table has to be\n{expected}"
