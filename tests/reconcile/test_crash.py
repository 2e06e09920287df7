"""Safety rule 5: killed at any moment and started again, it ends as if it had never been killed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from lab.in_process import Lab, Operator, lab

pytestmark = pytest.mark.lab  # some hundred stories: no unit test

STORIES: Mapping[str, dict[str, Any]] = {
    "a valid certificate is adopted": {"auth_certificate": True},
    "a certificate has to be made": {"auth_certificate": False},
}


class Killed(BaseException):
    """SIGKILL: no handler of the operator sees it."""


class Counter:
    """Counts calls, and kills at the one that is asked for."""

    def __init__(self, at: int | None = None) -> None:
        self.at, self.count = at, 0

    def __call__(self) -> None:
        self.count += 1
        if self.count == self.at:
            raise Killed


def undisturbed(story: dict[str, Any]) -> tuple[Lab, int]:
    outside = lab(**story)
    counter = Counter()
    Operator(outside, before=counter).run()
    return outside, counter.count


def killed(outside: Lab, when: str, point: int) -> Operator:
    if when == "before":
        return Operator(outside, before=Counter(point))
    return Operator(outside, after=Counter(point))


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
@pytest.mark.parametrize("when", ["before", "after"])
def test_rule_05_a_kill_at_any_remote_call_leads_to_the_same_end_state(
    story: dict[str, Any], when: str
) -> None:
    reference, calls = undisturbed(story)
    assert calls > 10
    for point in range(1, calls + 1):
        outside = lab(**story)
        with pytest.raises(Killed):
            killed(outside, when, point).run()
        Operator(outside).run()
        assert outside.condition("Ready") == ("True", "Succeeded"), f"killed {when} call {point}"
        assert outside.outside() == reference.outside(), f"killed {when} call {point}"


def test_rule_05_two_kills_in_one_story_change_nothing_either() -> None:
    reference, calls = undisturbed({"auth_certificate": False})
    for point in range(1, calls + 1, 3):
        outside = lab(auth_certificate=False)
        for _ in range(2):
            try:
                Operator(outside, after=Counter(point)).run()
            except Killed:
                continue
        Operator(outside).run()
        assert outside.outside() == reference.outside(), f"killed twice after call {point}"


def test_rule_05_a_key_that_entra_id_does_not_show_yet_is_not_doubled_by_a_new_life() -> None:
    outside = lab()
    before = len(outside.key_credentials())
    outside.microsoft365.set_fault("read_lag", 4)

    def killed_once_the_key_is_there() -> None:
        if len(outside.key_credentials()) > before:
            raise Killed

    with pytest.raises(Killed):
        Operator(outside, after=killed_once_the_key_is_there).run()
    Operator(outside).run(most=20)
    assert outside.condition("Ready") == ("True", "Succeeded")
    assert len(outside.key_credentials()) == before + 1
