"""What may be sent to a server, and that the host script on the other side has the same rules."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from adapters.powershell_tree import functions, source
from exchange_push_operator.adapters.allow_list import (
    DATE,
    TYPES,
    NotAllowed,
    allow_list,
    check,
    text,
)
from exchange_push_operator.core.commands import Cmdlet, cmdlet

ENTRIES: dict[str, dict[str, Any]] = json.loads(text())
FIXED = {name for name, entry in ENTRIES.items() if entry["kind"] != "exchange"}


def staged(date: str) -> Cmdlet:
    return cmdlet("Set-AuthConfig", NewCertificateEffectiveDate=date)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(cmdlet("Remove-AuthServer"), id="unknown cmdlet"),
        pytest.param(cmdlet("get-authserver"), id="other spelling"),
        pytest.param(cmdlet("Get-AuthServer", Verbose=True), id="unknown parameter"),
        pytest.param(cmdlet("Get-AuthServer", DomainController=True), id="bool for a text"),
        pytest.param(cmdlet("New-ExchangeCertificate", KeySize=True), id="bool for a number"),
        pytest.param(cmdlet("New-ExchangeCertificate", KeySize="2048"), id="text for a number"),
        pytest.param(cmdlet("New-ExchangeCertificate", DomainName="a"), id="text for texts"),
        pytest.param(cmdlet("New-ExchangeCertificate", Force=True), id="-Force"),
        pytest.param(cmdlet("Set-AuthConfig", Confirm="false"), id="text for a bool"),
        pytest.param(cmdlet("Restart-Service", Name="W3SVC"), id="value that is not listed"),
        pytest.param(staged("2026-11-21T09:00:00"), id="date without a zone"),
        pytest.param(staged("2026-11-21T09:00:00+01:00"), id="date that is not in UTC"),
        pytest.param(staged("11/21/2026 9:00:00 AM"), id="date of a culture"),
        pytest.param(staged("2026-02-30T09:00:00Z"), id="day that there is not"),
    ],
)
def test_what_is_not_on_the_allow_list_is_refused_before_anything_is_sent(command: Cmdlet) -> None:
    with pytest.raises(NotAllowed):
        check(command, changes=True)


def test_a_change_among_the_looks_is_refused() -> None:
    with pytest.raises(NotAllowed):
        check(cmdlet("Restart-Service", Name="MSExchangeHM"), changes=False)
    check(cmdlet("Restart-Service", Name="MSExchangeHM"), changes=True)


def test_what_if_makes_a_look_of_a_change() -> None:
    check(cmdlet("Enable-PushNotificationProxy", WhatIf=True), changes=False)
    with pytest.raises(NotAllowed):
        check(cmdlet("Enable-PushNotificationProxy", WhatIf=False), changes=False)


@pytest.mark.parametrize(
    "date", ["2026-11-21T09:00:00Z", "2026-11-21T09:00:00+00:00", "2026-11-21T09:00:00.25Z"]
)
def test_a_date_is_iso_8601_in_utc(date: str) -> None:
    check(staged(date), changes=True)


def region(title: str) -> str:
    """A region of host.ps1."""
    return source("host.ps1").decode().partition(f"#region {title}")[2].partition("#endregion")[0]


def quoted(script: str) -> list[str]:
    return re.findall(r"'([^']*)'", script)


def test_both_sides_know_the_same_types() -> None:
    cases = re.findall(r"^        '(\w+)' \{", functions("host.ps1")["Set-Argument"], re.MULTILINE)
    named = {
        kind
        for entry in ENTRIES.values()
        for kind in entry["parameters"].values()
        if isinstance(kind, str)
    }
    assert set(cases) == set(TYPES) == named
    assert len(cases) == len(set(cases))


def test_both_sides_know_the_same_form_of_a_date() -> None:
    (pattern,) = re.findall(r"-cnotmatch '\^(.*)\\z'", functions("host.ps1")["Set-Argument"])
    assert pattern == DATE.pattern


def test_an_entry_has_a_kind_that_the_host_script_tells_apart() -> None:
    kinds = {entry["kind"] for entry in ENTRIES.values()}
    assert kinds == {"exchange", "function", "exchange-function"}
    assert set(re.findall(r"\.kind -\w+ '([\w-]+)'", functions("host.ps1")["Invoke-Call"])) == {
        "exchange",
        "function",
    }
    keys = {key for entry in ENTRIES.values() for key in entry}
    assert keys == {"kind", "changes", "parameters", "output"}


def test_a_read_only_login_is_asked_about_before_a_session_is_opened_and_never_taken_back() -> None:
    text = functions("host.ps1")["Invoke-Call"]
    assert 0 < text.index("$State.ReadOnly -and $rule.changes") < text.index("Open-ExchangeSession")
    script = source("host.ps1").decode()
    assert re.findall(r"\bReadOnly\s*= (\S+)", script) == ["$false", "$true"]


def test_what_a_read_only_login_leaves_is_looks_by_their_names() -> None:
    left = [name for name, entry in ENTRIES.items() if not entry.get("changes")]
    assert {name.partition("-")[0] for name in left} == {"Get", "Test", "Invoke"}
    assert [name for name in left if name.startswith("Invoke")] == ["Invoke-MonitoringProbe"]


def test_every_fixed_function_is_an_entry_or_called_by_one() -> None:
    texts = functions("host.ps1")
    fixed = set(re.findall(r"^function (\S+)", region("Fixed functions"), re.MULTILINE))
    listed = source("host.ps1").decode().partition("$FixedFunctions = @(")[2].partition(")")[0]
    assert set(quoted(listed)) == fixed
    helpers = {
        name
        for name in fixed
        if any(re.search(rf"(?<!function ){name}\b", texts[other]) for other in fixed - {name})
    }
    assert fixed >= FIXED
    assert fixed - FIXED <= helpers


POWERSHELL = {"[string]": "string", "[bool]": "bool", "[int]": "int", "[string[]]": "strings"}


@pytest.mark.parametrize("name", sorted(FIXED))
def test_a_fixed_function_takes_the_parameters_of_its_entry(name: str) -> None:
    text = functions("host.ps1")[name]
    head = re.search(r"^ *param\((.*)\)$", text, re.MULTILINE)
    taken: dict[str, str | list[str]] = {}
    for values, kind, parameter in re.findall(
        r"(?:\[ValidateSet\(([^)]*)\)\])?(\[\w+(?:\[\])?\])\$(\w+)", head[1] if head else ""
    ):
        taken[parameter] = quoted(values) or POWERSHELL[kind]
    assert taken == ENTRIES[name]["parameters"]


@pytest.mark.parametrize("name", sorted(FIXED))
def test_a_fixed_function_gives_the_properties_of_its_entry(name: str) -> None:
    text = functions("host.ps1")[name]
    if f"Invoke-ExchangeCmdlet -Name '{name}'" in text:
        return  # gives what the cmdlet of this name gives
    given = text.partition("New-Object -TypeName PSObject -Property @{")[2].partition("\n    }")[0]
    assert re.findall(r"^ +(\w+) += ", given, re.MULTILINE) == ENTRIES[name]["output"]


def trees() -> Iterator[ast.AST]:
    """The code that may spell a cmdlet."""
    root = Path(str(files("exchange_push_operator")))
    for folder in ("core", "stages", "reconcile", "selftest", "assess"):
        for path in sorted((root / folder).glob("*.py")):
            yield ast.parse(path.read_text("utf-8"))


def calls(node: ast.AST) -> Iterator[ast.Call]:
    """Calls of ``cmdlet``, but those in a text, which a person is told to run."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call) and getattr(child.func, "id", "") == "cmdlet":
            yield child
        if not isinstance(child, ast.JoinedStr):
            yield from calls(child)


def test_what_the_operator_sends_is_allowed() -> None:
    for tree in trees():
        for call in calls(tree):
            if isinstance(call.args[0], ast.Constant):
                name = str(call.args[0].value)
                spelt = {word.arg for word in call.keywords if word.arg}
                assert spelt <= set(allow_list()[name].parameters), name


def test_what_nobody_sends_is_not_allowed() -> None:
    spelt = {
        node.value
        for tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert set(allow_list()) <= spelt
