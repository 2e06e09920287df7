"""Safety rule 5: killed at any moment and started again, it ends as if it had never been killed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from lab.exchange.build import add_auth_certificate
from lab.in_process import Lab, Operator, lab
from lab.microsoft365.sample import principal

pytestmark = pytest.mark.lab  # some hundred stories: no unit test


def without_certificate() -> Lab:
    return lab(auth_certificate=False)


def with_one_that_is_not_named() -> Lab:
    outside = lab(auth_certificate=False)
    add_auth_certificate(outside.organization)
    return outside


def with_a_server_that_lacks_it() -> Lab:
    outside = lab()
    current = outside.exchange()["authConfig"]["current"]
    del outside.organization.server("EX2").store[current]
    return outside


def with_a_key_that_ends_early() -> Lab:
    """Entra ID cut the life of our key; another has to join it, and then it has to go."""
    outside = lab()
    Operator(outside).run()
    holder = principal(outside.microsoft365)
    *others, ours = holder.keys
    holder.keys = (*others, replace(ours, end=outside.clock() + timedelta(days=30)))
    return outside


STORIES: Mapping[str, Callable[[], Lab]] = {
    "a valid certificate is adopted": lab,
    "a certificate has to be made": without_certificate,
    "a certificate has to be assigned": with_one_that_is_not_named,
    "a certificate is missing on one server": with_a_server_that_lacks_it,
    "a key ends before its certificate": with_a_key_that_ends_early,
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


def undisturbed(story: Callable[[], Lab]) -> tuple[Lab, int]:
    outside = story()
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
    story: Callable[[], Lab], when: str
) -> None:
    reference, calls = undisturbed(story)
    assert calls > 10
    for point in range(1, calls + 1):
        outside = story()
        with pytest.raises(Killed):
            killed(outside, when, point).run()
        Operator(outside).run()
        assert outside.condition("Ready") == ("True", "Succeeded"), f"killed {when} call {point}"
        assert outside.outside() == reference.outside(), f"killed {when} call {point}"


def test_rule_05_two_kills_in_one_story_change_nothing_either() -> None:
    reference, calls = undisturbed(without_certificate)
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
