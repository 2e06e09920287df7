"""A lane is as wide as it is, and everybody in it gets a turn."""

from exchange_push_operator.handlers.lanes import Lanes

A, B, C = ("ns", "a"), ("ns", "b"), ("ns", "c")


def test_a_full_lane_holds_what_comes_and_gives_it_out_in_its_order() -> None:
    lanes = Lanes(1)
    assert lanes.enter("org", A)
    assert not lanes.enter("org", B)
    assert not lanes.enter("org", C)
    assert lanes.leave("org") == B
    assert lanes.enter("org", B)
    assert lanes.leave("org") == C
    assert lanes.enter("org", C)
    assert lanes.leave("org") is None


def test_one_lane_is_nothing_to_another_one() -> None:
    lanes = Lanes(2)
    assert lanes.enter("org", A)
    assert lanes.enter("org", B)
    assert not lanes.enter("org", C)
    assert lanes.enter("other", C)
