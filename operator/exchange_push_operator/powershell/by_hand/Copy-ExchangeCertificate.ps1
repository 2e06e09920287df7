function Copy-ExchangeCertificate {
    # From the server that this shell is connected to. The PFX and its password stay in memory.
    param([string]$Thumbprint, [string]$Server)
    $random = New-Object -TypeName byte[] -ArgumentList 64
    $generator = [Security.Cryptography.RandomNumberGenerator]::Create()
    $generator.GetBytes($random)
    $generator.Dispose()
    $password = New-Object -TypeName Security.SecureString
    foreach ($byte in $random) { $password.AppendChar([char](33 + $byte % 94)) }
    $file = Export-ExchangeCertificate -Thumbprint $Thumbprint -BinaryEncoded -Password $password
    $null = Import-ExchangeCertificate -Server $Server -FileData ([byte[]]$file.FileData) -Password $password -PrivateKeyExportable $true -Confirm:$false
}
