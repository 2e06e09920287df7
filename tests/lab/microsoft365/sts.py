"""Entra ID's token endpoint: client credentials that are truly verified.

The OAuth error names are what a client may rely on. The AADSTS numbers 700016, 7000222, 700027,
700024, 53003 and their HTTP statuses are from public reports, not from Microsoft's reference.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from lab.microsoft365 import jwts
from lab.microsoft365.clouds import clouds_of
from lab.microsoft365.directory import Holder, KeyCredential, Kind, Tenant, iso
from lab.microsoft365.errors import StsError
from lab.microsoft365.faults import Faults
from lab.microsoft365.federation import Keys, check_federated, issuer_of
from lab.microsoft365.http import HttpRequest

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_FORMS = {"RS256": "x5t", "PS256": "x5t#S256"}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a valid access token stands for."""

    tenant: Tenant
    app_id: str
    roles: frozenset[str]


class TokenService:
    """Checks a client's proof and signs access tokens.

    ``issuers`` are the JWKS documents of other issuers, as Entra ID finds them on the internet.
    """

    def __init__(self, faults: Faults, now: Callable[[], datetime]) -> None:
        self._faults = faults
        self._now = now
        self.signer = jwts.Signer.named("login.microsoftonline.com signing")
        self.issued = 0
        self.issuers: dict[str, Keys] = {}

    def answer(self, tenant: Tenant, request: HttpRequest) -> dict[str, Any]:
        """The answer to ``grant_type=client_credentials``. Raises StsError."""
        form = request.form()
        if form.get("grant_type") != "client_credentials":
            text = "The app requested an unsupported grant type."
            raise StsError(70003, "unsupported_grant_type", text)
        audience = self._audience(form.get("scope", ""), request.name)
        application = self.application(tenant, form.get("client_id", ""))
        self._check_proof(application, form, request)
        token = self.issue(tenant, application, audience)
        lifetime = jwts.LIFETIME - 1
        return {
            "token_type": "Bearer",
            "expires_in": lifetime,
            "ext_expires_in": lifetime,
            "access_token": token,
        }

    def application(self, tenant: Tenant, client_id: str) -> Holder:
        """The registration of a client id. Raises StsError (700016)."""
        found = tenant.find(Kind.APPLICATION, client_id)
        if found is None:
            text = (
                f"Application with identifier '{client_id}' was not found in the directory "
                f"'{tenant.display_name}'. This can happen if the application has not been "
                "installed by the administrator of the tenant or consented to by any user in the "
                "tenant. You may have sent your authentication request to the wrong tenant."
            )
            raise StsError(700016, "unauthorized_client", text)
        return found

    def check_secret(self, application: Holder, text: str) -> None:
        """Raises StsError: 7000215 for a wrong secret, 7000222 for an expired one."""
        sent = text.encode()
        known = (s for s in application.secrets if hmac.compare_digest(s.text.encode(), sent))
        secret = next(known, None)
        if secret is None:
            raise StsError(
                7000215,
                "invalid_client",
                "Invalid client secret provided. Ensure the secret being sent in the request is "
                "the client secret value, not the client secret ID, for a secret added to app "
                f"'{application.app_id}'.",
                401,
            )
        if secret.end <= self._now():
            text = (
                f"The provided client secret keys for app '{application.app_id}' are expired. "
                "Visit the Azure portal to create new keys for your app, or consider using "
                "certificate credentials for added security."
            )
            raise StsError(7000222, "invalid_client", text, 401)

    def check_registered(self, application: Holder, digest: bytes) -> KeyCredential:
        """The registered certificate with a SHA-1 or SHA-256 digest. Raises StsError (700027)."""
        keys = (k for k in application.keys if digest and digest in {k.sha1, k.sha256})
        key = next(keys, None)
        if key is None:
            raise _bad_key(application, "The key was not found.", digest)
        if not key.good_at(self._now()):
            found = (
                f"The key used is expired., Found key 'Start={iso(key.start)}, End={iso(key.end)}'"
            )
            raise _bad_key(application, found, digest)
        return key

    def issue(self, tenant: Tenant, application: Holder, audience: str) -> str:
        """An access token, with the roles as they are granted at this moment."""
        principal = tenant.find(Kind.PRINCIPAL, application.app_id)
        if principal is None:
            text = f"The client application {application.app_id} is missing service principal."
            raise StsError(7000229, "invalid_client", text, 401)
        self._check_access()
        self.issued += 1
        claims = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{tenant.tenant_id}/",
            "app_displayname": application.display_name,
            "appid": application.app_id,
            "idtyp": "app",
            "oid": principal.object_id,
            "sub": principal.object_id,
            "tid": tenant.tenant_id,
            "roles": sorted(principal.roles),
            "ver": "1.0",
        }
        return self.signer.sign(claims, self._now())

    def _check_access(self) -> None:
        """Conditional access for workload identities (error name inferred)."""
        if self._faults["conditional_access"]:
            text = (
                "Access has been blocked by Conditional Access policies. The access policy does "
                "not allow token issuance."
            )
            raise StsError(53003, "invalid_grant", text)

    def _audience(self, scope: str, host: str) -> str:
        """The Graph address a token is asked for: of this cloud, or the lab's localhost form."""
        resource, _, rest = scope.rpartition("/")
        if rest != ".default" or not resource.startswith("https://"):
            text = f"The provided value for the input parameter 'scope' is not valid: '{scope}'."
            raise StsError(70011, "invalid_scope", text)
        name = urlsplit(resource).hostname or ""
        if name not in {"localhost", *(cloud.graph for cloud in clouds_of(host))}:
            text = f"The resource principal named {resource} was not found in the tenant."
            raise StsError(500011, "invalid_resource", text)
        return resource

    def _check_proof(
        self, application: Holder, form: Mapping[str, str], request: HttpRequest
    ) -> None:
        if "client_assertion" in form:
            self._check_assertion(application, form, request)
        elif "client_secret" in form:
            self.check_secret(application, form["client_secret"])
        else:
            text = (
                "'client_assertion', 'client_secret' or 'request' is required for the "
                "'client_credentials' grant type."
            )
            raise StsError(7000216, "invalid_client", text, 401)

    def _check_assertion(
        self, application: Holder, form: Mapping[str, str], request: HttpRequest
    ) -> None:
        assertion = form["client_assertion"]
        algorithm, digest = _proof_of(assertion, form)
        if issuer_of(assertion).startswith("https://"):
            self._check_times(check_federated(application, assertion, self.issuers))
            return
        key = self.check_registered(application, digest)
        try:
            claims = jwts.verified(assertion, key.certificate, algorithm)
        except jwts.BadToken as error:
            reason = "Key was found, but use of the key to verify the signature failed."
            raise _bad_key(application, reason, digest) from error
        _check_identity(claims, application.app_id)
        _check_audience(claims, request)
        self._check_times(claims)

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now = self._now()
        try:
            jwts.check_times(claims, now)  # MSAL sends no nbf
        except jwts.BadToken as error:
            text = (
                "Client assertion is not within its valid time range. Current time: "
                f"{iso(now)}, expiry time of assertion {claims.get('exp')}. {error}"
            )
            raise StsError(700024, "invalid_client", text, 401) from error


def _proof_of(assertion: str, form: Mapping[str, str]) -> tuple[str, bytes]:
    """Algorithm and certificate digest that an assertion names in its header."""
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        text = "The 'client_assertion_type' must be the JWT bearer form."
        raise StsError(90023, "invalid_request", text)
    try:
        head = jwts.header(assertion)
    except jwts.BadToken as error:
        text = f"Assertion is malformed and cannot be read: {error}."
        raise StsError(50027, "invalid_request", text) from error
    algorithm = str(head.get("alg"))
    if algorithm not in _FORMS:
        text = f"The signing algorithm '{algorithm}' of the client assertion is not supported."
        raise StsError(50027, "invalid_request", text)
    return algorithm, jwts.unbase64url(str(head.get(_FORMS[algorithm], "")))


def _check_identity(claims: Mapping[str, Any], client_id: str) -> None:
    for name in ("iss", "sub"):
        if claims.get(name) != client_id:
            text = (
                f"Client assertion application identifier '{claims.get(name)}' ({name}) doesn't "
                "match 'client_id' parameter."
            )
            raise StsError(700021, "invalid_client", text, 401)


def _check_audience(claims: Mapping[str, Any], request: HttpRequest) -> None:
    """The token endpoint: as it was asked, or by the cloud's own host name."""
    hosts = [request.host, *(host for cloud in clouds_of(request.name) for host in cloud.login)]
    if claims.get("aud") not in {f"https://{host}{request.path}" for host in hosts}:
        text = f"Client assertion audience claim '{claims.get('aud')}' does not match Realm issuer."
        raise StsError(700023, "invalid_client", text, 401)


def _bad_key(application: Holder, reason: str, digest: bytes) -> StsError:
    text = (
        "The certificate with identifier used to sign the client assertion is not registered on "
        f"application. [Reason - {reason}, Thumbprint of key used by client: "
        f"'{digest.hex().upper()}', Please visit the Azure Portal, Graph Explorer or directly use "
        f"MS Graph to see configured keys for app Id '{application.app_id}'.]"
    )
    return StsError(700027, "invalid_client", text, 401)
