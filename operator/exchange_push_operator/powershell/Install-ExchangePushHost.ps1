<#
.SYNOPSIS
Signs the host script of the Exchange Push Operator, installs it on this server, and checks it.

.DESCRIPTION
For resources with spec.exchange.connection.hostScript: Installed. Run it in an elevated Windows
PowerShell on every Exchange server, anew after an update of the operator that changes the script
(compare exchange-push-operator host-script --sha256).

The file goes to a folder that only Administrators and SYSTEM may write to, and its publisher to the
computer's trusted publishers: Windows PowerShell runs it under the policy AllSigned, where it
cannot ask whether to trust somebody. Nothing else is changed. It ends with what -Check says.

.PARAMETER Path
The script, as exchange-push-operator host-script prints it.

.PARAMETER CertificateThumbprint
A code signing certificate with its private key in the store My of the computer or of the user. Left
out where the script at Path is signed already, so that the key need not be on every server.

.PARAMETER TimestampServer
The URL of a time stamp server. With a time stamp the signature outlives its certificate.

.PARAMETER Check
Changes nothing: shows signature, publisher, who may write, and SHA-256 of what is installed. Every
fault is an error.

.PARAMETER Sha256
What the SHA-256 must be, as exchange-push-operator host-script --sha256 prints it.

.PARAMETER Destination
The folder. The operator calls the script in the default one.

.EXAMPLE
.\Install-ExchangePushHost.ps1 -Path .\ExchangePushHost.ps1 -CertificateThumbprint 3F2504E04F8911D39A0C0305E82C3301AABBCCDD -WhatIf

Shows what would be done.

.EXAMPLE
.\Install-ExchangePushHost.ps1 -Check

Shows what is installed, and whether it is in order.
#>
[CmdletBinding(SupportsShouldProcess = $true, DefaultParameterSetName = 'Install')]
param(
    [Parameter(ParameterSetName = 'Install', Mandatory = $true)]
    [string]$Path,

    [Parameter(ParameterSetName = 'Install')]
    [ValidatePattern('^[0-9A-Fa-f]{40}$')]
    [string]$CertificateThumbprint,

    [Parameter(ParameterSetName = 'Install')]
    [string]$TimestampServer,

    [Parameter(ParameterSetName = 'Check', Mandatory = $true)]
    [switch]$Check,

    [ValidatePattern('^[0-9A-Fa-f]{64}$')]
    [string]$Sha256,

    [string]$Destination = (Join-Path -Path $env:ProgramFiles -ChildPath 'Exchange Push Operator')
)

$ErrorActionPreference = 'Stop'

# The 32-bit one would take the other folder Program Files.
if ([IntPtr]::Size -ne 8) { throw 'Run it in the 64-bit Windows PowerShell.' }
# .NET does not follow the shell into a folder.
$Destination = $PSCmdlet.GetUnresolvedProviderPathFromPSPath($Destination)
$Target = Join-Path -Path $Destination -ChildPath 'ExchangePushHost.ps1'
# By number, because the names are translated: Administrators, SYSTEM, Users, TrustedInstaller and
# CREATOR OWNER (who is one of the first two here).
$Administrators = New-Object -TypeName Security.Principal.SecurityIdentifier -ArgumentList 'S-1-5-32-544'
$System = New-Object -TypeName Security.Principal.SecurityIdentifier -ArgumentList 'S-1-5-18'
$Users = New-Object -TypeName Security.Principal.SecurityIdentifier -ArgumentList 'S-1-5-32-545'
$MayWrite = @('S-1-5-32-544', 'S-1-5-18', 'S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464', 'S-1-3-0')

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

function Get-SigningCertificate {
    param([string]$Thumbprint)
    $found = @(Get-ChildItem -LiteralPath 'Cert:\LocalMachine\My', 'Cert:\CurrentUser\My' -CodeSigningCert |
            Where-Object -FilterScript { $_.Thumbprint -eq $Thumbprint -and $_.HasPrivateKey })
    if ($found.Count -eq 0) { throw "No code signing certificate $Thumbprint with its private key is in the store My of the computer or of the user." }
    $found[0]
}

function Open-PublisherStore {
    param([string]$Access)
    $store = New-Object -TypeName Security.Cryptography.X509Certificates.X509Store -ArgumentList 'TrustedPublisher', 'LocalMachine'
    $store.Open($Access)
    $store
}

function Test-TrustedPublisher {
    param($Certificate)
    $store = Open-PublisherStore -Access 'ReadOnly'
    try { @($store.Certificates | Where-Object -FilterScript { $_.Thumbprint -eq $Certificate.Thumbprint }).Count -gt 0 }
    finally { $store.Close() }
}

function Add-TrustedPublisher {
    param($Certificate)
    $store = Open-PublisherStore -Access 'ReadWrite'
    # The public half alone.
    try { $store.Add((New-Object -TypeName Security.Cryptography.X509Certificates.X509Certificate2 -ArgumentList (, $Certificate.RawData))) }
    finally { $store.Close() }
}

function New-ProtectedFolder {
    $acl = New-Object -TypeName Security.AccessControl.DirectorySecurity
    $acl.SetAccessRuleProtection($true, $false)
    $acl.SetOwner($Administrators)
    foreach ($entry in @(@($Administrators, 'FullControl'), @($System, 'FullControl'), @($Users, 'ReadAndExecute'))) {
        $acl.AddAccessRule((New-Object -TypeName Security.AccessControl.FileSystemAccessRule -ArgumentList $entry[0], $entry[1], 'ContainerInherit, ObjectInherit', 'None', 'Allow'))
    }
    if (-not (Test-Path -LiteralPath $Destination)) { $null = New-Item -Path $Destination -ItemType Directory }
    Set-Acl -LiteralPath $Destination -AclObject $acl
}

function Get-ForeignWriter {
    # Who may change a file or folder, or put another one into its place, and is no administrator.
    param([string]$Path)
    $acl = Get-Acl -LiteralPath $Path
    # With the generic rights to write and to do everything, which have no name there.
    $change = 0x50000000 -bor [int][Security.AccessControl.FileSystemRights]'WriteData, AppendData, Delete, DeleteSubdirectoriesAndFiles, ChangePermissions, TakeOwnership'
    $owner = $acl.GetOwner([Security.Principal.SecurityIdentifier]).Value
    if ($MayWrite -notcontains $owner) { $owner }
    foreach ($rule in $acl.GetAccessRules($true, $true, [Security.Principal.SecurityIdentifier])) {
        if ($rule.AccessControlType -ne 'Allow' -or -not ([int]$rule.FileSystemRights -band $change)) { continue }
        if ($MayWrite -notcontains $rule.IdentityReference.Value) { $rule.IdentityReference.Value }
    }
}

function Get-Installation {
    # What is installed, with everything that is wrong with it.
    if (-not (Test-Path -LiteralPath $Target)) { throw "$Target is not there. Install it with -Path." }
    $signature = Get-AuthenticodeSignature -FilePath $Target
    $signer = $signature.SignerCertificate
    $hash = Get-FileVersion -Path $Target
    $writers = @(@(Get-ForeignWriter -Path $Destination) + @(Get-ForeignWriter -Path $Target) | Sort-Object -Unique)
    $faults = @()
    if ($signature.Status -ne 'Valid') { $faults += "its signature is not valid ($($signature.Status))" }
    if ($signer -and -not (Test-TrustedPublisher -Certificate $signer)) { $faults += 'its publisher is not one of the computer''s trusted publishers' }
    if ($writers.Count -gt 0) { $faults += "others than administrators may change it ($($writers -join ', '))" }
    if ($Sha256 -and $hash -ne $Sha256) { $faults += "it is not the expected version (SHA-256 $hash)" }
    $name = ''
    if ($signer) { $name = $signer.Subject }
    New-Object -TypeName PSObject -Property @{
        Path      = $Target
        Sha256    = $hash
        Signature = [string]$signature.Status
        Publisher = $name
        Faults    = $faults
    }
}

function Install-HostScript {
    # Nothing takes the place of the installed file before it is signed and looked at.
    New-ProtectedFolder
    $new = Join-Path -Path $Destination -ChildPath 'ExchangePushHost.new.ps1'
    Copy-Item -LiteralPath $Path -Destination $new -Force
    try {
        if ($CertificateThumbprint) {
            $sign = @{
                FilePath      = $new
                Certificate   = Get-SigningCertificate -Thumbprint $CertificateThumbprint
                HashAlgorithm = 'SHA256'
                IncludeChain  = 'NotRoot'
            }
            if ($TimestampServer) { $sign.TimestampServer = $TimestampServer }
            $null = Set-AuthenticodeSignature @sign
        }
        $signature = Get-AuthenticodeSignature -FilePath $new
        if ($signature.Status -ne 'Valid') { throw "The signature is not valid ($($signature.Status)): $($signature.StatusMessage)" }
        Add-TrustedPublisher -Certificate $signature.SignerCertificate
        Move-Item -LiteralPath $new -Destination $Target -Force
    } finally {
        if (Test-Path -LiteralPath $new) { Remove-Item -LiteralPath $new }
    }
}

if (-not $Check) {
    if ($Sha256 -and (Get-FileVersion -Path (Resolve-Path -LiteralPath $Path).ProviderPath) -ne $Sha256) { throw "$Path is not the expected version." }
    if (-not $PSCmdlet.ShouldProcess($Target, 'Sign, install and trust the host script')) { return }
    Install-HostScript
}
$installation = Get-Installation
$installation
foreach ($fault in $installation.Faults) { Write-Error -Message "${Target}: $fault" -ErrorAction Continue }
