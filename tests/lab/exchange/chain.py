"""The chain behind the probe. It holds only if every link truly holds.

Texts are those that Exchange is seen to show (knowledge of public reports); where the words of a
link are not known they are marked as inferred.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from datetime import timedelta
from typing import NoReturn

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from lab.exchange.certificates import StoredCertificate
from lab.exchange.directory import FIRST_PARTY, AuthServer, SettingOverride
from lab.exchange.organization import Organization
from lab.exchange.server import Server
from lab.exchange.texts import http_status, say
from lab.exchange.trust import NoConnection, TokenRefused

ACS = "00000001-0000-0000-c000-000000000000/accounts.accesscontrol.windows.net"


class StageFailed(Exception):
    """A link does not hold; ``str`` is the probe's Error, ``trace`` its Exception."""

    def __init__(self, text: str, kind: str = "System.Net.WebException") -> None:
        super().__init__(text)
        self.trace = f"{kind}: {text}\r\n   at Microsoft.Exchange.PushNotifications.Client()"


def walk(organization: Organization, server: Server) -> None:
    """The monitoring probe. Raises: StageFailed."""
    proxy = organization.view(server.fqdn).proxy()
    if not proxy.enabled:
        # inferred: the words for a proxy that is off
        _fail(server, "proxy_off")
    _fresh(organization, server)
    _active(server)
    _, _, token = signed_token(organization, server)
    if server.faults.outbound_blocked:
        raise _no_connection(server, proxy.uri)
    try:
        status = organization.microsoft365.push(proxy.uri, token)
    except NoConnection as error:
        raise _no_connection(server, str(error)) from error
    if not 200 <= status < 300:
        raise StageFailed(http_status(server.culture, status))


def signed_token(organization: Organization, server: Server) -> tuple[str, str, str]:
    """Principal, realm and an access token got with this server's key. Raises: StageFailed."""
    held = _signing_certificate(organization, server)
    auth_server = _auth_server(organization, server)
    principal = signing_principal(organization, server, auth_server.realm)
    if server.faults.outbound_blocked:
        raise _no_connection(server, auth_server.metadata_url)
    assertion = _assertion(server, held, principal, auth_server.realm)
    try:
        token = organization.microsoft365.issue_token(assertion, auth_server.realm)
    except TokenRefused as error:
        raise StageFailed(" ".join((http_status(server.culture, 401), str(error)))) from error
    except NoConnection as error:
        raise _no_connection(server, str(error)) from error
    return principal, auth_server.realm, token


def signing_principal(organization: Organization, server: Server, realm: str) -> str:
    """Whom a server signs as: the dedicated application only where all that it needs is there."""
    view = organization.view(server.fqdn)
    if not server.can_sign_as_dedicated:
        return FIRST_PARTY
    if not any(_enables_dedicated(override) for override in view.all(SettingOverride)):
        return FIRST_PARTY
    for candidate in view.all(AuthServer):
        if candidate.type == "AzureAD" and candidate.enabled and candidate.realm == realm:
            return candidate.application_identifier or FIRST_PARTY
    return FIRST_PARTY


def _enables_dedicated(override: SettingOverride) -> bool:
    words = {text.replace(" ", "").lower() for text in override.parameters}
    return override.section == "ExchangeOnpremAsThirdPartyAppId" and "enabled=true" in words


def _fresh(organization: Organization, server: Server) -> None:
    if organization.switches.stale_probe == "passes":
        return
    changed = organization.view(server.fqdn).proxy().when_changed
    started = server.health_manager()
    if started is None or (changed is not None and started < changed):
        # inferred: the words; the article restarts the service "to clear the cache"
        _fail(server, "proxy_cached", started or changed)


def _active(server: Server) -> None:
    states = server.component_states()
    for component in ("ServerWideOffline", "PushNotificationsProxy"):
        if states[component] != "Active":
            # inferred
            _fail(server, "component", component)


def _signing_certificate(organization: Organization, server: Server) -> StoredCertificate:
    held = server.store.get(_signing_thumbprint(organization, server))
    if held is None or held.key is None:
        _fail(server, "no_certificate")
    if not held.valid_at(server.now()):
        # inferred
        dates = held.x509.not_valid_before_utc, held.x509.not_valid_after_utc
        _fail(server, "certificate_dates", *dates)
    return held


def _signing_thumbprint(organization: Organization, server: Server) -> str:
    config = organization.view(server.fqdn).auth_config()
    changed, limit = config.replaced_at, organization.switches.old_signature_seconds
    if changed is None or not server.keeps_what_it_read_before(changed):
        return config.current
    # inferred: that it is these processes, and that an hour makes them read AuthConfig anew
    passed = (organization.clock() - changed).total_seconds()
    return config.replaced if passed < limit else config.current


def _auth_server(organization: Organization, server: Server) -> AuthServer:
    """An enabled auth server of the tenant that the proxy's organisation belongs to."""
    view = organization.view(server.fqdn)
    found = [one for one in view.all(AuthServer) if one.enabled and one.realm]
    if not found:
        _fail(server, "no_auth_server")
    realm = _tenant(organization, server, view.proxy().organization)
    matching = [one for one in found if realm in ("", one.realm)]
    if not matching:
        _fail(server, "other_realm", realm)
    return matching[0]


def _tenant(organization: Organization, server: Server, domain: str) -> str:
    """The tenant of a domain, as the service's challenge would tell; empty where none is known."""
    # inferred: that the organisation of the proxy decides to which tenant the token is for
    if not domain or server.faults.outbound_blocked:
        return ""
    url = f"https://accounts.accesscontrol.windows.net/metadata/json/1/?realm={domain}"
    try:
        document = organization.microsoft365.metadata(url)
    except NoConnection as error:
        raise _no_connection(server, str(error)) from error
    return str(document["realm"]) if document else f"of {domain}"


def _assertion(server: Server, held: StoredCertificate, principal: str, realm: str) -> str:
    # inferred: that the dedicated application's assertion has the same claims
    now = server.now()
    digest = hashlib.sha1(held.der, usedforsecurity=False).digest()
    claims = {
        "aud": f"{ACS}@{realm}",
        "iss": f"{principal}@{realm}",
        "nameid": f"{principal}@{realm}",
        "nbf": int(now.timestamp()),
        "exp": int((now + timedelta(hours=1)).timestamp()),
        "jti": str(uuid.uuid4()),
    }
    header = {"x5t": base64.urlsafe_b64encode(digest).rstrip(b"=").decode()}
    if not isinstance(held.key, rsa.RSAPrivateKey):
        _fail(server, "no_certificate")
    return jwt.encode(claims, held.key, algorithm="RS256", headers=header)


def _no_connection(server: Server, where: str) -> StageFailed:
    return StageFailed(say(server.culture, "no_name", where))


def _fail(server: Server, key: str, *values: object) -> NoReturn:
    text = say(server.culture, key, *values)
    raise StageFailed(text, "Microsoft.Exchange.PushNotifications.PushNotificationException")
