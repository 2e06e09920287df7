function Assert-GraphTenant {
    # Needs the module Microsoft.Graph.Authentication.
    param([string]$TenantId)
    $context = Get-MgContext
    if (-not $context) { throw 'sign in first: Connect-MgGraph -Scopes Application.ReadWrite.All' }
    if ($context.TenantId -ne $TenantId) { throw ('signed in to tenant ' + $context.TenantId + ', the plan is for ' + $TenantId) }
}
