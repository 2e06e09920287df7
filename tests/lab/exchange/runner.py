"""Runs cmdlets on the model: as the host does, behind the allow-list, or as an administrator."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from exchange_push_operator.adapters.allow_list import TYPES
from exchange_push_operator.core.errors import CmdletFailed
from exchange_push_operator.core.timestamps import parse_utc
from lab.exchange.cmdlets import RULES, Call, Rule
from lab.exchange.failures import (
    bad_parameter,
    failure,
    missing_parameter,
    not_recognized,
    refuse,
    session_failed,
)
from lab.exchange.organization import ADMINISTRATOR, Organization
from lab.exchange.server import Server

_UNTOLD = ("FileData", "Password")


_MAKES = "New-ExchangeCertificate"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one call: rows of plain JSON values, or an error."""

    rows: tuple[Mapping[str, Any], ...] = ()
    error: CmdletFailed | None = None
    warnings: tuple[str, ...] = ()


@cache
def allow_list() -> dict[str, Any]:
    """The product's own list of cmdlets."""
    text = (
        files("exchange_push_operator").joinpath("powershell", "allowlist.json").read_text("utf-8")
    )
    found: dict[str, Any] = json.loads(text)
    return found


def run(
    organization: Organization,
    server: Server,
    name: str,
    parameters: Mapping[str, Any],
    account: str,
) -> list[dict[str, Any]]:
    """Run one cmdlet; a change is logged. Raises: CmdletFailed."""
    rule = _bind(organization, server, name, parameters, account)
    call = Call(organization, server, account, parameters)
    rows = rule.does(call)
    if call.changed:
        shown = {key: value for key, value in parameters.items() if key not in _UNTOLD}
        organization.record(name, shown, server.fqdn, account)
    return rows


def _bind(
    organization: Organization,
    server: Server,
    name: str,
    parameters: Mapping[str, Any],
    account: str,
) -> Rule:
    """What PowerShell and RBAC look at before a cmdlet runs. Raises: CmdletFailed."""
    rule = RULES.get(name)
    denied = account != ADMINISTRATOR and name in organization.switches.denied_cmdlets
    if rule is None or denied or not rule.exists(server):
        raise not_recognized(server, name)
    unknown = next((key for key in parameters if key not in rule.parameters), None)
    if unknown is not None:
        raise bad_parameter(server, unknown)
    missing = next((key for key in rule.required if parameters.get(key) in (None, "")), None)
    if missing is not None:
        raise missing_parameter(server, missing)
    if server.faults.failing_cmdlet == name:
        # inferred: type and text of a cmdlet whose service does not answer yet
        raise failure(server, "RpcException", "ResourceUnavailable", "no_monitoring", server.name)
    return rule


def invoke(
    organization: Organization,
    server: Server,
    name: str,
    parameters: Mapping[str, Any],
    account: str,
) -> Outcome:
    """One call of the host: allow-list, second hop, cmdlet, projection."""
    with organization.lock:
        try:
            given = allowed(name, parameters)
            if needs_session(name):
                open_session(server)
            does = _make if name == _MAKES else run
            rows = does(organization, server, name, given, account)
        except CmdletFailed as error:
            return Outcome(error=error)
    wanted = allow_list()[name]["output"]
    rows = [{key: plain(row[key]) for key in wanted if key in row} for row in rows]
    return Outcome(rows=tuple(rows))


def _make(
    organization: Organization,
    server: Server,
    name: str,
    given: Mapping[str, Any],
    account: str,
) -> list[dict[str, Any]]:
    """The host's own function around the cmdlet of the same name. Raises: CmdletFailed."""
    if any(held.friendly_name == given.get("FriendlyName") for held in server.store.values()):
        text = "a certificate of this friendly name has been made in the meantime"
        kind, category = "RuntimeException", "OperationStopped"
        raise CmdletFailed(text, identifier=text, category=category, kind=kind)
    try:
        return run(organization, server, name, given, account)
    except CmdletFailed as error:
        raise CmdletFailed(
            f"{name}: {error}",
            identifier=error.identifier,
            category=error.category,
            kind=error.kind,
        ) from error


def needs_session(name: str) -> bool:
    """Does the host run this with its Exchange session?"""
    return str(allow_list()[name]["kind"]).startswith("exchange")


def open_session(server: Server) -> None:
    """The session to the server's own Exchange endpoint. Raises: CmdletFailed."""
    if server.faults.second_hop_refused:
        raise session_failed(server, denied=True)
    if server.faults.iis_down:
        raise session_failed(server, denied=False)


def allowed(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check a call against the product's allow-list; its arguments. Raises: CmdletFailed."""
    rule = allow_list().get(name)
    if rule is None:
        refuse("CmdletNotAllowed", f"cmdlet not allowed: {name}")
    given = {}
    for key, value in parameters.items():
        if key not in rule["parameters"]:
            refuse("ParameterNotAllowed", f"parameter not allowed: {name} -{key}")
        try:
            given[key] = _argument(rule["parameters"][key], value)
        except ValueError:
            refuse("BadArgument", f"not a valid value: {name} -{key}")
    return given


def _argument(kind: str | list[str], value: Any) -> Any:
    """A value of the declared type. Raises: ValueError."""
    value = tuple(value) if isinstance(value, list) else value
    if not (TYPES[kind](value) if isinstance(kind, str) else value in kind):
        raise ValueError(kind)
    return parse_utc(value).astimezone(UTC) if kind == "date" else value


def plain(value: Any) -> Any:
    """A value as it comes over the wire: dates as .NET's ``o`` in UTC, bytes as base64."""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


@dataclass(frozen=True, slots=True)
class Administrator:
    """Somebody at a keyboard: runs cmdlets on one server, outside of every allow-list and role.

    A date may be given as text, as to PowerShell.
    """

    organization: Organization
    server: Server
    account: str = ADMINISTRATOR

    def run(self, name: str, /, **parameters: Any) -> list[dict[str, Any]]:
        """``admin.run("Disable-PushNotificationProxy", Confirm=False)``. Raises: CmdletFailed."""
        with self.organization.lock:
            self.organization.begin(self.server)
            given = {key: _typed(name, key, value) for key, value in parameters.items()}
            return run(self.organization, self.server, name, given, self.account)


def _typed(name: str, key: str, value: Any) -> Any:
    kind = allow_list().get(name, {"parameters": {}})["parameters"].get(key)
    return parse_utc(value) if kind == "date" and isinstance(value, str) else value


def administrator(organization: Organization, server: str | None = None) -> Administrator:
    """An administrator on a server, by default the first."""
    found = organization.server(server) if server else next(iter(organization.servers.values()))
    return Administrator(organization, found)
