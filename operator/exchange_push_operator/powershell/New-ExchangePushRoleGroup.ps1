<#
.SYNOPSIS
Makes a role group that may run the cmdlets of the Exchange Push Operator, and nothing else.

.DESCRIPTION
Reads allowlist.json, asks the organization which management roles have each cmdlet, makes a child
of as few of them as will do, and takes from each child every other cmdlet and every parameter that
the operator does not send. What is left is assigned to one role group. Exchange then enforces what
the host script promises. Run it in the Exchange Management Shell as a member of Organization
Management, anew after an update of the operator. It changes nothing but its own roles and group.

.PARAMETER Member
The account of the operator, or a group that it is in.

.PARAMETER Name
The name of the role group; its roles are named "<Name> - <parent role>".

.PARAMETER ReadOnly
Leaves out what changes something, for resources that only observe. Enable-PushNotificationProxy
stays, with -WhatIf alone: it is the only look at the proxy.

.PARAMETER AllowListPath
The operator's list of cmdlets; by default the file beside this script.

.EXAMPLE
.\New-ExchangePushRoleGroup.ps1 -Member svc-push -WhatIf

Shows what would be made.
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [Parameter(Mandatory = $true)]
    [string]$Member,

    [ValidateLength(1, 30)]
    [string]$Name = 'Exchange Push Operator',

    [switch]$ReadOnly,

    [string]$AllowListPath
)

$ErrorActionPreference = 'Stop'

# Not in param(): powershell -File of 5.1 knows its folder only after it.
if (-not $AllowListPath) { $AllowListPath = Join-Path -Path $PSScriptRoot -ChildPath 'allowlist.json' }

# What a role entry has of every cmdlet; the shell itself uses them.
$CommonParameters = @('Debug', 'ErrorAction', 'ErrorVariable', 'OutBuffer', 'OutVariable', 'Verbose', 'WarningAction', 'WarningVariable')
# A name of a role has at most 64 characters.
$LongestName = 64

function Get-NeededCmdlet {
    # Cmdlet names with the parameters that the operator sends.
    $needed = @{}
    $list = ConvertFrom-Json -InputObject ([IO.File]::ReadAllText((Resolve-Path -LiteralPath $AllowListPath).ProviderPath))
    foreach ($entry in $list.PSObject.Properties) {
        $rule = $entry.Value
        # Functions of the host script run as programs on the server. New-ExchangeCertificate is one
        # around the cmdlet of the same name; the cmdlets of the other one follow.
        if ($rule.kind -eq 'function' -or $entry.Name -eq 'Copy-ExchangeCertificate') { continue }
        $parameters = @($rule.parameters.PSObject.Properties | ForEach-Object -Process { $_.Name })
        if ($ReadOnly -and $rule.changes) {
            if ($parameters -notcontains 'WhatIf') { continue }
            $parameters = @('WhatIf')
        }
        $needed[$entry.Name] = $parameters
    }
    if (-not $ReadOnly -and $list.PSObject.Properties['Copy-ExchangeCertificate']) {
        $needed['Export-ExchangeCertificate'] = @('Thumbprint', 'Server', 'BinaryEncoded', 'Password', 'DomainController', 'Confirm')
        $needed['Import-ExchangeCertificate'] = @('Server', 'FileData', 'Password', 'PrivateKeyExportable', 'FriendlyName', 'DomainController', 'Confirm')
    }
    $needed
}

function Select-ParentRole {
    # As few roles as have all cmdlets: again and again the one that has most of what is missing.
    param([hashtable]$Needed)
    $holders = @{}
    foreach ($cmdlet in $Needed.Keys) {
        # Roles of end users belong into assignment policies, and a role group takes none of them.
        $roles = @(Get-ManagementRole -Cmdlet $cmdlet -ErrorAction SilentlyContinue |
                Where-Object -FilterScript { $_.IsRootRole -and -not $_.IsEndUserRole })
        if ($roles.Count -eq 0) {
            Write-Warning -Message "No management role here has $cmdlet; the operator will report AccessDenied where it needs it."
            continue
        }
        foreach ($role in $roles) {
            if (-not $holders.ContainsKey($role.Name)) { $holders[$role.Name] = @() }
            $holders[$role.Name] += $cmdlet
        }
    }
    $chosen = @{}
    $missing = @($holders.Values | ForEach-Object -Process { $_ } | Sort-Object -Unique)
    while ($missing.Count -gt 0) {
        $best = ''
        $covered = @()
        foreach ($role in ($holders.Keys | Sort-Object)) {
            $has = @($missing | Where-Object -FilterScript { $holders[$role] -contains $_ })
            if ($has.Count -gt $covered.Count) {
                $best = $role
                $covered = $has
            }
        }
        $chosen[$best] = $covered
        $missing = @($missing | Where-Object -FilterScript { $covered -notcontains $_ })
    }
    $chosen
}

function Get-RoleName {
    param([string]$Parent)
    $role = "$Name - $Parent"
    if ($role.Length -gt $LongestName) { $role = $role.Substring(0, $LongestName).TrimEnd() }
    $role
}

function New-NarrowRole {
    # Makes a child of the parent role with these cmdlets and their parameters, and nothing else.
    param([string]$Parent, [string[]]$Cmdlets, [hashtable]$Needed)
    $role = Get-RoleName -Parent $Parent
    if (-not (Get-ManagementRole | Where-Object -FilterScript { $_.Name -eq $role })) {
        New-ManagementRole -Name $role -Parent $Parent | Out-Null
    }
    $present = @(Get-ManagementRoleEntry -Identity "$role\*" | ForEach-Object -Process { $_.Name })
    foreach ($cmdlet in $Cmdlets) {
        # A child may have what its parent has: an entry taken away by an earlier run comes back.
        $wanted = $Needed[$cmdlet] + $CommonParameters
        $entry = Get-ManagementRoleEntry -Identity "$Parent\$cmdlet"
        $kept = @($entry.Parameters | Where-Object -FilterScript { $wanted -contains $_ })
        if ($present -contains $cmdlet) {
            Set-ManagementRoleEntry -Identity "$role\$cmdlet" -Parameters $kept -Confirm:$false | Out-Null
        } else {
            Add-ManagementRoleEntry -Identity "$role\$cmdlet" -Parameters $kept -Confirm:$false | Out-Null
        }
    }
    foreach ($cmdlet in $present) {
        if ($Cmdlets -notcontains $cmdlet) {
            Remove-ManagementRoleEntry -Identity "$role\$cmdlet" -Confirm:$false | Out-Null
        }
    }
}

function Update-RoleGroup {
    # Gives the group these roles and the member, and takes from it those roles that an earlier run
    # made and that are needed no longer.
    param([string[]]$Roles)
    $assigned = @{}
    foreach ($assignment in @(Get-ManagementRoleAssignment -RoleAssignee $Name)) {
        # A child may be shown with its parent: parent\child.
        $assigned[([string]$assignment.Role -split '\\')[-1]] = [string]$assignment.Identity
    }
    foreach ($role in $Roles) {
        if (-not $assigned.ContainsKey($role)) { New-ManagementRoleAssignment -SecurityGroup $Name -Role $role | Out-Null }
    }
    # A member can be named in several ways, so that only Exchange knows whether it is there.
    try { Add-RoleGroupMember -Identity $Name -Member $Member | Out-Null }
    catch { Write-Warning -Message "$Member was not added: $($_.Exception.Message)" }
    foreach ($role in $assigned.Keys) {
        if ($Roles -contains $role -or -not $role.StartsWith("$Name - ", [StringComparison]::OrdinalIgnoreCase)) { continue }
        Remove-ManagementRoleAssignment -Identity $assigned[$role] -Confirm:$false | Out-Null
        Remove-ManagementRole -Identity $role -Confirm:$false | Out-Null
    }
}

# Exchange's cmdlets are functions of a module here, and send -ErrorAction to the server: only what is
# set for the whole shell makes an error of theirs end this script.
$before = $global:ErrorActionPreference
$global:ErrorActionPreference = 'Stop'
try {
    $needed = Get-NeededCmdlet
    $chosen = Select-ParentRole -Needed $needed
    $parents = @($chosen.Keys | Sort-Object)
    if ($parents.Count -eq 0) { throw 'No management role here has any of the cmdlets. Run this as a member of Organization Management.' }
    $roles = @($parents | ForEach-Object -Process { Get-RoleName -Parent $_ })
    foreach ($parent in $parents) {
        if ($PSCmdlet.ShouldProcess((Get-RoleName -Parent $parent), "Make a role with $($chosen[$parent] -join ', ')")) {
            New-NarrowRole -Parent $parent -Cmdlets $chosen[$parent] -Needed $needed
        }
    }
    if ($PSCmdlet.ShouldProcess($Name, "Make the role group with the member $Member")) {
        if (Get-RoleGroup | Where-Object -FilterScript { $_.Name -eq $Name }) {
            Update-RoleGroup -Roles $roles
        } else {
            New-RoleGroup -Name $Name -Roles $roles -Members $Member -Description 'Cmdlets of the Exchange Push Operator, and nothing else.' | Out-Null
        }
        Get-RoleGroup -Identity $Name
    }
} finally { $global:ErrorActionPreference = $before }
