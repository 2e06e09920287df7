"""Two writers of one list that has no ETag: whatever their order, nobody loses a key."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from answers import AUTH, NOW, auth_config, body, certificate, config, entry, held, seen
from any_organization import key_lists, numbers
from exchange_push_operator.core.certificate_store import LOCAL_CERTIFICATES
from exchange_push_operator.core.commands import GraphRequest
from exchange_push_operator.core.errors import Refused
from exchange_push_operator.core.key_credentials import read_credentials
from exchange_push_operator.core.organization import AUTH_CONFIG
from exchange_push_operator.core.plan import Guard, Step
from exchange_push_operator.core.safety import check_write, still_valid
from exchange_push_operator.stages.principal_credential import STAGE

RIVAL = certificate(40, subject="a rival")
CONFIGS = (config(), config({"principal": {"dropExpiredKeys": True}}))
Keys = list[dict[str, Any]]
RIVALS = st.lists(st.sampled_from(["adds", "removes", "renames", "reads"]), max_size=4)


class Principal:
    """The list as Entra ID keeps it: a PATCH replaces all of it."""

    def __init__(self, keys: Keys, rng: random.Random) -> None:
        self.keys, self.rng, self.made = list(keys), rng, 0

    def rival(self, move: str) -> None:
        if move == "adds":
            self.made += 1
            self.keys.append(entry(RIVAL, keyId=f"eeeeeeee-0000-4000-8000-{self.made:012}"))
        elif move == "removes" and self.keys:
            self.keys.pop(self.rng.randrange(len(self.keys)))
        elif move == "renames" and self.keys:
            at = self.rng.randrange(len(self.keys))
            self.keys[at] = {**self.keys[at], "displayName": f"renamed {self.rng.random()}"}
        self.rng.shuffle(self.keys)

    def write(self, command: GraphRequest) -> None:
        before = {raw["keyId"].lower(): raw for raw in self.keys}
        self.keys = [before.get(raw["keyId"].lower(), raw) for raw in body(command)]

    def ids(self) -> set[str]:
        return {raw["keyId"].lower() for raw in self.keys}


def guarded(principal: Principal, guard: Guard, command: GraphRequest, *, again: bool) -> bool:
    """What stands between a plan and its write; whether it was written."""
    entries = read_credentials({"keyCredentials": principal.keys})
    if not still_valid(guard, entries):
        return False
    check_write(command, guard, entries, again=again)
    principal.write(command)
    return True


def planned(keys: Keys, number: int) -> list[Step]:
    """Adding our key, and taking back those of a certificate that AuthConfig names no more."""
    asked = CONFIGS[number % 2]
    named = AUTH if number % 3 else certificate(41)
    stores = {name: {LOCAL_CERTIFICATES: [held(named)]} for name in asked.servers}
    observed = STAGE.observe(
        asked,
        seen(
            asked,
            organization={AUTH_CONFIG: [auth_config(named.thumbprint)]},
            servers=stores,
            keys=keys,
        ),
    )
    return [*STAGE.plan(asked, observed, NOW).steps, *STAGE.retire(asked, observed, NOW).steps]


@settings(max_examples=60, deadline=None)
@given(numbers, RIVALS)
def test_whatever_a_rival_does_between_our_look_and_our_write(
    number: int, moves: list[str]
) -> None:
    keys = key_lists(number)
    for step in planned(keys, number):
        assert step.guard is not None
        for command in (step.command, *step.fallbacks):
            assert isinstance(command, GraphRequest)
            principal = Principal(keys, random.Random(number))
            for move in moves:
                principal.rival(move)
            before = principal.ids()
            again = command is not step.command
            wrote = guarded(principal, step.guard, command, again=again)
            leave = step.guard.may_go | (step.guard.at_last if again else set())
            assert before - leave <= principal.ids()
            assert wrote or principal.ids() == before
            if not set(moves) - {"reads"}:
                assert wrote


@settings(max_examples=60, deadline=None)
@given(numbers, st.sets(st.integers(0, 9)))
def test_a_body_that_leaves_a_foreign_key_out_is_never_sent(
    number: int, left_out: set[int]
) -> None:
    keys = key_lists(number)
    for step in planned(keys, number):
        assert step.guard is not None
        assert isinstance(step.command, GraphRequest)
        entries = read_credentials({"keyCredentials": keys})
        kept = [raw for at, raw in enumerate(body(step.command)) if at not in left_out]
        command = GraphRequest("PATCH", step.command.path, {"keyCredentials": kept})
        gone = {e.key_id for e in entries} - {str(raw["keyId"]).lower() for raw in kept}
        try:
            check_write(command, step.guard, entries)
        except Refused:
            assert gone - step.guard.may_go
        else:
            assert gone <= step.guard.may_go


def test_these_lists_make_us_add_take_back_and_drop() -> None:
    """The properties above are about writes: there have to be some."""
    met = set()
    for number in range(60):
        for step in planned(key_lists(number), number):
            met.add(step.event)
            met.add("dropped" if step.guard and step.guard.at_last else "kept")
    assert met == {"KeyCredentialAdded", "KeyCredentialRemoved", "dropped", "kept"}
