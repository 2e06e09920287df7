"""ACS: the metadata document and the token that Exchange asks for (docs/entra.md).

``name``, ``version`` and ``allowedAudiences`` are reconstructed, not recorded. How ACS shapes its
refusals is inferred from what administrators see in Test-OAuthConnectivity.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime
from typing import Any

from lab.microsoft365 import jwts
from lab.microsoft365.clouds import ACS_PRINCIPAL, EXCHANGE_ONLINE, clouds_of
from lab.microsoft365.directory import KeyCredential, Tenant, iso
from lab.microsoft365.errors import StsError
from lab.microsoft365.http import HttpRequest

_PROTOCOLS = (
    ("tokens/OAuth/2", "OAuth2", "issuance"),
    ("tokens/delegation/1", "DelegationIssuance1.0", "issuance"),
    ("mgmt/delegation/1", "DelegationManagement1.0", "management"),
)
GRANT = "http://oauth.net/grant_type/jwt/1.0/bearer"
OUTLOOK = f"{EXCHANGE_ONLINE}/outlook.office365.com"


class AccessControl:
    """Publishes its metadata and issues tokens for assertions that a principal's key has signed."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.signer = jwts.Signer.named("accounts.accesscontrol.windows.net")
        self.issued = 0

    def metadata(self, tenant: Tenant | None, request: HttpRequest) -> dict[str, Any]:
        """The document of a tenant; without one there is no issuer and no realm."""
        host = self._public_host(request)
        root = f"https://{host}/{tenant.tenant_id}" if tenant else f"https://{host}"
        value = base64.b64encode(self.signer.der).decode()
        key = {"type": "x509Certificate", "value": value, "keyInfo": {"x5t": self.signer.x5t}}
        document: dict[str, Any] = {
            "keys": [{"usage": "signing", "keyValue": key}],
            "endpoints": [
                {"location": f"{root}/{path}", "protocol": protocol, "usage": usage}
                for path, protocol, usage in _PROTOCOLS
            ],
        }
        if tenant:
            document |= {
                "version": "1.0",
                "name": "accounts.accesscontrol.windows.net",
                "realm": tenant.tenant_id,
                "issuer": f"{ACS_PRINCIPAL}@{tenant.tenant_id}",
                "allowedAudiences": [audience_of(tenant)],
            }
        return document

    def answer(self, tenant: Tenant, request: HttpRequest) -> dict[str, Any]:
        """The answer to a token request of Exchange. Raises StsError."""
        form = request.form()
        if form.get("grant_type") != GRANT:
            text = "The app requested an unsupported grant type."
            raise StsError(70003, "unsupported_grant_type", text)
        resource = form.get("resource", f"{OUTLOOK}@{tenant.tenant_id}")
        token = self.issue(tenant, form.get("assertion", ""), resource)
        return {"token_type": "Bearer", "expires_in": str(jwts.LIFETIME), "access_token": token}

    def issue(self, tenant: Tenant, assertion: str, resource: str) -> str:
        """A token for the app that signed the assertion. Raises StsError with Entra ID's text."""
        app_id = self._verify(tenant, assertion)
        self.issued += 1
        name = f"{app_id}@{tenant.tenant_id}"
        claims = {
            "aud": resource,
            "iss": f"{ACS_PRINCIPAL}@{tenant.tenant_id}",
            "nameid": name,
            "identityprovider": f"{ACS_PRINCIPAL}@{tenant.tenant_id}",
            "oid": app_id,
        }
        return self.signer.sign(claims, self._now())

    def _verify(self, tenant: Tenant, assertion: str) -> str:
        """The app id an assertion truly stands for. Raises StsError."""
        try:
            head, claims = jwts.header(assertion), jwts.unverified(assertion)
        except jwts.BadToken as error:
            text = f"Assertion is malformed and cannot be read: {error}."
            raise StsError(50027, "invalid_request", text) from error
        app_id = _issuer(tenant, str(claims.get("iss")))
        key = self._key(tenant, app_id, jwts.unbase64url(str(head.get("x5t", ""))))
        try:
            jwts.verified(assertion, key.certificate, "RS256")
        except jwts.BadToken as error:
            reason = "Key was found, but use of the key to verify the signature failed"
            raise _bad_signature(key.sha1, reason) from error
        self._check(tenant, claims)
        return app_id

    def _key(self, tenant: Tenant, app_id: str, digest: bytes) -> KeyCredential:
        keys = [key for key in tenant.keys_of(app_id) if key.sha1 == digest]
        if not keys:
            raise _bad_signature(digest, "The key was not found")
        good = [key for key in keys if key.good_at(self._now())]
        if not good:
            dates = f"Start={iso(keys[0].start)}, End={iso(keys[0].end)}"
            raise _bad_signature(digest, f"The key used is expired., Found key '{dates}'")
        return good[0]

    def _check(self, tenant: Tenant, claims: dict[str, Any]) -> None:
        now = self._now()
        try:
            jwts.check_times(claims, now, ("nbf", "exp"))
        except jwts.BadToken as error:
            text = f"Client assertion is not within its valid time range. Current time: {iso(now)}."
            raise StsError(700024, "invalid_client", text, 401) from error
        if claims.get("aud") != audience_of(tenant):
            text = f"Client assertion audience claim '{claims.get('aud')}' is not valid."
            raise StsError(700023, "invalid_client", text, 401)

    @staticmethod
    def _public_host(request: HttpRequest) -> str:
        """The host it was asked by; the login host names the ACS of its cloud (recorded)."""
        cloud = clouds_of(request.name)[0]
        return cloud.acs_host if request.name in cloud.login else request.host


def audience_of(tenant: Tenant) -> str:
    """What an assertion for this tenant must be addressed to."""
    return f"{ACS_PRINCIPAL}/accounts.accesscontrol.windows.net@{tenant.tenant_id}"


def _issuer(tenant: Tenant, issuer: str) -> str:
    app_id, _, realm = issuer.partition("@")
    if not tenant.known_as(realm):
        text = f"The issuer '{issuer}' does not belong to the tenant '{tenant.tenant_id}'."
        raise StsError(50027, "invalid_client", text, 401)
    if not any(holder.app_id == app_id for holder in tenant.holders):
        text = f"Application with identifier '{app_id}' was not found in the directory."
        raise StsError(700016, "unauthorized_client", text)
    return app_id


def _bad_signature(digest: bytes, reason: str) -> StsError:
    text = (
        f"Client assertion contains an invalid signature. [Reason - {reason}., Thumbprint of key "
        f"used by client: '{digest.hex().upper()}']"
    )
    return StsError(700027, "invalid_client", text, 401)
