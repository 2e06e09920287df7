"""Errors of cmdlets, with what never changes (kind, category) and what does (text, request id)."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, NoReturn

from exchange_push_operator.core.errors import CmdletFailed
from lab.exchange.texts import moment, say

if TYPE_CHECKING:
    from lab.exchange.server import Server


def failure(server: Server, kind: str, category: str, key: str, *values: object) -> CmdletFailed:
    """An error of an Exchange cmdlet.

    Exchange puts server, request id and time into the identifier: it is another one each time.
    """
    identifier = (
        f"[Server={server.name},RequestId={uuid.uuid4()},"
        f"TimeStamp={moment(server.culture, server.now())}] [FailureCategory=Cmdlet-{kind}]"
    )
    text = say(server.culture, key, *values)
    return CmdletFailed(text, identifier=identifier, category=category, kind=kind)


def not_found(server: Server, name: str) -> CmdletFailed:
    return failure(
        server,
        "ManagementObjectNotFoundException",
        "NotSpecified",
        "not_found",
        name,
        server.controller,
    )


def controller_away(server: Server, controller: str) -> CmdletFailed:
    # inferred: one of the types that Microsoft.Exchange.Data.Directory has for it, and its text
    return failure(
        server, "SuitabilityDirectoryException", "NotSpecified", "controller_away", controller
    )


def already_exists(server: Server, name: str) -> CmdletFailed:
    return failure(
        server,
        "ADObjectAlreadyExistsException",
        "NotSpecified",
        "already_exists",
        name,
        server.controller,
    )


def unusable(server: Server, thumbprint: str, why: str) -> CmdletFailed:
    # inferred: the text and type for a certificate that cannot be used are documented nowhere
    return failure(
        server,
        "InvalidOperationException",
        "InvalidOperation",
        "certificate_unusable",
        thumbprint,
        why,
    )


def bad_value(server: Server, parameter: str, why: str) -> CmdletFailed:
    return CmdletFailed(
        say(server.culture, "bad_value", parameter, why),
        identifier="ParameterArgumentTransformationError",
        category="InvalidData",
        kind="ParameterBindingArgumentTransformationException",
    )


def bad_parameter(server: Server, parameter: str) -> CmdletFailed:
    return CmdletFailed(
        say(server.culture, "bad_parameter", parameter),
        identifier="NamedParameterNotFound",
        category="InvalidArgument",
        kind="ParameterBindingException",
    )


def missing_parameter(server: Server, parameter: str) -> CmdletFailed:
    return CmdletFailed(
        say(server.culture, "mandatory", parameter),
        identifier="MissingMandatoryParameter",
        category="InvalidArgument",
        kind="ParameterBindingException",
    )


def ambiguous(server: Server) -> CmdletFailed:
    return CmdletFailed(
        say(server.culture, "ambiguous"),
        identifier="AmbiguousParameterSet",
        category="InvalidArgument",
        kind="ParameterBindingException",
    )


def not_recognized(server: Server, cmdlet: str) -> CmdletFailed:
    """A cmdlet that RBAC does not grant is not there at all."""
    return CmdletFailed(
        say(server.culture, "not_recognized", cmdlet),
        identifier="CommandNotFoundException",
        category="ObjectNotFound",
        kind="CommandNotFoundException",
    )


def would_prompt(server: Server, question: str) -> CmdletFailed:
    """A question nobody can answer."""
    # inferred: how a prompt fails in a session that a program opened
    return CmdletFailed(
        say(server.culture, "prompt", question),
        identifier="HostFunctionNotImplemented",
        category="NotImplemented",
        kind="HostException",
    )


# What SetDefaultErrorRecord of PSRemotingTransportException takes for the id (PowerShell's source).
_TRANSPORT = "System.Management.Automation.Remoting.PSRemotingDataStructureException"


def session_failed(server: Server, *, denied: bool) -> CmdletFailed:
    """The second hop: the session to the server's own Exchange endpoint could not be opened."""
    # host.ps1 sets id and category of a refusal itself; the others are those of the .NET type
    return CmdletFailed(
        say(server.culture, "session_denied" if denied else "session_down", server.fqdn),
        identifier="AccessDenied" if denied else _TRANSPORT,
        category="PermissionDenied" if denied else "ResourceUnavailable",
        kind="PSRemotingTransportException",
        where="session",
    )


def not_logged_in() -> CmdletFailed:
    """A process that was started again has forgotten the login."""
    return CmdletFailed(
        "no login yet",
        identifier="NotLoggedIn",
        category="InvalidArgument",
        kind="InvalidOperationException",
        where="session",
    )


def deadline(limit: int) -> CmdletFailed:
    """The host gave a cmdlet up."""
    return CmdletFailed(
        f"not finished after {limit} s",
        identifier="Deadline",
        category="OperationTimeout",
        kind="InvalidOperationException",
    )


def read_only(name: str) -> CmdletFailed:
    """A change in a process whose login was read-only."""
    return CmdletFailed(
        f"read-only, so not allowed: {name}",
        identifier="ReadOnly",
        category="PermissionDenied",
        kind="InvalidOperationException",
        where="request",
    )


def refuse(identifier: str, message: str) -> NoReturn:
    """The host's allow-list says no. Raises: CmdletFailed."""
    raise CmdletFailed(
        message,
        identifier=identifier,
        category="InvalidArgument",
        kind="InvalidOperationException",
        where="request",
    )
