# Reads the host script from the first line of standard input, checks its SHA-256 and runs it.
# Kept short: cmd.exe takes 8191 characters, and -EncodedCommand makes 8 of every 3 characters here.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$utf8 = New-Object Text.UTF8Encoding($false)
$reader = New-Object IO.StreamReader([Console]::OpenStandardInput(), $utf8)
$writer = New-Object IO.StreamWriter([Console]::OpenStandardOutput(), $utf8)
$writer.AutoFlush = $true
$writer.NewLine = "`n"
$bytes = [Convert]::FromBase64String($reader.ReadLine())
# Not SHA256Managed: it throws where Windows is in FIPS mode.
$sha = New-Object Security.Cryptography.SHA256CryptoServiceProvider
$hash = [BitConverter]::ToString($sha.ComputeHash($bytes)).Replace('-', '')
if ($hash -ne '@@HASH@@') { $writer.WriteLine('!hash'); exit 97 }
& ([ScriptBlock]::Create($utf8.GetString($bytes))) $reader $writer $hash
