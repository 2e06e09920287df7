# Lets a throw-away Windows machine be spoken with as an Exchange server is: WinRM over TLS and over
# HTTP, and an account that is a local administrator. Tells GitHub's next steps where (LAB_WINRM_*).
# Never run it on a machine that you keep.
$ErrorActionPreference = 'Stop'

$password = 'Lab-' + [Guid]::NewGuid().ToString('N')
Write-Output "::add-mask::$password"
$secret = ConvertTo-SecureString -String $password -AsPlainText -Force
$null = New-LocalUser -Name 'lab-operator' -Password $secret -PasswordNeverExpires
Add-LocalGroupMember -SID 'S-1-5-32-544' -Member 'lab-operator'

$null = Enable-PSRemoting -SkipNetworkProfileCheck -Force
# Else a local administrator is none over the network.
Set-ItemProperty -Path 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System' -Name 'LocalAccountTokenFilterPolicy' -Value 1 -Type DWord

$certificate = New-SelfSignedCertificate -DnsName 'localhost' -CertStoreLocation 'Cert:\LocalMachine\My'
Get-ChildItem -Path 'WSMan:\localhost\Listener' | Where-Object -FilterScript { $_.Keys -contains 'Transport=HTTPS' } | Remove-Item -Recurse -Force
$null = New-Item -Path 'WSMan:\localhost\Listener' -Transport 'HTTPS' -Address '*' -CertificateThumbPrint $certificate.Thumbprint -Force

$file = Join-Path -Path $env:RUNNER_TEMP -ChildPath 'winrm.pem'
$base64 = [Convert]::ToBase64String($certificate.RawData, 'InsertLineBreaks')
Set-Content -Path $file -Encoding Ascii -Value "-----BEGIN CERTIFICATE-----`n$base64`n-----END CERTIFICATE-----"

Add-Content -Path $env:GITHUB_ENV -Encoding Ascii -Value @(
    "LAB_WINRM_ACCOUNT=$env:COMPUTERNAME\lab-operator"
    "LAB_WINRM_PASSWORD=$password"
    "LAB_WINRM_CA=$file"
)
