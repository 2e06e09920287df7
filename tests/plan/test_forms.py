"""A plan in its three forms, and the verdict that is the exit code."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from exchange_push_operator.core.commands import Cmdlet, cmdlet
from exchange_push_operator.core.config import FINALIZER
from exchange_push_operator.core.errors import SpecError
from exchange_push_operator.core.plan import Step
from exchange_push_operator.core.ports import ExchangeAccess
from exchange_push_operator.plan.document import as_json
from exchange_push_operator.plan.passive import Planned, Verdict, look
from exchange_push_operator.plan.script import as_powershell
from exchange_push_operator.plan.text import as_text
from lab.in_process import Lab, lab
from plan.administrator import read, statements

tree_sitter = pytest.importorskip("tree_sitter")
grammar = pytest.importorskip("tree_sitter_powershell")

pytestmark = pytest.mark.lab


def planned(outside: Lab) -> Planned:
    return look(outside.resource, outside.operator().world)


def of(command: Cmdlet, **more: Any) -> Planned:
    step = Step("Correct it", "target", "AuthServerCorrected", command, **more)
    return Planned(
        "exchange/fabrikam", "https://graph.microsoft.com", {}, (("AuthServerReady", step),)
    )


def test_every_form_has_the_very_cmdlets_and_calls() -> None:
    plan = planned(lab())
    text, script, document = as_text(plan), as_powershell(plan), json.loads(as_json(plan))
    assert plan.steps
    first = [told for told in document["plannedChanges"] if not told["waits"]]
    for (stage, step), told in zip(plan.steps, first, strict=True):
        assert (told["stage"], told["command"]) == (stage, step.spelled_out)
        assert step.spelled_out in text
        assert told["powershell"][-1] in script
    assert document["planHash"] == plan.plan_hash
    assert plan.plan_hash in text.splitlines()[0]


def test_a_script_with_all_that_comes_along_parses() -> None:
    """tree-sitter's grammar: there is no PowerShell on most machines."""
    copied = of(cmdlet("Copy-ExchangeCertificate", Thumbprint="A", Server="ex2"), server="ex1")
    plan = planned(lab())
    both = replace(plan, steps=(*plan.steps, *copied.steps))
    script = as_powershell(both)
    for name in ("Assert-GraphTenant", "Assert-KeyCredential", "Copy-ExchangeCertificate"):
        assert f"function {name} {{" in script
    parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    pending = [parser.parse(script.encode()).root_node]
    while pending:
        node = pending.pop()
        assert not node.is_error, node.text
        assert not node.is_missing, node.text
        pending += node.children


def test_the_plan_is_the_operators_own() -> None:
    outside = lab({"managementPolicy": "Observe"})
    outside.operator().run()
    plan = planned(outside)
    assert plan.plan_hash == outside.status["planHash"]
    assert len(plan.steps + plan.waiting) == len(outside.status["plannedChanges"])


def test_a_plan_signs_in_with_leave_to_look_alone() -> None:
    outside = lab()
    operator = outside.operator()
    look(outside.resource, operator.world)
    assert {access.read_only for access in operator.accesses} == {True}
    assert not any(access.read_only for access in _accesses(outside))


def _accesses(outside: Lab) -> list[ExchangeAccess]:
    operator = outside.operator()
    operator.run()
    return operator.accesses


def test_nothing_to_do_is_0_changes_are_2() -> None:
    outside = lab()
    assert int(planned(outside).verdict) == 2
    outside.operator().run()
    plan = planned(outside)
    assert int(plan.verdict) == 0
    assert "Nothing to do" in as_text(plan)
    assert list(statements(as_powershell(plan))) == []


def all_down(outside: Lab) -> None:
    for server in outside.organization.servers.values():
        server.faults.down = True


def without_policy(outside: Lab) -> None:
    outside.policy = {"namespaces": {}}


def without_secret(outside: Lab) -> None:
    del outside.secrets["fabrikam-exchange"]


def too_old(outside: Lab) -> None:
    for server in outside.organization.servers.values():
        server.version = "15.0.712.24"


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (all_down, "Unreachable"),
        (without_policy, "NotAllowedByPolicy"),
        (without_secret, "SecretNotFound"),
        (too_old, "ServerTooOld"),
    ],
)
def test_what_keeps_the_plan_from_being_whole_is_1_and_named(trouble: Any, reason: str) -> None:
    outside = lab()
    trouble(outside)
    plan = planned(outside)
    assert int(plan.verdict) == 1
    assert any(text.startswith(f"{reason}: ") for text in plan.in_the_way)
    assert f"In the way: {reason}: " in as_text(plan)
    assert list(statements(as_powershell(plan))) == []


def test_a_suspended_resource_is_planned_for_all_the_same() -> None:
    outside = lab({"suspend": True})
    outside.annotate("exchangepush.dev/suspended", "true")
    assert planned(outside).verdict is Verdict.CHANGES
    assert outside.resource["spec"]["suspend"] is True


def test_a_finalizer_that_is_to_go_hides_no_change() -> None:
    outside = lab()
    outside.resource["metadata"]["finalizers"] = [FINALIZER]
    assert planned(outside).verdict is Verdict.CHANGES
    assert outside.resource["metadata"]["finalizers"] == [FINALIZER]


def test_what_was_in_order_a_minute_ago_is_not_said_to_be_so_now() -> None:
    outside = lab()
    outside.operator().run()
    outside.clock.forward(minutes=1)
    all_down(outside)
    plan = planned(outside)
    assert plan.verdict is Verdict.ERROR
    assert plan.in_the_way[0].startswith("Unreachable: ")


def test_what_is_being_deleted_has_no_plan() -> None:
    outside = lab()
    outside.resource["metadata"]["deletionTimestamp"] = "2026-11-21T09:00:00Z"
    with pytest.raises(SpecError, match="is being deleted"):
        planned(outside)


NASTY = ["O'Neill", "\u2019; Remove-Mailbox \u2019", "$(Get-Date)", "a`b", 'a "b"', "Gr\u00fcn"]


@pytest.mark.parametrize("name", NASTY)
def test_a_name_that_somebody_chose_stays_a_text_in_the_script(name: str) -> None:
    command = cmdlet("Set-AuthServer", Identity=name, Enabled=True, Confirm=False)
    script = as_powershell(of(command))
    (line,) = statements(script)
    assert read(line) == command
    assert script.isascii() or script.startswith("\ufeff")


def test_a_name_with_a_line_end_makes_no_line_of_the_script() -> None:
    step = Step("Correct", "x\nRemove-Mailbox y", "AuthServerCorrected", cmdlet("Get-AuthConfig"))
    plan = Planned("a/b", "https://graph.microsoft.com", {}, (("AuthServerReady", step),))
    assert list(statements(as_powershell(plan))) == ["Get-AuthConfig"]


def test_what_a_server_said_cannot_move_the_cursor() -> None:
    named = of(cmdlet("Set-AuthServer", Identity="x"))
    text = as_text(replace(named, unseen=("\x1b[2J\r\x07x",)))
    assert "?[2J??x" in text


def test_what_cannot_be_seen_in_a_name_is_spelled_out_in_its_command() -> None:
    """An escape sequence, or letters that run backwards, in a script that a person reads."""
    named = of(cmdlet("Set-PartnerApplication", Identity="a\x1b[2J\n\u202eb'c"))
    script = as_powershell(named)
    assert all(line.isprintable() for line in script.splitlines())
    char = "' + [char]::ConvertFromUtf32({}) + '"
    spelled = f"('a{char.format('0x1b')}[2J{char.format('0xa')}{char.format('0x202e')}b''c')"
    assert f"\nSet-PartnerApplication -Identity {spelled}\n" in script
    assert spelled in as_text(named)


def test_a_script_stops_at_its_first_error_and_leaves_the_shell_as_it_was() -> None:
    lines = as_powershell(of(cmdlet("Set-AuthConfig", Force=True))).splitlines()
    stops = lines.index("$global:ErrorActionPreference = 'Stop'")
    assert lines[stops - 1] == "$preference = $global:ErrorActionPreference"
    assert lines[stops + 1] == "try {"
    does = lines.index("Set-AuthConfig -Force:$true")
    ends = lines.index("} finally { $global:ErrorActionPreference = $preference }")
    assert stops < does < ends


def test_a_cmdlet_of_one_server_runs_there_and_windows_own_without_exchange() -> None:
    made = as_powershell(of(cmdlet("Set-AuthConfig", Force=True), server="ex1.example"))
    assert list(statements(made)) == [
        "Connect-ExchangeServer -ServerFqdn 'ex1.example'",
        "Set-AuthConfig -Force:$true",
    ]
    restart = as_powershell(
        of(cmdlet("Restart-Service", Name="MSExchangeHM"), server="ex1.example")
    )
    there = "Invoke-Command -ComputerName 'ex1.example' -ScriptBlock"
    assert list(statements(restart)) == [f"{there} {{ Restart-Service -Name 'MSExchangeHM' }}"]
