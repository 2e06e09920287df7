"""The script that makes the role group: it parses, and gives what the allow-list has."""

from __future__ import annotations

import re

from adapters.powershell_tree import functions, nodes, of_type, source
from exchange_push_operator.adapters.allow_list import allow_list

SCRIPT = "New-ExchangePushRoleGroup.ps1"
# Of Windows PowerShell 3.0, and of Exchange's role-based access control.
CMDLETS = {
    *("ConvertFrom-Json", "ForEach-Object", "Join-Path", "Out-Null", "Sort-Object", "Where-Object"),
    *("Resolve-Path", "Write-Warning"),
    *("Add-ManagementRoleEntry", "Get-ManagementRole", "Get-ManagementRoleEntry"),
    *("New-ManagementRole", "Remove-ManagementRoleEntry", "Set-ManagementRoleEntry"),
    *("Get-ManagementRoleAssignment", "New-ManagementRoleAssignment"),
    *("Remove-ManagementRole", "Remove-ManagementRoleAssignment"),
    *("Add-RoleGroupMember", "Get-RoleGroup", "New-RoleGroup"),
}


def test_it_parses_is_ascii_and_uses_no_alias_and_no_other_cmdlet() -> None:
    assert [node.text for node in nodes(SCRIPT) if node.is_error or node.is_missing] == []
    assert source(SCRIPT).isascii()
    functions = of_type(SCRIPT, "function_name")
    assert of_type(SCRIPT, "command_name") <= CMDLETS | functions


def test_every_change_of_it_is_behind_should_process_or_in_the_function_behind_it() -> None:
    text = source(SCRIPT).decode()
    main = text[text.index("$needed = Get-NeededCmdlet") :]
    before, *_ = main.split("ShouldProcess")
    assert not re.search(r"(New|Set|Add|Remove|Update)-(Management|RoleGroup)", before)
    assert main.count("New-NarrowRole") == main.count("Update-RoleGroup") == 1


def test_an_error_of_an_exchange_cmdlet_ends_it_and_the_shell_is_left_as_it_was() -> None:
    """A module's functions see the preference of the whole shell, not that of a script."""
    text = source(SCRIPT).decode()
    before, _, after = text.partition("$global:ErrorActionPreference = 'Stop'\ntry {\n")
    assert before.endswith("$before = $global:ErrorActionPreference\n")
    assert after.endswith("} finally { $global:ErrorActionPreference = $before }\n")
    changes = re.compile(r"^(?:New|Set|Add|Remove|Get)-(?:Management|RoleGroup)", re.MULTILINE)
    assert not changes.search(text)


def test_a_role_that_is_needed_no_longer_goes_and_no_role_of_somebody_else() -> None:
    text = functions(SCRIPT)["Update-RoleGroup"]
    kept, removal = text.split("{ continue }")
    assert '-not $role.StartsWith("$Name - "' in kept
    assert "Remove-" not in kept
    assert removal.count("Remove-") == 2


def test_it_asks_for_its_own_folder_after_its_parameters() -> None:
    """PowerShell 5.1 does not know it among the defaults of a script run with -File."""
    script = source(SCRIPT)
    assert b"$PSScriptRoot" not in script[: script.index(b"\n)\n")]
    assert b"$PSScriptRoot" in script


def test_whoever_only_observes_may_change_nothing_but_look_at_the_proxy_with_what_if() -> None:
    """-ReadOnly leaves out changing cmdlets that have no -WhatIf in the allow-list."""
    kept = {n for n, rule in allow_list().items() if rule.changes and "WhatIf" in rule.parameters}
    assert kept == {"Enable-PushNotificationProxy"}
