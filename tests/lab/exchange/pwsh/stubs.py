"""The script that runs before stage 0 in the lab: cmdlets as functions, from the allow-list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lab.exchange.runner import allow_list

_TYPES = {
    "string": "string",
    "strings": "string[]",
    "bool": "bool",
    "int": "int",
    "date": "DateTime",
}
# What Copy-ExchangeCertificate, a function of the host script that runs for real, calls itself.
_OF_A_COPY: dict[str, dict[str, str]] = {
    "Export-ExchangeCertificate": {
        "Thumbprint": "string",
        "Server": "string",
        "BinaryEncoded": "switch",
        "Password": "Security.SecureString",
    },
    "Import-ExchangeCertificate": {
        "Server": "string",
        "FileData": "byte[]",
        "Password": "Security.SecureString",
        "PrivateKeyExportable": "bool",
        "Confirm": "bool",
    },
}
# Without it a module would have to be loaded by a session that may load none.
_RESTRICT = """
Import-Module -Name Microsoft.PowerShell.Utility
$ExecutionContext.SessionState.LanguageMode = 'NoLanguage'
"""


def prelude(address: str) -> str:
    """The whole script; ``address`` is the broker's, ``host:port``."""
    parts = {
        "@@ADDRESS@@": address,
        "@@EXCHANGE@@": exchange_stubs(),
        "@@LOCAL@@": local_stubs(),
        "@@TALK@@": _text("talk.ps1"),
    }
    text = _text("prelude.ps1")
    for mark, part in parts.items():
        text = text.replace(mark, part.strip())
    return text


def exchange_stubs() -> str:
    """For the Exchange session, which takes commands and no script, like Exchange's own."""
    functions = dict(_of_kind("exchange-function"))
    # The host's own function around the cmdlet of the same name runs for real, too.
    made = {"New-ExchangeCertificate": functions["New-ExchangeCertificate"]}
    cmdlets = {**dict(_of_kind("exchange")), **made, **_OF_A_COPY}
    return _script(cmdlets) + _RESTRICT


def local_stubs() -> str:
    """For the local session: what would ask Windows itself."""
    return _script(dict(_of_kind("function")))


def _of_kind(kind: str) -> Iterable[tuple[str, dict[str, str]]]:
    for name, rule in allow_list().items():
        if rule["kind"] == kind:
            yield name, {key: _type(value) for key, value in rule["parameters"].items()}


def _type(declared: Any) -> str:
    return _TYPES[declared] if isinstance(declared, str) else "string"


def _script(cmdlets: Mapping[str, Mapping[str, str]]) -> str:
    stubs = [_stub(name, parameters) for name, parameters in cmdlets.items()]
    return "\n".join((_text("talk.ps1"), _text("cmdlet.ps1"), *stubs))


def _stub(name: str, parameters: Mapping[str, str]) -> str:
    declared = ", ".join(f"[{kind}]${key}" for key, kind in parameters.items())
    return (
        f"function {name} {{\n"
        f"    [CmdletBinding()]\n"
        f"    param({declared})\n"
        f"    Invoke-LabCmdlet -Cmdlet $PSCmdlet -Name '{name}' -Parameters $PSBoundParameters\n"
        f"}}\n"
    )


def _text(name: str) -> str:
    return Path(__file__).with_name(name).read_text("ascii")
