function Send-LabRequest {
    # One line to the lab's model and one line back. Texts travel as base64, so that no parser of
    # any version makes something else of them.
    param($Request)
    $place = $env:LAB_ADDRESS.Split(':')
    $client = New-Object -TypeName Net.Sockets.TcpClient -ArgumentList $place[0], ([int]$place[1])
    try {
        $stream = $client.GetStream()
        $writer = New-Object -TypeName IO.StreamWriter -ArgumentList $stream
        $reader = New-Object -TypeName IO.StreamReader -ArgumentList $stream
        $writer.WriteLine((ConvertTo-LabValue -Value $Request))
        $writer.Flush()
        $line = $reader.ReadLine()
    } finally { $client.Close() }
    if (-not $line) { throw 'the lab does not answer' }
    ConvertFrom-Json -InputObject $line
}

function ConvertTo-LabValue {
    # JSON with a letter for the type before every text: s text, i integer, d ticks in UTC, b bytes.
    param($Value)
    if ($null -eq $Value) { return 'null' }
    if ($Value -is [bool] -or $Value -is [Management.Automation.SwitchParameter]) {
        if ($Value) { return 'true' }
        return 'false'
    }
    if ($Value -is [int]) { return '"i:' + $Value + '"' }
    if ($Value -is [DateTime]) { return '"d:' + $Value.ToUniversalTime().Ticks + '"' }
    if ($Value -is [byte[]]) { return '"b:' + [Convert]::ToBase64String($Value) + '"' }
    if ($Value -is [Collections.IDictionary]) {
        $pairs = foreach ($entry in $Value.GetEnumerator()) { '"' + $entry.Key + '":' + (ConvertTo-LabValue -Value $entry.Value) }
        return '{' + (@($pairs) -join ',') + '}'
    }
    if ($Value -is [Security.SecureString]) {
        $Value = (New-Object -TypeName Management.Automation.PSCredential -ArgumentList 'x', $Value).GetNetworkCredential().Password
    }
    if ($Value -is [Collections.IEnumerable] -and $Value -isnot [string]) {
        $items = foreach ($item in $Value) { ConvertTo-LabValue -Value $item }
        return '[' + (@($items) -join ',') + ']'
    }
    '"s:' + [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes([string]$Value)) + '"'
}

function ConvertFrom-LabValue {
    param($Value)
    if ($Value -is [array]) {
        $items = @(foreach ($item in $Value) { ConvertFrom-LabValue -Value $item })
        return , $items
    }
    if ($Value -isnot [string]) { return $Value }
    $text = $Value.Substring(2)
    switch ($Value.Substring(0, 1)) {
        's' { return [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($text)) }
        'i' { return [int]$text }
        'd' { return (New-Object -TypeName DateTime -ArgumentList ([long]$text), 'Utc') }
        'b' { return , [Convert]::FromBase64String($text) }
    }
}
