<#
.SYNOPSIS
    Runs allow-listed cmdlets on this Exchange server for exchange-push-operator.

.DESCRIPTION
    Reads one JSON request per line from standard input and writes one JSON answer per line to
    standard output, until standard input ends. Works in Windows PowerShell 3.0 to 5.1.

    What can be asked for stands in $AllowList: Exchange cmdlets, which run in a session to this
    server's own Exchange endpoint under the rights of the account (RBAC), and the fixed functions
    below. They are invoked by name with typed parameters, and only the listed properties come
    back. No text that was received is ever run as script, and nothing is written to disk.

    The operator sends this script at each start (spec.exchange.connection.hostScript: Streamed),
    or an administrator signs and installs it as a file (Installed).

.PARAMETER Reader
    Where requests are read; standard input if it is left out.

.PARAMETER Writer
    Where answers are written; standard output if it is left out.

.PARAMETER Version
    The SHA-256 of this script, as its caller has checked it. A file finds it out by itself.

.NOTES
    Requests: {"id", "op": "login", "fqdn", "username", "password", "readOnly"}; without a password the
    session is opened with the ticket that the caller has delegated. With "readOnly": true the
    process refuses from then on whatever the allow-list marks as a change.
    {"id", "op": "run", "stopOnError", "calls": [{"cmdlet", "parameters", "timeout"}]}.
    {"id", "op": "ping"}.
#>
param($Reader, $Writer, [string]$Version)

Set-StrictMode -Off
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$WarningPreference = 'SilentlyContinue'
$VerbosePreference = 'SilentlyContinue'
$ConfirmPreference = 'None'

# "kind" is where an entry runs: exchange (a cmdlet of the Exchange session), function (below), or
# exchange-function (a function that uses the Exchange session). "changes" is for the operator.
$AllowList = ConvertFrom-Json -InputObject @'
@@ALLOW@@
'@

# Where the work of one call is done: 'request', 'session' or 'cmdlet'.
$State = @{
    Boot            = [Guid]::NewGuid().ToString('N')
    Fqdn            = ''
    Credential      = $null
    ExchangeSession = $null
    SessionError    = $null
    LocalSession    = $null
    ReadOnly        = $false
    Stuck           = $false
    Where           = 'request'
    Answers         = New-Object Collections.Specialized.OrderedDictionary
}

# PowerShell 7 turns text that looks like a date into a date. From 7.5 on it can be told not to;
# what 7.4 makes of it is a date all the same. 5.1 leaves it alone and has no such switch.
$JsonOption = @{}
if ((Get-Command -Name ConvertFrom-Json).Parameters.ContainsKey('DateKind')) { $JsonOption.DateKind = 'String' }

#region Fixed functions: what no Exchange cmdlet tells or does. They run in a local session of their
# own, which knows $Credential, $Fqdn and $ExchangeSession. $env:COMPUTERNAME is the name that
# Exchange uses for a server.

function Get-LocalExchangeServer {
    $ErrorActionPreference = 'Stop'

    # AdminDisplayVersion stays at the cumulative update; the file of Setup has the true build.
    $build = $null
    $key = [Microsoft.Win32.Registry]::LocalMachine.OpenSubKey('SOFTWARE\Microsoft\ExchangeServer\v15\Setup')
    if ($key) {
        $setup = [IO.Path]::Combine([string]$key.GetValue('MsiInstallPath'), 'Bin\ExSetup.exe')
        if ([IO.File]::Exists($setup)) {
            $file = [Diagnostics.FileVersionInfo]::GetVersionInfo($setup)
            $build = '{0}.{1}.{2}.{3}' -f $file.FileMajorPart, $file.FileMinorPart, $file.FileBuildPart, $file.FilePrivatePart
        }
    }

    $transport = $null
    if ($key) {
        try { $transport = Get-TransportThumbprint }
        catch { Write-Warning -Message ('The internal transport certificate could not be read: ' + $_.Exception.GetBaseException().GetType().Name) }
    }

    # Two questions in all, for a few properties: WMI walks through all services and all processes
    # for each. With the module's name, because a bare one is looked for in all modules.
    $services = @(CimCmdlets\Get-CimInstance -ClassName Win32_Service -Filter "Name='MSExchangeHM' OR Name='MSExchangeServiceHost'" -Property 'Name', 'ProcessId')
    $workers = @(CimCmdlets\Get-CimInstance -ClassName Win32_Process -Filter "Name='w3wp.exe'" -Property 'CommandLine', 'CreationDate')

    New-Object -TypeName PSObject -Property @{
        Name                           = $env:COMPUTERNAME
        Fqdn                           = ('{0}.{1}' -f $env:COMPUTERNAME, (Get-DomainName)).ToLowerInvariant()
        Version                        = $build
        TimeUTC                        = [DateTime]::UtcNow
        HealthManagerStartedUTC        = Get-ServiceStart -Services $services -Name 'MSExchangeHM'
        ServiceHostStartedUTC          = Get-ServiceStart -Services $services -Name 'MSExchangeServiceHost'
        OwaPoolStartedUTC              = Get-WebAppPoolStart -Workers $workers -Name 'MSExchangeOWAAppPool'
        EcpPoolStartedUTC              = Get-WebAppPoolStart -Workers $workers -Name 'MSExchangeECPAppPool'
        SetupRunning                   = (@(Get-Process -Name 'ExSetup*' -ErrorAction SilentlyContinue).Count -gt 0)
        TransportCertificateThumbprint = $transport
    }
}

function Get-DomainName {
    [Net.NetworkInformation.IPGlobalProperties]::GetIPGlobalProperties().DomainName
}

function Get-ServiceStart {
    # When the process of a service was started; $null where it does not run.
    param($Services, [string]$Name)
    foreach ($service in $Services) {
        if ($service.Name -ne $Name -or -not $service.ProcessId) { continue }
        # It may have ended in the meantime.
        $process = Get-Process -Id $service.ProcessId -ErrorAction SilentlyContinue
        if ($process) { $process.StartTime.ToUniversalTime() }
    }
}

function Get-WebAppPoolStart {
    # When the oldest worker process of a pool was started; $null where none runs. After a recycling
    # the old one still answers what it has begun: it counts until it is gone.
    param($Workers, [string]$Name)
    $started = $null
    foreach ($process in $Workers) {
        if ([string]$process.CommandLine -notlike "* -ap `"$Name`" *") { continue }
        $time = $process.CreationDate.ToUniversalTime()
        if ($null -eq $started -or $time -lt $started) { $started = $time }
    }
    $started
}

function Find-DirectoryObject {
    # The first object below Microsoft Exchange in Active Directory's configuration that a filter
    # finds, with one attribute.
    param([string]$Filter, [string]$Attribute)
    Add-Type -AssemblyName System.DirectoryServices.Protocols
    # The domain that the computer is a member of: its DNS suffix may be another one.
    $domain = (CimCmdlets\Get-CimInstance -ClassName Win32_ComputerSystem -Property 'Domain').Domain
    $connection = New-Object -TypeName DirectoryServices.Protocols.LdapConnection -ArgumentList $domain
    try {
        # A network logon has no credential to show to a domain controller, a delegated one has.
        if ($Credential) {
            $login = $Credential.GetNetworkCredential()
            # What stands behind the @ of a user principal name need not be a domain.
            if ($Credential.UserName -notlike '*\*') { $login = New-Object -TypeName Net.NetworkCredential -ArgumentList $Credential.UserName, $Credential.Password }
            $connection.Credential = $login
        }
        # For connecting and for each of two requests: together less than a look may take.
        $connection.Timeout = [TimeSpan]::FromSeconds(10)
        # Version 2, with which Windows may begin, can neither sign nor seal.
        $connection.SessionOptions.ProtocolVersion = 3
        $connection.SessionOptions.Signing = $true
        $connection.SessionOptions.Sealing = $true
        $root = New-Object -TypeName DirectoryServices.Protocols.SearchRequest -ArgumentList '', '(objectClass=*)', 'Base', 'configurationNamingContext'
        $configuration = $connection.SendRequest($root).Entries[0].Attributes['configurationNamingContext'].GetValues([string])[0]
        $search = New-Object -TypeName DirectoryServices.Protocols.SearchRequest -ArgumentList "CN=Microsoft Exchange,CN=Services,$configuration", $Filter, 'Subtree', $Attribute
        $entries = $connection.SendRequest($search).Entries
        if ($entries.Count -gt 0) { $entries[0] }
    } finally { $connection.Dispose() }
}

function Get-TransportThumbprint {
    # No cmdlet names the certificate that Exchange uses between its servers; its AD object does.
    $server = Find-DirectoryObject -Filter "(&(objectClass=msExchExchangeServer)(cn=$env:COMPUTERNAME))" -Attribute 'msExchServerInternalTLSCert'
    if (-not $server -or -not $server.Attributes['msExchServerInternalTLSCert']) { return $null }
    $der = $server.Attributes['msExchServerInternalTLSCert'].GetValues([byte[]])[0]
    # The comma keeps the bytes together as the one argument of the constructor.
    (New-Object -TypeName Security.Cryptography.X509Certificates.X509Certificate2 -ArgumentList (, $der)).Thumbprint
}

function Get-LocalPushNotificationProxy {
    # There is no Get- cmdlet for the proxy. In which attributes its object keeps Enabled,
    # Organization and Uri is documented nowhere, so only what every object has is read.
    $ErrorActionPreference = 'Stop'
    $proxy = Find-DirectoryObject -Filter '(&(objectClass=msExchPushNotificationsApp)(cn=OnPrem-Proxy))' -Attribute 'whenChanged'
    if (-not $proxy) { return }
    $text = $proxy.Attributes['whenChanged'].GetValues([string])[0]
    New-Object -TypeName PSObject -Property @{
        Name           = 'OnPrem-Proxy'
        WhenChangedUTC = [DateTime]::ParseExact($text, "yyyyMMddHHmmss.0'Z'", [Globalization.CultureInfo]::InvariantCulture, 'AssumeUniversal, AdjustToUniversal')
    }
}

function Test-LocalReach {
    # Whether this server gets an answer from an address of Microsoft 365: any status will do, for
    # nothing is signed in to. $Proxy is the server's own InternetWebProxy; without one it goes
    # directly, as Exchange does, whatever the account has set for itself.
    param([ValidateSet('https://login.microsoftonline.com/', 'https://accounts.accesscontrol.windows.net/', 'https://outlook.office365.com/', 'https://login.microsoftonline.us/', 'https://outlook.office365.us/', 'https://outlook-dod.office365.us/', 'https://login.partner.microsoftonline.cn/', 'https://accounts.accesscontrol.chinacloudapi.cn/', 'https://partner.outlook.cn/', 'https://login.sovcloud-identity.fr/', 'https://outlook.sovcloud.fr/', 'https://login.sovcloud-identity.de/', 'https://outlook.sovcloud.de/')][string]$Uri, [string]$Proxy)
    $ErrorActionPreference = 'Stop'
    [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
    $request = [Net.WebRequest]::Create($Uri)
    $request.Method = 'HEAD'
    $request.AllowAutoRedirect = $false
    $request.Timeout = 10000
    $request.Proxy = $null
    if ($Proxy) { $request.Proxy = New-Object -TypeName Net.WebProxy -ArgumentList $Proxy }
    $status = $null
    $failure = $null
    $response = $null
    try { $response = $request.GetResponse() }
    catch {
        # The method call has wrapped the true error; a 404 is an error of .NET and an answer to us.
        $inner = $_.Exception
        while ($inner -and $inner -isnot [Net.WebException]) { $inner = $inner.InnerException }
        if (-not $inner) { throw }
        $response = $inner.Response
        if (-not $response) { $failure = [string]$inner.Status }
    }
    if ($response) {
        $status = [int]$response.StatusCode
        $response.Close()
    }
    New-Object -TypeName PSObject -Property @{
        Status  = $status
        Failure = $failure
    }
}

function Get-LocalCertificate {
    $ErrorActionPreference = 'Stop'
    $store = New-Object -TypeName Security.Cryptography.X509Certificates.X509Store -ArgumentList 'My', 'LocalMachine'
    $store.Open('ReadOnly')
    try {
        foreach ($certificate in $store.Certificates) {
            New-Object -TypeName PSObject -Property @{
                Thumbprint    = $certificate.Thumbprint
                HasPrivateKey = $certificate.HasPrivateKey
                FriendlyName  = $certificate.FriendlyName
                RawData       = $certificate.RawData
            }
        }
    } finally { $store.Close() }
}

function New-ExchangeCertificate {
    # Exchange's own cmdlet, behind a guard: a process of an operator that was killed may still be
    # making the very certificate. One at a time on this computer, and none of a name that is there.
    param([string]$Server, [int]$KeySize, [bool]$PrivateKeyExportable, [string]$SubjectName, [string]$FriendlyName, [string[]]$DomainName, [string]$Services, [bool]$Confirm)
    $ErrorActionPreference = 'Stop'
    $mutex = New-Object -TypeName Threading.Mutex -ArgumentList $false, 'Global\exchange-push-operator'
    try {
        try { $mine = $mutex.WaitOne([TimeSpan]::FromSeconds(60)) }
        catch [Threading.AbandonedMutexException] { $mine = $true }
        if (-not $mine) { throw 'another process of the operator is making a certificate on this server' }
        try {
            foreach ($certificate in @(Get-LocalCertificate)) {
                if ($certificate.FriendlyName -eq $FriendlyName) { throw 'a certificate of this friendly name has been made in the meantime' }
            }
            $parameters = @{}
            foreach ($name in $PSBoundParameters.Keys) { $parameters[$name] = $PSBoundParameters[$name] }
            Invoke-ExchangeCmdlet -Name 'New-ExchangeCertificate' -Parameters $parameters
        } finally { $mutex.ReleaseMutex() }
    } finally { $mutex.Dispose() }
}

function Copy-ExchangeCertificate {
    # A certificate with its private key from this server to another one. The PFX and its password
    # are in the memory of this process and of Exchange only, and go when this function ends.
    param([string]$Thumbprint, [string]$Server)
    $ErrorActionPreference = 'Stop'
    $random = New-Object -TypeName byte[] -ArgumentList 64
    $generator = [Security.Cryptography.RandomNumberGenerator]::Create()
    $generator.GetBytes($random)
    $generator.Dispose()
    # Never a string: there is nothing that a message or a log could show.
    $password = New-Object -TypeName Security.SecureString
    foreach ($byte in $random) { $password.AppendChar([char](33 + $byte % 94)) }
    [Array]::Clear($random, 0, $random.Length)

    $pfx = New-Object -TypeName byte[] -ArgumentList 0
    try {
        $file = Invoke-ExchangeCmdlet -Name 'Export-ExchangeCertificate' -Parameters @{
            Thumbprint    = $Thumbprint
            Server        = $Fqdn
            BinaryEncoded = $true
            Password      = $password
        }
        if ($file) { $pfx = [byte[]]$file.FileData }
        $null = Invoke-ExchangeCmdlet -Name 'Import-ExchangeCertificate' -Parameters @{
            Server               = $Server
            FileData             = $pfx
            Password             = $password
            PrivateKeyExportable = $true
            Confirm              = $false
        }
    } finally {
        [Array]::Clear($pfx, 0, $pfx.Length)
        $password.Dispose()
    }
}

function Invoke-ExchangeCmdlet {
    # A cmdlet of the two functions above. Its error must not tell what was handed to it: a binding
    # error repeats arguments, so it loses its text; else what looks like bytes is cut out.
    param([string]$Name, [hashtable]$Parameters)
    $record = $null
    $shell = [PowerShell]::Create()
    try {
        $shell.Runspace = $ExchangeSession
        [void]$shell.AddCommand($Name).AddParameters($Parameters)
        try { $output = $shell.Invoke() }
        catch {
            # The method call has wrapped the true error.
            $inner = $_.Exception
            if ($inner -is [Management.Automation.MethodInvocationException]) { $inner = $inner.InnerException }
            $record = $inner.ErrorRecord
            if (-not $record) { $record = New-Object -TypeName Management.Automation.ErrorRecord -ArgumentList $inner, 'ExchangeSession', 'NotSpecified', $null }
            # An error of Exchange has its own type there; PowerShell's have a placeholder.
            if ($record.CategoryInfo.Reason -eq 'ParentContainsErrorRecordException') { $record.CategoryInfo.Reason = $inner.GetType().Name }
        }
        if (-not $record -and $shell.Streams.Error.Count -gt 0) { $record = $shell.Streams.Error[0] }
    } finally { $shell.Dispose() }
    if (-not $record) { return $output }
    $reason = [string]$record.CategoryInfo.Reason
    $text = $Name
    if ($reason -notlike 'ParameterBinding*') {
        $text += ': ' + [Regex]::Replace($record.Exception.Message, '[A-Za-z0-9+/=]{64,}|(\d{1,3}[ ,]+){16,}', '...')
    }
    $exception = New-Object -TypeName InvalidOperationException -ArgumentList $text
    $safe = New-Object -TypeName Management.Automation.ErrorRecord -ArgumentList $exception, ([string]$record.FullyQualifiedErrorId), $record.CategoryInfo.Category, $null
    $safe.CategoryInfo.Reason = $reason
    throw $safe
}

function Restart-Service {
    param([ValidateSet('MSExchangeHM', 'MSExchangeServiceHost')][string]$Name)
    Microsoft.PowerShell.Management\Restart-Service -Name $Name -Confirm:$false -ErrorAction Stop -WarningAction SilentlyContinue
}

function Restart-WebAppPool {
    param([ValidateSet('MSExchangeOWAAppPool', 'MSExchangeECPAppPool')][string]$Name)
    WebAdministration\Restart-WebAppPool -Name $Name -ErrorAction Stop
}

# With what they call.
$FixedFunctions = @(
    'Get-LocalExchangeServer', 'Get-DomainName', 'Get-ServiceStart', 'Get-WebAppPoolStart',
    'Find-DirectoryObject', 'Get-TransportThumbprint', 'Get-LocalPushNotificationProxy',
    'Test-LocalReach', 'Get-LocalCertificate', 'New-ExchangeCertificate', 'Copy-ExchangeCertificate', 'Invoke-ExchangeCmdlet',
    'Restart-Service', 'Restart-WebAppPool')

#endregion

#region JSON: written by hand, because ConvertTo-Json of 5.1 stops at a depth, turns enums into
# numbers and dates into /Date(n)/, and wraps some arrays. All of it is ASCII.

function ConvertTo-JsonString {
    param([string]$Text)
    $escape = { param($Match) '\u{0:x4}' -f [int][char]$Match.Value }
    '"' + [Regex]::Replace($Text, '[^\x20\x21\x23-\x5B\x5D-\x7E]', $escape) + '"'
}

function ConvertTo-JsonText {
    param($Value, [int]$Depth = 0)
    if ($null -eq $Value) { return 'null' }
    if ($Value -is [Management.Automation.SwitchParameter]) { $Value = $Value.IsPresent }
    if ($Value -is [bool]) { if ($Value) { return 'true' } else { return 'false' } }
    if ($Value -is [DateTime]) { return ConvertTo-JsonString ($Value.ToUniversalTime().ToString('o')) }
    if ($Value -is [DateTimeOffset]) { return ConvertTo-JsonString ($Value.UtcDateTime.ToString('o')) }
    if ($Value -is [byte[]]) { return ConvertTo-JsonString ([Convert]::ToBase64String($Value)) }
    if ($Value -is [int] -or $Value -is [long] -or $Value -is [int16] -or $Value -is [byte] -or $Value -is [uint32]) {
        # An enum of the Exchange session arrives as a number that remembers its name.
        if ([string]($Value.PSObject.TypeNames[0]) -like 'Deserialized.*') { return ConvertTo-JsonString ($Value.ToString()) }
        return ([long]$Value).ToString([Globalization.CultureInfo]::InvariantCulture)
    }
    # Text is IEnumerable too, and so is an XML node, which would contain itself for ever.
    if ($Value -isnot [string] -and $Value -isnot [Xml.XmlNode] -and $Depth -lt 12) {
        if ($Value -is [Collections.IDictionary]) {
            $pairs = foreach ($entry in $Value.GetEnumerator()) {
                (ConvertTo-JsonString ([string]$entry.Key)) + ':' + (ConvertTo-JsonText $entry.Value ($Depth + 1))
            }
            return '{' + (@($pairs) -join ',') + '}'
        }
        if ($Value -is [Collections.IEnumerable]) {
            $items = foreach ($item in $Value) { ConvertTo-JsonText $item ($Depth + 1) }
            return '[' + (@($items) -join ',') + ']'
        }
    }
    ConvertTo-JsonString ([string]$Value)
}

function Write-Answer {
    # The newline in front ends whatever a cmdlet may have written to the console without one.
    param([string]$Text)
    $Writer.WriteLine("`n" + $Text)
}

#endregion

#region Errors

function Deny-Call {
    param([string]$Id, [string]$Message, [string]$Category = 'InvalidArgument')
    $exception = New-Object -TypeName InvalidOperationException -ArgumentList $Message
    throw (New-Object -TypeName Management.Automation.ErrorRecord -ArgumentList $exception, $Id, $Category, $null)
}

# What Windows says when it will not let an account in: access denied, no logon session to show
# (the second hop), logon failure, restriction, password expired, account disabled, password must
# change, locked out, no credentials, and WinRM's own code for a failed Kerberos sign-in.
$AccessDenied = @(5, 1312, 1326, 1327, 1330, 1331, 1907, 1909, -2146893042, -2144108387)

function ConvertTo-Fault {
    param($ErrorRecord)
    # A method call wraps the true error into "Exception calling ...": the inner one has the id.
    $record = $ErrorRecord
    $exception = $record.Exception
    while ($exception -is [Management.Automation.MethodInvocationException] -and $exception.InnerException) {
        $exception = $exception.InnerException
    }
    if (-not [Object]::ReferenceEquals($exception, $record.Exception) -and $exception.ErrorRecord) { $record = $exception.ErrorRecord }
    # -ErrorAction Stop wraps it once more, and says so in the server's language.
    if ($exception -is [Management.Automation.ActionPreferenceStopException]) { $exception = $record.Exception }
    $reason = [string]$record.CategoryInfo.Reason
    # The record of PowerShell's own exceptions has a placeholder in place of their type.
    if (-not $reason -or $reason -eq 'MethodInvocationException' -or $reason -eq 'ParentContainsErrorRecordException') {
        $reason = $exception.GetType().Name
    }
    $text = [string]$exception.Message
    # Binding errors repeat the whole argument.
    if ($text.Length -gt 2000) { $text = $text.Substring(0, 2000) }
    $fault = @{
        message  = $text
        id       = [string]$record.FullyQualifiedErrorId
        category = [string]$record.CategoryInfo.Category
        reason   = $reason
        where    = $State.Where
    }
    if ($State.Where -eq 'session' -and $AccessDenied -contains $exception.ErrorCode) {
        $fault.id = 'AccessDenied'
        $fault.category = 'PermissionDenied'
    }
    $fault
}

#endregion

#region Sessions

function Close-Session {
    foreach ($name in 'ExchangeSession', 'LocalSession') {
        $session = $State[$name]
        $State[$name] = $null
        if ($session) { try { $session.Dispose() } catch { $null = $_ } }
    }
}

function Open-ExchangeSession {
    $session = $State.ExchangeSession
    if ($session -and $session.RunspaceStateInfo.State -eq 'Opened' -and $session.RunspaceAvailability -eq 'Available') { return }
    # A batch does not wait for the same time-out once per cmdlet.
    if ($State.SessionError) { throw $State.SessionError }
    $State.ExchangeSession = $null
    if ($session) { try { $session.Dispose() } catch { $null = $_ } }
    if (-not $State.Fqdn) { Deny-Call -Id 'NotLoggedIn' -Message 'no login yet' }
    $connection = New-Object -TypeName Management.Automation.Runspaces.WSManConnectionInfo -ArgumentList ([Uri]('http://{0}/PowerShell/' -f $State.Fqdn))
    $connection.ShellUri = 'http://schemas.microsoft.com/powershell/Microsoft.Exchange'
    $connection.AuthenticationMechanism = 'Kerberos'
    # A network logon has no credential to show there. Without one the delegated ticket is shown.
    if ($State.Credential) { $connection.Credential = $State.Credential }
    $connection.OpenTimeout = 60000
    $connection.OperationTimeout = 180000
    $connection.IdleTimeout = 900000
    # Errors are shown to people: in one language, whatever the account's is.
    $connection.Culture = [Globalization.CultureInfo]'en-US'
    $connection.UICulture = [Globalization.CultureInfo]'en-US'
    # No host: a prompt fails instead of hanging, and nothing is written to the console.
    $session = [Management.Automation.Runspaces.RunspaceFactory]::CreateRunspace($connection)
    try { $session.Open() }
    catch {
        $State.SessionError = $_
        try { $session.Dispose() } catch { $null = $_ }
        throw $State.SessionError
    }
    $State.ExchangeSession = $session
}

function Open-LocalSession {
    $session = $State.LocalSession
    if ($session -and $session.RunspaceStateInfo.State -eq 'Opened') { return }
    $initial = [Management.Automation.Runspaces.InitialSessionState]::CreateDefault()
    foreach ($name in $FixedFunctions) {
        $definition = (Get-Command -Name $name -CommandType Function).Definition
        $initial.Commands.Add((New-Object -TypeName Management.Automation.Runspaces.SessionStateFunctionEntry -ArgumentList $name, $definition))
    }
    $session = [Management.Automation.Runspaces.RunspaceFactory]::CreateRunspace($initial)
    $session.Open()
    $session.SessionStateProxy.SetVariable('Credential', $State.Credential)
    $session.SessionStateProxy.SetVariable('Fqdn', $State.Fqdn)
    $State.LocalSession = $session
}

#endregion

#region Requests

function Set-Argument {
    # Puts a parameter's value into $Arguments as the type that the allow-list names.
    param($Arguments, [string]$Name, $Type, $Value)
    if ($Type -isnot [string]) {
        if ($Value -isnot [string] -or @($Type) -cnotcontains $Value) { throw 'not one of the allowed values' }
        $Arguments[$Name] = [string]$Value
        return
    }
    switch ($Type) {
        'string' { if ($Value -isnot [string]) { throw 'not a text' }; $Arguments[$Name] = [string]$Value }
        'bool' { if ($Value -isnot [bool]) { throw 'not a bool' }; $Arguments[$Name] = [bool]$Value }
        'int' { if ($Value -isnot [int] -and $Value -isnot [long]) { throw 'not a number' }; $Arguments[$Name] = [int]$Value }
        'strings' {
            if ($Value -isnot [Collections.IList]) { throw 'not a list' }
            foreach ($text in $Value) { if ($text -isnot [string]) { throw 'not texts' } }
            $Arguments[$Name] = [string[]]$Value
        }
        'date' {
            # ISO 8601 in UTC and nothing else: the culture of the server has no say.
            if ($Value -isnot [DateTime]) {
                if ($Value -cnotmatch '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,7})?(Z|\+00:00)\z') { throw 'not a date' }
                $Value = [Xml.XmlConvert]::ToDateTime($Value, [Xml.XmlDateTimeSerializationMode]::Utc)
            }
            # Cmdlets expect local time, as Get-Date gives it.
            $Arguments[$Name] = $Value.ToLocalTime()
        }
        default { throw 'unknown type' }
    }
}

function Get-Argument {
    # The checked parameters of a call, as a hashtable for AddParameters.
    param($Call, $Rule)
    $arguments = @{}
    if ($Call.parameters) {
        foreach ($given in $Call.parameters.PSObject.Properties) {
            $known = $Rule.parameters.PSObject.Properties[$given.Name]
            if (-not $known) { Deny-Call -Id 'ParameterNotAllowed' -Message ('parameter not allowed: {0} -{1}' -f $Call.cmdlet, $given.Name) }
            # The value is not repeated: nobody knows what is in it.
            try { Set-Argument -Arguments $arguments -Name $known.Name -Type $known.Value -Value $given.Value }
            catch { Deny-Call -Id 'BadArgument' -Message ('not a valid value: {0} -{1}' -f $Call.cmdlet, $known.Name) }
        }
    }
    $arguments
}

function Get-Row {
    # The allow-listed properties that an object has; $null is one that it has without a value.
    param($Output, $Properties)
    foreach ($object in $Output) {
        if ($null -eq $object) { continue }
        $row = @{}
        foreach ($name in $Properties) {
            if ($object -is [Collections.IDictionary]) { $has = $object.Contains($name) }
            else { $has = $null -ne $object.PSObject.Properties[$name] }
            if (-not $has) { continue }
            $value = $object.$name
            # Should a date have lost its kind on the way, the property's name has it.
            if ($value -is [DateTime] -and $value.Kind -eq 'Unspecified' -and $name -like '*UTC') { $value = [DateTime]::SpecifyKind($value, 'Utc') }
            $row[$name] = $value
        }
        $row
    }
}

function Invoke-Call {
    param($Call)
    $State.Where = 'request'
    $name = [string]$Call.cmdlet
    $known = $null
    if ($name) { $known = $AllowList.PSObject.Properties[$name] }
    if (-not $known) { Deny-Call -Id 'CmdletNotAllowed' -Message "cmdlet not allowed: $name" }
    $rule = $known.Value
    $arguments = Get-Argument -Call $Call -Rule $rule
    if ($State.ReadOnly -and $rule.changes -and -not $arguments.WhatIf) { Deny-Call -Id 'ReadOnly' -Message "read-only, so not allowed: $name" -Category 'PermissionDenied' }
    $limit = 60
    if ([int]$Call.timeout -gt 0) { $limit = [int]$Call.timeout }

    $shell = [PowerShell]::Create()
    try {
        if ($rule.kind -ne 'function') {
            $State.Where = 'session'
            Open-ExchangeSession
            $shell.Runspace = $State.ExchangeSession
        }
        if ($rule.kind -ne 'exchange') {
            Open-LocalSession
            $State.LocalSession.SessionStateProxy.SetVariable('ExchangeSession', $State.ExchangeSession)
            $shell.Runspace = $State.LocalSession
        }
        $State.Where = 'cmdlet'
        [void]$shell.AddCommand($known.Name)
        if ($arguments.Count -gt 0) { [void]$shell.AddParameters($arguments) }
        $watch = [Diagnostics.Stopwatch]::StartNew()
        $pending = $shell.BeginInvoke()
        if (-not $pending.AsyncWaitHandle.WaitOne([TimeSpan]::FromSeconds($limit))) {
            $State.Stuck = $true
            [void]$shell.BeginStop($null, $null)
            Deny-Call -Id 'Deadline' -Message "not finished after $limit s" -Category 'OperationTimeout'
        }
        $output = $shell.EndInvoke($pending)
        @{
            ok       = ($shell.Streams.Error.Count -eq 0)
            ms       = [int]$watch.ElapsedMilliseconds
            output   = @(Get-Row -Output $output -Properties @($rule.output))
            errors   = @(foreach ($record in $shell.Streams.Error) { ConvertTo-Fault -ErrorRecord $record })
            warnings = @(foreach ($record in $shell.Streams.Warning) { [string]$record.Message })
        }
    } finally {
        # Dispose waits for a cmdlet that is still running; the process ends after a deadline anyway.
        if (-not $State.Stuck) { $shell.Dispose() }
    }
}

function Invoke-Batch {
    param($Request)
    $State.SessionError = $null
    $results = New-Object -TypeName Collections.ArrayList
    foreach ($call in @($Request.calls)) {
        try { $result = Invoke-Call -Call $call }
        catch { $result = @{ ok = $false; ms = 0; output = @(); warnings = @(); errors = @(ConvertTo-Fault -ErrorRecord $_) } }
        [void]$results.Add($result)
        if ($State.Stuck -or ($Request.stopOnError -and -not $result.ok)) { break }
    }
    @{ stuck = $State.Stuck; results = $results }
}

function Set-Login {
    param($Request)
    Close-Session
    $State.Credential = $null
    # Once on, nothing turns it off again in this process.
    if ($Request.readOnly) { $State.ReadOnly = $true }
    $State.Fqdn = [string]$Request.fqdn
    if ($Request.password) {
        $secret = New-Object -TypeName Security.SecureString
        foreach ($character in ([string]$Request.password).ToCharArray()) { $secret.AppendChar($character) }
        $State.Credential = New-Object -TypeName Management.Automation.PSCredential -ArgumentList ([string]$Request.username), $secret
    }
    @{ ok = $true }
}

function Resolve-Request {
    param($Request)
    if ($Request.op -eq 'ping') {
        return @{ pong = $true; workingSet = [Diagnostics.Process]::GetCurrentProcess().WorkingSet64 }
    }
    if ($Request.op -eq 'login') { return Set-Login -Request $Request }
    if ($Request.op -eq 'run' -and $Request.calls) { return Invoke-Batch -Request $Request }
    @{ fatal = 'unknown request' }
}

#endregion

#region Start

function Get-FileVersion {
    # SHA-256 of a script file as the operator ships it: without the signature at its end, and
    # whatever has become of its line ends.
    param([string]$Path)
    $text = [IO.File]::ReadAllText($Path).Replace("`r", '')
    # Put together, so that this line is not taken for the mark itself.
    $end = $text.IndexOf("`n" + '# SIG ' + '# Begin signature block', [StringComparison]::Ordinal)
    if ($end -ge 0) { $text = $text.Substring(0, $end) }
    $bytes = [Text.Encoding]::UTF8.GetBytes($text.TrimEnd("`n") + "`n")
    # Not SHA256Managed: it throws where Windows is in FIPS mode.
    $sha = New-Object -TypeName Security.Cryptography.SHA256CryptoServiceProvider
    [BitConverter]::ToString($sha.ComputeHash($bytes)).Replace('-', '')
}

if (-not $Reader) {
    # Run as a file. No byte order mark, neither in nor out.
    $utf8 = New-Object -TypeName Text.UTF8Encoding -ArgumentList $false
    $Reader = New-Object -TypeName IO.StreamReader -ArgumentList ([Console]::OpenStandardInput()), $utf8
    $Writer = New-Object -TypeName IO.StreamWriter -ArgumentList ([Console]::OpenStandardOutput()), $utf8
    $Writer.AutoFlush = $true
    $Writer.NewLine = "`n"
    $Version = Get-FileVersion -Path $PSCommandPath
}

#endregion

Write-Answer -Text (ConvertTo-JsonText @{
        ready   = $State.Boot
        ps      = [string]$PSVersionTable.PSVersion
        pid     = $PID
        bits    = [IntPtr]::Size * 8
        host    = [Environment]::MachineName
        version = $Version
    })

while ($null -ne ($line = $Reader.ReadLine())) {
    if (-not $line) { continue }
    # The parser of 5.1 puts the whole text into its message, perhaps with a password: never shown.
    $request = $null
    try { $request = ConvertFrom-Json -InputObject $line @JsonOption } catch { $null = $_ }
    $line = $null
    $id = ''
    if ($request) { $id = [string]$request.id }
    if (-not $id) {
        Write-Answer -Text (ConvertTo-JsonText @{ id = $null; boot = $State.Boot; fatal = 'unreadable request' })
        continue
    }
    # A request that comes twice has lost its answer on the way: it is answered, not run again.
    if ($State.Answers.Contains($id)) { Write-Answer -Text $State.Answers[$id]; continue }
    try { $answer = Resolve-Request -Request $request } catch { $answer = @{ fatal = $_.Exception.GetType().Name } }
    $keep = $request.op -eq 'run'
    $request = $null
    $answer.id = $id
    $answer.boot = $State.Boot
    try { $text = ConvertTo-JsonText $answer }
    catch { $text = ConvertTo-JsonText @{ id = $id; boot = $State.Boot; fatal = 'answer cannot be written' } }
    if ($keep) {
        $State.Answers[$id] = $text
        while ($State.Answers.Count -gt 8) { $State.Answers.RemoveAt(0) }
    }
    Write-Answer -Text $text
    if ($State.Stuck) { [Environment]::Exit(98) }
}
Close-Session
exit 0
