function Assert-KeyCredential {
    # The list of keys is written whole: one that somebody has added since the plan would be lost.
    param([string]$Uri, [string[]]$KeyId)
    $found = @((Invoke-MgGraphRequest -Method GET -Uri $Uri).keyCredentials | ForEach-Object { $_.keyId } | Sort-Object)
    $planned = @($KeyId | Sort-Object)
    if (($found -join ' ') -ne ($planned -join ' ')) { throw 'the keys of the principal have changed since the plan was made; plan again' }
}
