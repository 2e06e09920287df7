"""Certificates: each server has a store of its own."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    pkcs12,
)

from exchange_push_operator.core.errors import CmdletFailed
from lab.exchange.certificates import StoredCertificate
from lab.exchange.cmdlets.base import Call, Row, rule
from lab.exchange.failures import bad_value, failure, unusable
from lab.exchange.server import Server

SERVICES = ("Federation", "IIS", "IMAP", "POP", "SMTP", "UM", "UMCallRouter")
_DEFAULT = "IMAP, POP, SMTP"


def services_text(services: frozenset[str]) -> str:
    """Flags as .NET writes them: ``IIS, SMTP``; ``None`` for none."""
    return ", ".join(sorted(services, key=SERVICES.index)) or "None"


def _services(call: Call, default: str) -> frozenset[str]:
    known = {name.lower(): name for name in SERVICES}
    found = set()
    for word in call.text("Services", default).split(","):
        name = word.strip().lower()
        if name in known:
            found.add(known[name])
        elif name != "none":
            raise bad_value(call.server, "Services", word)
    return frozenset(found)


def _target(call: Call) -> Server:
    """The server whose store is meant. Raises: CmdletFailed, as where RPC does not get through."""
    server = call.other_server(call.text("Server"))
    faults = server.faults
    if server is not call.server and (faults.down or faults.rpc_down):
        # inferred: the type of an RPC error; known is that it is not InvalidOperationException
        raise failure(
            call.server, "RpcClientException", "ResourceUnavailable", "rpc_unavailable", server.name
        )
    return server


def _missing(call: Call, server: Server, thumbprint: str) -> CmdletFailed:
    return failure(
        call.server,
        "InvalidOperationException",
        "InvalidOperation",
        "certificate_not_found",
        server.name,
        thumbprint,
    )


def status(server: Server, certificate: StoredCertificate) -> str:
    """An expired self-signed certificate is Invalid, as an administrator's dump shows."""
    if certificate.valid_at(server.now()):
        return "Valid"
    expired = certificate.x509.not_valid_after_utc <= server.now()
    return "Invalid" if expired else "DateInvalid"  # inferred: one that is not valid yet


def get_exchange_certificate(call: Call) -> list[Row]:
    server = _target(call)
    wanted = call.text("Thumbprint").replace(" ", "").upper()
    if wanted and wanted not in server.store:
        raise _missing(call, server, wanted)
    return [_row(server, held) for name, held in server.store.items() if wanted in ("", name)]


def _row(server: Server, held: StoredCertificate) -> Row:
    return {
        "Thumbprint": held.thumbprint,
        "Services": services_text(held.services),
        "Status": status(server, held),
        "HasPrivateKey": held.key is not None,
        "FriendlyName": held.friendly_name,
        "RawData": held.der,
    }


def new_exchange_certificate(call: Call) -> list[Row]:
    """A self-signed certificate of five years, RSA 2048 unless asked otherwise."""
    server = _target(call)
    services = _services(call, _DEFAULT)
    friendly_name = call.limited("FriendlyName", 63)
    if "SMTP" in services and not call.flag("Force"):
        call.prompt("Overwrite the existing default SMTP certificate?")
    der, key = call.organization.mint.self_signed(
        call.text("SubjectName", f"CN={server.name}"),
        server.now(),
        domains=call.texts("DomainName"),
        key_size=int(call.parameters.get("KeySize") or 2048),
    )
    exportable = call.flag("PrivateKeyExportable")
    held = StoredCertificate(der, key, friendly_name or "Microsoft Exchange", services, exportable)
    server.add(held)
    # inferred: that 'None' leaves the transport certificate alone; the switch has it otherwise
    if "SMTP" in services or call.organization.switches.creation_takes_transport:
        server.transport = held.thumbprint
    call.changed = True
    return [{"Thumbprint": held.thumbprint, "RawData": der}]


def enable_exchange_certificate(call: Call) -> list[Row]:
    """Add services to a certificate; none is ever taken away."""
    server = _target(call)
    thumbprint = call.text("Thumbprint").upper()
    held = server.store.get(thumbprint)
    if held is None:
        raise _missing(call, server, thumbprint)
    services = _services(call, "None")
    takes_transport = "SMTP" in services and server.transport != thumbprint
    if takes_transport and not call.flag("Force"):
        call.prompt("Overwrite the existing default SMTP certificate?")
    server.store[thumbprint] = replace(held, services=held.services | services)
    if takes_transport:
        server.transport = thumbprint
    call.changed = True
    return []


def export_exchange_certificate(call: Call) -> list[Row]:
    """A certificate with its key, as a PFX that its password opens."""
    server = _target(call)
    thumbprint = call.text("Thumbprint").upper()
    held = server.store.get(thumbprint)
    if held is None:
        raise _missing(call, server, thumbprint)
    if held.key is None or not held.exportable:
        # inferred: how it is refused
        raise unusable(call.server, thumbprint, "private key")
    pfx = pkcs12.serialize_key_and_certificates(
        held.friendly_name.encode(),
        held.key,
        held.x509,
        None,
        BestAvailableEncryption(call.text("Password").encode()),
    )
    return [{"FileData": pfx}]


def import_exchange_certificate(call: Call) -> list[Row]:
    """The other half. Raises: CmdletFailed; ValueError where the password is another one."""
    target = _target(call)
    found = pkcs12.load_pkcs12(call.parameters["FileData"], call.text("Password").encode())
    assert found.cert is not None
    assert isinstance(found.key, rsa.RSAPrivateKey)
    der = found.cert.certificate.public_bytes(Encoding.DER)
    name = (found.cert.friendly_name or b"").decode()
    held = StoredCertificate(der, found.key, name, exportable=call.flag("PrivateKeyExportable"))
    if held.thumbprint in target.store:
        # inferred: type; a certificate that is there without its key is in the way as well
        raise failure(
            call.server,
            "InvalidOperationException",
            "InvalidOperation",
            "certificate_exists",
            target.name,
            held.thumbprint,
        )
    target.add(held)
    call.changed = True
    return []


def copy_exchange_certificate(call: Call) -> list[Row]:
    """The host's function: the two above, the second for another server."""
    password = secrets.token_urlsafe()
    export = {"Thumbprint": call.text("Thumbprint"), "Password": password}
    (file,) = _part(call, "Export-ExchangeCertificate", export_exchange_certificate, export)
    given = {"Server": call.text("Server"), "Password": password, "PrivateKeyExportable": True}
    _part(call, "Import-ExchangeCertificate", import_exchange_certificate, given | file)
    call.changed = True
    return []


def _part(call: Call, name: str, does: Callable[[Call], list[Row]], parameters: Row) -> list[Row]:
    """As host.ps1's Invoke-ExchangeCmdlet: an error tells which cmdlet it is of."""
    try:
        return does(replace(call, parameters=parameters))
    except CmdletFailed as error:
        raise CmdletFailed(
            f"{name}: {error}",
            identifier=error.identifier,
            category=error.category,
            kind=error.kind,
        ) from error


RULES = (
    rule(
        "Copy-ExchangeCertificate",
        copy_exchange_certificate,
        "Thumbprint Server",
        required="Thumbprint Server",
    ),
    rule(
        "Export-ExchangeCertificate",
        export_exchange_certificate,
        "Thumbprint Server BinaryEncoded Password",
        required="Thumbprint Password",
    ),
    rule(
        "Import-ExchangeCertificate",
        import_exchange_certificate,
        "Server FileData Password PrivateKeyExportable Confirm",
        required="FileData Password",
    ),
    rule("Get-ExchangeCertificate", get_exchange_certificate, "Server Thumbprint DomainController"),
    rule(
        "New-ExchangeCertificate",
        new_exchange_certificate,
        "Server KeySize PrivateKeyExportable SubjectName FriendlyName DomainName Services Force"
        " Confirm",
    ),
    rule(
        "Enable-ExchangeCertificate",
        enable_exchange_certificate,
        "Server Thumbprint Services Force Confirm",
        required="Thumbprint Services",
    ),
)
