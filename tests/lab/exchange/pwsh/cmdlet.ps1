function Invoke-LabCmdlet {
    # Has the model run a cmdlet: rows or an error, as the cmdlet itself would give them.
    param($Cmdlet, [string]$Name, $Parameters)
    $answer = Send-LabRequest -Request @{ cmdlet = $Name; parameters = $Parameters }
    if ($answer.stuck) { Start-Sleep -Seconds 600 }
    foreach ($row in $answer.rows) {
        $properties = @{}
        foreach ($property in $row.PSObject.Properties) { $properties[$property.Name] = ConvertFrom-LabValue -Value $property.Value }
        New-Object -TypeName PSObject -Property $properties
    }
    if (-not $answer.fault) { return }
    $exception = New-Object -TypeName InvalidOperationException -ArgumentList (ConvertFrom-LabValue -Value $answer.fault.message)
    $id = ConvertFrom-LabValue -Value $answer.fault.id
    $category = ConvertFrom-LabValue -Value $answer.fault.category
    $record = New-Object -TypeName Management.Automation.ErrorRecord -ArgumentList $exception, $id, $category, $null
    $record.CategoryInfo.Reason = ConvertFrom-LabValue -Value $answer.fault.reason
    # PowerShell's own errors end a cmdlet; Exchange writes most of its own and goes on.
    if ($answer.fault.ends) { $Cmdlet.ThrowTerminatingError($record) }
    $Cmdlet.WriteError($record)
}
