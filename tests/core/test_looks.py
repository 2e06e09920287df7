"""Looks as data, what came back, and how both read to people."""

from __future__ import annotations

import json

import pytest

import answers
from answers import EX1, EX2, config, missing, seen
from exchange_push_operator.core.commands import Cmdlet, GraphRequest, cmdlet
from exchange_push_operator.core.errors import CmdletFailed, GraphFailed, Refused, Unreachable
from exchange_push_operator.core.looks import Looks, Observations, merge, not_permitted
from exchange_push_operator.core.plan import Guard, Step, plan_hash
from exchange_push_operator.core.ports import Sensitive
from exchange_push_operator.core.reasons import Reason
from exchange_push_operator.stages import STAGES
from lab.resources import ROOT

ONE, TWO, THREE = (cmdlet(name) for name in ("Get-One", "Get-Two", "Get-Three"))
READ = GraphRequest("GET", "principals/1")
ALLOWED = json.loads(
    (ROOT / "operator/exchange_push_operator/powershell/allowlist.json").read_text("utf-8")
)


def test_what_several_stages_want_is_asked_once_and_in_their_order() -> None:
    first = Looks((ONE, TWO), lambda _name: (ONE, THREE), (READ,), ("https://a/",))
    second = Looks((TWO, THREE), lambda name: (cmdlet("Get-Own", Name=name), ONE), (READ,))
    merged = merge([first, second, Looks()])
    assert merged.organization == (ONE, TWO, THREE)
    assert merged.server(EX1) == (ONE, THREE, cmdlet("Get-Own", Name=EX1))
    assert (merged.graph, merged.metadata) == ((READ,), ("https://a/",))
    assert merge([]).server(EX1) == ()


def test_every_look_of_every_stage_is_on_the_allow_list_and_changes_nothing() -> None:
    looks = merge(stage.looks(config()) for stage in STAGES)
    for look in (*looks.organization, *looks.server(EX1)):
        allowed = ALLOWED[look.name]
        parameters = dict(look.parameters)
        assert set(parameters) <= set(allowed["parameters"]), look
        assert not allowed.get("changes") or parameters.get("WhatIf") is True, look


def test_answers_spell_properties_as_the_allow_list_does() -> None:
    """The rows of these tests are made up; the names of their properties are not."""
    for (_, look), answer in seen().cmdlets.items():
        for row in answer.rows:
            assert set(row) <= set(ALLOWED[look.name]["output"]), look
    assert set(answers.evo_sts()) <= set(ALLOWED["Get-AuthServer"]["output"])
    assert set(answers.override()) <= set(ALLOWED["Get-SettingOverride"]["output"])


def test_the_first_server_that_answered_speaks_for_the_organisation() -> None:
    assert seen(away=[EX1]).primary == EX2


def test_an_answer_that_was_not_asked_for_is_a_bug() -> None:
    with pytest.raises(KeyError):
        seen().organization(ONE)


def test_the_error_of_a_look_is_raised_where_it_is_read() -> None:
    failed = Observations(
        "t",
        graph_answers={READ: GraphFailed("no", status=400)},
        documents={"https://a/": Unreachable("no route"), "https://b/": None},
    )
    with pytest.raises(GraphFailed):
        failed.graph(READ)
    with pytest.raises(Unreachable):
        failed.document("https://a/")
    assert failed.document("https://b/") is None


def test_a_cmdlet_that_failed_is_told_from_one_that_is_not_granted() -> None:
    error = missing("ManagementObjectNotFoundException")
    assert not_permitted(ONE, error) is error
    denied = not_permitted(ONE, missing("CommandNotFoundException"))
    assert isinstance(denied, Refused)
    assert denied.reason is Reason.ACCESS_DENIED


def test_what_a_person_must_act_on_comes_in_a_stable_order() -> None:
    wrong = Refused(Reason.ACCESS_DENIED, "wrong password")
    denied = Refused(Reason.SECRET_NOT_FOUND, "denied")
    away = {EX2: wrong, EX1: Unreachable("down")}
    observed = Observations("t", away=away, graph_answers={READ: denied})
    assert list(observed.refusals()) == [wrong, denied]


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (cmdlet("Get-AuthConfig"), "Get-AuthConfig"),
        (
            cmdlet("Set-X", Identity="O'Brien", Force=True),
            "Set-X -Identity 'O''Brien' -Force:$true",
        ),
        (cmdlet("Set-X", Enabled=False, Size=2048), "Set-X -Enabled:$false -Size 2048"),
        (cmdlet("Set-X", Names=("a", "b'c")), "Set-X -Names @('a', 'b''c')"),
        (cmdlet("Set-X", Names=()), "Set-X -Names @()"),
        (cmdlet("Set-X", Text="$(Remove-Item) `n"), "Set-X -Text '$(Remove-Item) `n'"),
        (READ, "GET /v1.0/principals/1"),
    ],
    ids=["bare", "quotes", "numbers", "a list", "an empty list", "nothing expands", "Graph"],
)
def test_a_command_reads_as_a_person_would_type_it(
    command: Cmdlet | GraphRequest, line: str
) -> None:
    assert str(command) == line


def test_equal_cmdlets_are_one_look() -> None:
    assert cmdlet("Get-X", Server="a") == cmdlet("Get-X", Server="a")
    assert len({cmdlet("Get-X", Server="a"), cmdlet("Get-X", Server="a")}) == 1


def step(**changes: object) -> Step:
    given = {"action": "A", "target": "t", "event": "E", "command": ONE, **changes}
    return Step(**given)  # type: ignore[arg-type]  # fields by name


def test_a_step_is_the_same_for_the_same_change_on_the_same_server() -> None:
    assert step().key == step(action="B", summary="keep 1 entries").key
    assert step(server=EX1).key != step().key
    assert step(summary="add a key").text == "Get-One: add a key"


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (ONE, "Get-One"),
        (READ, "GET /v1.0/principals/1"),
        (
            GraphRequest("PATCH", "p/1", {"keyCredentials": [{"keyId": "a"}]}),
            'PATCH /v1.0/p/1 {"keyCredentials": [{"keyId": "a"}]}',
        ),
    ],
    ids=["a cmdlet", "a read", "a write with its body"],
)
def test_a_step_is_spelled_out_for_who_runs_it_by_hand(
    command: Cmdlet | GraphRequest, line: str
) -> None:
    assert step(command=command, summary="add a key").spelled_out == line


def test_the_hash_of_a_plan_is_short_and_the_same_for_the_same_changes() -> None:
    patch = GraphRequest("PATCH", "p/1", {"keyCredentials": [{"a": 1, "b": 2}]})
    turned = GraphRequest("PATCH", "p/1", {"keyCredentials": [{"b": 2, "a": 1}]})
    steps = [step(), step(command=patch)]
    assert plan_hash(steps) == plan_hash([step(action="other words"), step(command=turned)])
    assert len(plan_hash(steps)) == 12
    assert plan_hash([]) != plan_hash(steps)


@pytest.mark.parametrize(
    "other",
    [
        [step(server=EX1)],
        [step(command=TWO)],
        [step(command=GraphRequest("PATCH", "p/1", {"keyCredentials": []}))],
        [step(), step()],
    ],
    ids=["elsewhere", "another cmdlet", "another body", "twice"],
)
def test_the_hash_of_a_plan_differs_with_its_changes(other: list[Step]) -> None:
    assert plan_hash(other) != plan_hash([step()])


def test_the_order_of_changes_is_part_of_a_plan() -> None:
    assert plan_hash([step(), step(command=TWO)]) != plan_hash([step(command=TWO), step()])


def test_a_secret_is_never_shown() -> None:
    secret = Sensitive.of("canary")
    assert (str(secret), repr(secret), f"{secret}") == ("***", "***", "***")
    assert secret.reveal() == "canary"


def test_a_guard_is_a_value() -> None:
    assert Guard(READ, frozenset({"a"}), frozenset()) == Guard(READ, frozenset({"a"}), frozenset())
    assert CmdletFailed("x").where == "cmdlet"
