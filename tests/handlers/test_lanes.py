"""A lane is as wide as it is, and everybody in it gets a turn."""

from exchange_push_operator.handlers.lanes import Lane, Lanes, lanes_of

A, B, C, D = ("ns", "a"), ("ns", "b"), ("ns", "c"), ("ns", "d")
NARROW, OTHER, WIDE = Lane("org", 1), Lane("other", 1), Lane("wide", 2)


def test_a_full_lane_holds_what_comes_and_lets_it_in_in_its_order() -> None:
    lanes = Lanes()
    assert lanes.enter(A, (NARROW,))
    assert not lanes.enter(B, (NARROW,))
    assert not lanes.enter(C, (NARROW,))
    assert lanes.leave(A) == [B]
    assert lanes.enter(B, (NARROW,))
    assert lanes.leave(B) == [C]
    assert lanes.leave(C) == []


def test_one_lane_is_nothing_to_another_one() -> None:
    lanes = Lanes()
    assert lanes.enter(A, (NARROW,))
    assert lanes.enter(B, (OTHER,))


def test_whoever_is_let_in_keeps_the_room_until_its_turn_comes() -> None:
    lanes = Lanes()
    assert lanes.enter(A, (NARROW,))
    assert not lanes.enter(B, (NARROW,))
    assert lanes.leave(A) == [B]
    assert not lanes.enter(C, (NARROW,))


def test_a_key_of_two_lanes_needs_room_in_both() -> None:
    lanes = Lanes()
    assert lanes.enter(A, (NARROW, WIDE))
    assert not lanes.enter(B, (NARROW, WIDE))
    assert lanes.enter(C, (OTHER, WIDE))
    assert not lanes.enter(D, (WIDE,))
    # B comes first at the one lane and D at the other, whichever is asked first.
    assert lanes.leave(A) == [B]
    assert lanes.leave(C) == [D]


def test_who_still_lacks_room_elsewhere_lets_the_next_one_pass() -> None:
    lanes = Lanes()
    assert lanes.enter(A, (NARROW,))
    assert lanes.enter(B, (OTHER,))
    assert not lanes.enter(C, (NARROW, OTHER))
    assert not lanes.enter(D, (NARROW,))
    assert lanes.leave(A) == [D]
    assert lanes.leave(D) == []
    assert lanes.leave(B) == [C]


def test_nothing_in_doubt_takes_all_the_workers() -> None:
    def widths(*, known: bool, failed: bool) -> list[int]:
        return [lane.width for lane in lanes_of("org", 16, known=known, failed=failed)]

    assert widths(known=True, failed=False) == [4]
    assert widths(known=False, failed=False) == [4, 12]
    assert widths(known=True, failed=True) == [4, 8, 12]
    assert widths(known=False, failed=True) == [4, 8, 12]
    assert {lane.width for lane in lanes_of("org", 1, known=False, failed=True)} == {1}
