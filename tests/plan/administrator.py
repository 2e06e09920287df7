"""What a script of ``plan -o powershell`` does, line by line, in the lab: there is no PowerShell.

Each statement is read back into the cmdlet or the call that it spells; the checks before a Graph
call are made as the script's functions make them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

from exchange_push_operator.core.commands import Ahead, Cmdlet, GraphRequest, Value
from exchange_push_operator.core.ports import Graph
from exchange_push_operator.core.timestamps import utc_text
from lab.exchange.in_process import InProcessExchange
from lab.in_process import Lab

_FUNCTION = re.compile(r"^function [\w-]+ \{\n.*?^\}$", re.MULTILINE | re.DOTALL)
_QUOTE = "['\u2018\u2019\u201a\u201b]"  # PowerShell ends a text at any of them
_LITERAL = f"'(?:[^{_QUOTE[1:]}|{_QUOTE}{{2}})*'"
_AHEAD = r"\(Get-Date\)\.AddMinutes\(\d+\)"
_LIST = rf"@\((?:{_LITERAL}(?:, {_LITERAL})*)?\)"
_VALUE = rf"{_LITERAL}|{_LIST}|{_AHEAD}|\d+|\$true|\$false|PATCH"
_PARAMETER = re.compile(rf" -(\w+)(?:[ :]({_VALUE}))?")
_STATEMENT = re.compile(rf"([A-Z]\w+-\w+)((?: -\w+(?:[ :](?:{_VALUE}))?)*)")
_ELSEWHERE = re.compile(rf"Invoke-Command -ComputerName ({_LITERAL}) -ScriptBlock \{{ (.*) \}}")
_FRAME = {
    "$preference = $global:ErrorActionPreference",
    "$global:ErrorActionPreference = 'Stop'",
    "try {",
    "} finally { $global:ErrorActionPreference = $preference }",
}


class Stopped(Exception):
    """The script ended at an error."""


class Administrator:
    """Somebody at the Exchange Management Shell of a server, signed in to Graph as well."""

    def __init__(self, outside: Lab, server: str, graph: Graph) -> None:
        self.lab, self.graph, self.connected = outside, graph, server
        self.shell = InProcessExchange(outside.organization, account="CORP\\administrator")
        self.typed: list[str] = []

    def run(self, script: str) -> None:
        """Run a whole script."""
        for line in statements(script):
            elsewhere = _ELSEWHERE.fullmatch(line)
            if elsewhere:
                self._exchange(literal(elsewhere[1]), read(elsewhere[2]))
            else:
                self._here(line, read(line))

    def _here(self, line: str, command: Cmdlet) -> None:
        given = dict(command.parameters)
        match command.name:
            case "Connect-ExchangeServer":
                self.connected = str(given["ServerFqdn"])
            case "Assert-GraphTenant":
                if self.graph.identity().tenant_id != given["TenantId"]:
                    raise Stopped(line)
            case "Assert-KeyCredential":
                found = self.graph.send(GraphRequest("GET", _path(given["Uri"])))
                ids = {key["keyId"] for key in found["keyCredentials"]}
                if ids != set(_texts(given["KeyId"])):
                    raise Stopped(line)
            case "Invoke-MgGraphRequest":
                body = json.loads(str(given["Body"]))
                self.typed.append(line)
                self.graph.send(GraphRequest(str(given["Method"]), _path(given["Uri"]), body))
            case _:
                self._exchange(self.connected, command)

    def _exchange(self, server: str, command: Cmdlet) -> None:
        self.typed.append(str(command))
        now = self.lab.clock()
        dated = tuple(
            (name, utc_text(now + value.span) if isinstance(value, Ahead) else value)
            for name, value in command.parameters
        )
        (answer,) = self.shell.run(server, (Cmdlet(command.name, dated),), changes=True)
        if answer.error is not None:
            raise Stopped(f"{command}: {answer.error}")


def statements(script: str) -> Iterator[str]:
    """The lines that do something, without the functions that come along."""
    for line in _FUNCTION.sub("", script.removeprefix("\ufeff")).splitlines():
        if line and not line.startswith("#") and line not in _FRAME:
            yield line


def read(text: str) -> Cmdlet:
    """The cmdlet that a line spells. Fails where PowerShell would read it in another way."""
    whole = _STATEMENT.fullmatch(text)
    assert whole, f"not a plain statement: {text}"
    found = _PARAMETER.findall(whole[2])
    return Cmdlet(whole[1], tuple((name, _value(value)) for name, value in found))


def _value(text: str) -> Value:
    if text.startswith("'"):
        return literal(text)
    if text.startswith("@("):
        return tuple(literal(item) for item in re.findall(_LITERAL, text))
    if text.startswith("("):
        return Ahead(timedelta(minutes=int("".join(re.findall(r"\d", text)))))
    return int(text) if text.isdecimal() else {"$true": True, "$false": False}.get(text, text)


def literal(text: str) -> str:
    """What PowerShell makes of a text in single quotes."""
    return re.sub(f"({_QUOTE}){_QUOTE}", r"\1", text[1:-1])


def _texts(value: Value) -> tuple[str, ...]:
    assert isinstance(value, tuple)
    return value


def _path(uri: Value) -> str:
    parts = urlsplit(str(uri))
    return f"{parts.path.removeprefix('/v1.0/')}{'?' if parts.query else ''}{parts.query}"
