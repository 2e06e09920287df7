"""What a write changes: the fields as they were seen, and as the write leaves them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from exchange_push_operator.core.commands import Cmdlet, Row
from exchange_push_operator.core.key_credentials import KeyCredential
from exchange_push_operator.core.looks import ORGANIZATION, Observations

State: TypeAlias = Mapping[str, Any]

_CURRENT = "CurrentCertificateThumbprint"
_PREVIOUS = "PreviousCertificateThumbprint"
_NEXT = "NextCertificateThumbprint"
_DATE = "NextCertificateEffectiveDate"
_KEY_FIELDS = ("keyId", "displayName", "startDateTime", "endDateTime", "customKeyIdentifier")


@dataclass(frozen=True, slots=True)
class _Shown:
    """Which look shows what a cmdlet changes.

    ``row`` is the column that tells the row, ``by`` the parameter that names it; ``sets`` has the
    column of each parameter, ``leaves`` what is so afterwards in any case.
    """

    look: str
    columns: tuple[str, ...]
    row: str = ""
    by: str = ""
    sets: Mapping[str, str] = field(default_factory=dict)
    leaves: State = field(default_factory=dict)


_AUTH_SERVER = ("AuthMetadataUrl", "Enabled", "TrustAnySSLCertificate")
_PROXY = ("Enabled", "Organization", "Uri")
_LOOK_AT_PROXY = "Enable-PushNotificationProxy"  # with -WhatIf
_SHOWN = {
    "Set-AuthConfig": _Shown(
        "Get-AuthConfig",
        (_CURRENT, _PREVIOUS, _NEXT, _DATE),
        sets={
            "CertificateThumbprint": _CURRENT,
            "NewCertificateThumbprint": _NEXT,
            "NewCertificateEffectiveDate": _DATE,
        },
    ),
    "New-AuthServer": _Shown("Get-AuthServer", _AUTH_SERVER, "Name", "Name"),
    "Set-AuthServer": _Shown("Get-AuthServer", _AUTH_SERVER, "Name", "Identity"),
    "Set-PartnerApplication": _Shown("Get-PartnerApplication", ("Enabled",), "Name", "Identity"),
    "Enable-PushNotificationProxy": _Shown(_LOOK_AT_PROXY, _PROXY, leaves={"Enabled": True}),
    "Disable-PushNotificationProxy": _Shown(_LOOK_AT_PROXY, _PROXY, leaves={"Enabled": False}),
    "Enable-ExchangeCertificate": _Shown(
        "Get-ExchangeCertificate", ("Services",), "Thumbprint", "Thumbprint"
    ),
    "Copy-ExchangeCertificate": _Shown(
        "Get-LocalCertificate",
        ("HasPrivateKey",),
        "Thumbprint",
        "Thumbprint",
        leaves={"HasPrivateKey": True},
    ),
}


def before(observed: Observations, server: str, command: Cmdlet) -> State | None:
    """The fields as the last look showed them; None where it showed none."""
    shown = _SHOWN.get(command.name)
    if shown is None:
        return None
    parameters = dict(command.parameters)
    where = parameters.get("Server", server)
    for row in _rows(observed, str(where), shown.look):
        if not shown.row or row.get(shown.row) == parameters.get(shown.by):
            return {column: row.get(column) for column in shown.columns}
    return None


def after(was: State | None, command: Cmdlet, rows: Sequence[Row]) -> State | None:
    """The fields as what was sent and answered leaves them; the next look confirms it."""
    shown = _SHOWN.get(command.name)
    if shown is None:
        return dict(rows[0]) if rows else None
    told = {**(was or {}), **shown.leaves}
    if ("PublishCertificate", True) in command.parameters:
        return {**told, _CURRENT: told.get(_NEXT), _PREVIOUS: told.get(_CURRENT), _NEXT: None}
    columns = {name: shown.sets.get(name, name) for name, _ in command.parameters}
    asked = {columns[name]: value for name, value in command.parameters}
    return {**told, **{column: asked[column] for column in shown.columns if column in asked}}


def keys(entries: Iterable[KeyCredential]) -> State:
    """The key credentials of a principal; the keys themselves left out."""
    return listed(entry.raw for entry in entries)


def listed(entries: Iterable[Mapping[str, Any]]) -> State:
    """The same, from a request or an answer of Microsoft Graph."""
    return {
        "keyCredentials": [
            {name: entry[name] for name in _KEY_FIELDS if name in entry} for entry in entries
        ]
    }


def _rows(observed: Observations, server: str, look: str) -> Iterable[Row]:
    for (where, command), answer in observed.cmdlets.items():
        if command.name == look and where in (ORGANIZATION, server):
            yield from answer.rows
