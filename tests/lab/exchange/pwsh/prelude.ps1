# Runs before stage 0 in a PowerShell process of the lab, and puts the lab's Exchange in the place of
# a real one. Neither stage 0 nor the host script is changed by a byte: PowerShell looks for an alias
# before it looks for a function, so two aliases replace two functions of the host script.
# Windows PowerShell 5.1, and PowerShell 7 on any system.

$env:LAB_ADDRESS = '@@ADDRESS@@'

# What runs in the Exchange session, and in the local one: functions that ask the lab's model.
$LabExchangeStubs = @'
@@EXCHANGE@@
'@
$LabLocalStubs = @'
@@LOCAL@@
'@

@@TALK@@

Set-Alias -Name Open-ExchangeSession -Value Open-LabExchangeSession
Set-Alias -Name Open-LocalSession -Value Open-LabLocalSession

function Open-LabExchangeSession {
    # The host's rules of when to open one; a real session in a second process in place of WinRM.
    $session = $State.ExchangeSession
    if ($session -and $session.RunspaceStateInfo.State -eq 'Opened' -and $session.RunspaceAvailability -eq 'Available') { return }
    if ($State.SessionError) { throw $State.SessionError }
    $State.ExchangeSession = $null
    if ($session) { $session.Dispose() }
    if (-not $State.Fqdn) { Deny-Call -Id 'NotLoggedIn' -Message 'no login yet' }
    try { Connect-Lab }
    catch {
        $State.SessionError = $_
        throw $State.SessionError
    }
    $session = [Management.Automation.Runspaces.RunspaceFactory]::CreateOutOfProcessRunspace($null)
    $session.Open()
    Invoke-LabScript -Session $session -Script $LabExchangeStubs
    $State.ExchangeSession = $session
}

function Open-LabLocalSession {
    # The host's own function does the work; then what needs Windows and Exchange is replaced.
    $before = $State.LocalSession
    & (Get-Command -Name Open-LocalSession -CommandType Function)
    if ([Object]::ReferenceEquals($before, $State.LocalSession)) { return }
    Invoke-LabScript -Session $State.LocalSession -Script $LabLocalStubs
}

function Connect-Lab {
    # Asks whether the second hop would be let in; fails as WinRM does where it would not.
    $username = ''
    $password = ''
    if ($State.Credential) {
        $username = $State.Credential.UserName
        $password = $State.Credential.GetNetworkCredential().Password
    }
    $answer = Send-LabRequest -Request @{ fqdn = $State.Fqdn; username = $username; password = $password }
    if (-not $answer.message) { return }
    $exception = New-Object -TypeName Management.Automation.Remoting.PSRemotingTransportException -ArgumentList (ConvertFrom-LabValue -Value $answer.message)
    $exception.ErrorCode = ConvertFrom-LabValue -Value $answer.code
    # Through a method, as it comes out of Runspace.Open().
    $open = { throw $exception }
    $open.Invoke()
}

function Invoke-LabScript {
    param($Session, [string]$Script)
    $shell = [PowerShell]::Create()
    try {
        $shell.Runspace = $Session
        [void]$shell.AddScript($Script)
        [void]$shell.Invoke()
        if ($shell.Streams.Error.Count -gt 0) { throw $shell.Streams.Error[0] }
    } finally { $shell.Dispose() }
}
