"""AuthConfig, auth servers, partner applications, setting overrides: shared by all servers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from lab.exchange.cmdlets.base import Call, Row, rule
from lab.exchange.directory import AuthConfig, AuthServer, PartnerApplication, SettingOverride
from lab.exchange.failures import (
    already_exists,
    ambiguous,
    bad_value,
    failure,
    not_found,
    unusable,
)
from lab.exchange.trust import NoConnection

# A date nearer than this gives a warning that asks (Microsoft, "Maintain the OAuth certificate").
_WARNED = timedelta(hours=48)


def get_auth_config(call: Call) -> list[Row]:
    config = call.view.auth_config()
    return [
        {
            "CurrentCertificateThumbprint": config.current,
            "PreviousCertificateThumbprint": config.previous,
            "NextCertificateThumbprint": config.next,
            "NextCertificateEffectiveDate": config.next_effective,
            "ServiceName": config.service_name,
            "Realm": config.realm,
            "WhenChangedUTC": config.when_changed,
            "OriginatingServer": call.controller,
        }
    ]


def set_auth_config(call: Call) -> list[Row]:
    """The parameter sets Current, New and Publish."""
    sets = (
        (_assign, ("CertificateThumbprint",)),
        (_stage_next, ("NewCertificateThumbprint", "NewCertificateEffectiveDate")),
        (_publish, ("PublishCertificate", "ClearPreviousCertificate")),
    )
    chosen = [does for does, names in sets if any(call.has(name) for name in names)]
    if len(chosen) != 1:
        raise ambiguous(call.server)
    chosen[0](call)
    return []


def _assign(call: Call) -> None:
    thumbprint = call.text("CertificateThumbprint").upper()
    _usable(call, thumbprint)
    if not call.flag("Force"):
        call.prompt("Do you want to continue?")  # inferred
    config = call.view.auth_config()
    if config.current == thumbprint:
        return
    # inferred: what was current becomes previous; a staged next one stays
    _store(call, replace(config, current=thumbprint, previous=config.current))
    call.organization.distribute(thumbprint, call.server)


def _stage_next(call: Call) -> None:
    thumbprint = call.text("NewCertificateThumbprint").upper()
    _usable(call, thumbprint)
    date = call.parameters.get("NewCertificateEffectiveDate")
    if not isinstance(date, datetime) or date <= call.server.now():
        raise failure(call.server, "ArgumentException", "InvalidArgument", "effective_date")
    if date < call.server.now() + _WARNED and not call.flag("Force"):
        call.prompt("The new certificate becomes effective in less than 48 hours.")
    _store(call, replace(call.view.auth_config(), next=thumbprint, next_effective=date))
    call.organization.distribute(thumbprint, call.server)


def _publish(call: Call) -> None:
    """Next becomes current at once, current previous; and, or only, forget the previous one.

    Neither asks: MonitorExchangeAuthCertificate.ps1 runs both unattended without -Force.
    """
    config = call.view.auth_config()
    if call.flag("PublishCertificate"):
        if not config.next:
            # inferred: how it is refused
            raise failure(
                call.server, "InvalidOperationException", "InvalidOperation", "no_next_certificate"
            )
        _usable(call, config.next)
        new = replace(config, current=config.next, previous=config.current)
        config = replace(new, next="", next_effective=None)
    if call.flag("ClearPreviousCertificate"):
        config = replace(config, previous="")
    _store(call, config)


def _store(call: Call, wanted: AuthConfig) -> None:
    stored = call.view.auth_config()
    if wanted == stored:
        return
    now = call.organization.clock()
    if wanted.current != stored.current:
        wanted = replace(wanted, replaced=stored.current, replaced_at=now)
    call.write().put(replace(wanted, when_changed=now))


def _usable(call: Call, thumbprint: str) -> None:
    # inferred: the conditions are Microsoft's, the answers of the cmdlet are documented nowhere
    held = call.server.store.get(thumbprint)
    if held is None:
        raise failure(
            call.server,
            "InvalidOperationException",
            "InvalidOperation",
            "certificate_not_found",
            call.server.name,
            thumbprint,
        )
    if held.key is None:
        raise unusable(call.server, thumbprint, "private key")
    if not held.valid_at(call.server.now()):
        raise unusable(call.server, thumbprint, "NotBefore, NotAfter")


def get_auth_server(call: Call) -> list[Row]:
    return [_auth_server_row(server) for server in call.view.all(AuthServer)]


def _auth_server_row(server: AuthServer) -> Row:
    return {
        "Name": server.name,
        "Type": server.type,
        "Realm": server.realm,
        "IssuerIdentifier": server.issuer,
        "AuthMetadataUrl": server.metadata_url,
        "Enabled": server.enabled,
        "ApplicationIdentifier": server.application_identifier,
        "DomainName": list(server.domain_names),
        "TrustAnySSLCertificate": server.trust_any_ssl_certificate,
    }


def new_auth_server(call: Call) -> list[Row]:
    name = call.limited("Name", 64)
    if call.view.find(AuthServer, name) is not None:
        raise already_exists(call.server, name)
    url = call.text("AuthMetadataUrl")
    kind = call.text("Type", "MicrosoftACS")  # inferred: what it is without -Type
    made = AuthServer(
        name,
        type=kind,
        enabled=call.flag("Enabled", default=True),
        trust_any_ssl_certificate=call.flag("TrustAnySSLCertificate"),
    )
    call.write().put(_with_metadata(call, made, url))
    return [{"Name": name}]


def set_auth_server(call: Call) -> list[Row]:
    name = call.text("Identity")
    old = call.view.find(AuthServer, name)
    if old is None:
        raise not_found(call.server, name)
    new = replace(
        old,
        enabled=call.flag("Enabled", default=old.enabled),
        application_identifier=call.text("ApplicationIdentifier", old.application_identifier),
        domain_names=call.texts("DomainName") or old.domain_names,
        trust_any_ssl_certificate=call.flag(
            "TrustAnySSLCertificate", default=old.trust_any_ssl_certificate
        ),
    )
    url = call.text("AuthMetadataUrl")
    if url and url != old.metadata_url:
        new = _with_metadata(call, new, url)
    call.write().put(new)
    return []


def _with_metadata(call: Call, server: AuthServer, url: str) -> AuthServer:
    """Exchange itself downloads the document when the URL is set."""
    if not url.startswith("https://"):
        raise bad_value(call.server, "AuthMetadataUrl", url)
    document = _download(call, url)
    if not document or not document.get("realm"):
        raise failure(call.server, "AuthMetadataBuilderException", "NotSpecified", "metadata", url)
    issuer = str(document.get("issuer", "")).partition("@")[0]
    return replace(server, metadata_url=url, realm=str(document["realm"]), issuer=issuer)


def _download(call: Call, url: str) -> Mapping[str, Any] | None:
    # inferred: type and text for a document out of reach
    if call.server.faults.outbound_blocked:
        return None
    try:
        return call.organization.microsoft365.metadata(url)
    except NoConnection:
        return None


def get_partner_application(call: Call) -> list[Row]:
    return [
        {
            "Name": partner.name,
            "ApplicationIdentifier": partner.application_identifier,
            "Enabled": partner.enabled,
            "Realm": partner.realm,
            "UseAuthServer": partner.use_auth_server,
        }
        for partner in call.view.all(PartnerApplication)
    ]


def set_partner_application(call: Call) -> list[Row]:
    name = call.text("Identity")
    old = call.view.find(PartnerApplication, name)
    if old is None:
        raise not_found(call.server, name)
    call.write().put(replace(old, enabled=call.flag("Enabled", default=old.enabled)))
    return []


def get_setting_override(call: Call) -> list[Row]:
    return [
        {
            "Name": override.name,
            "ComponentName": override.component,
            "SectionName": override.section,
            "Parameters": list(override.parameters),
        }
        for override in call.view.all(SettingOverride)
    ]


RULES = (
    rule("Get-AuthConfig", get_auth_config, "DomainController"),
    rule(
        "Set-AuthConfig",
        set_auth_config,
        "CertificateThumbprint NewCertificateThumbprint NewCertificateEffectiveDate"
        " PublishCertificate ClearPreviousCertificate Force Confirm DomainController",
    ),
    rule("Get-AuthServer", get_auth_server, "DomainController"),
    rule(
        "New-AuthServer",
        new_auth_server,
        "Name AuthMetadataUrl Type Enabled TrustAnySSLCertificate Confirm DomainController",
        required="Name AuthMetadataUrl",
    ),
    rule(
        "Set-AuthServer",
        set_auth_server,
        "Identity AuthMetadataUrl Enabled ApplicationIdentifier DomainName TrustAnySSLCertificate"
        " Confirm DomainController",
        required="Identity",
    ),
    rule("Get-PartnerApplication", get_partner_application, "DomainController"),
    rule(
        "Set-PartnerApplication",
        set_partner_application,
        "Identity Enabled Confirm DomainController",
        required="Identity",
    ),
    rule(
        "Get-SettingOverride",
        get_setting_override,
        "DomainController",
        # Exchange 2016 and later (page of Get-SettingOverride)
        exists=lambda server: server.build >= (15, 1),
    ),
)
