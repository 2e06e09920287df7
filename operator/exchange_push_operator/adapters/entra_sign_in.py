"""Access tokens of one application in one tenant, by MSAL."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import msal
import requests

from exchange_push_operator.adapters.entra_refusals import credential_field, refusal
from exchange_push_operator.adapters.federated_token import compared_claims
from exchange_push_operator.adapters.foreign_text import mask
from exchange_push_operator.adapters.graph_replies import throttled
from exchange_push_operator.adapters.http import CHECK_GATEWAY, Https, Reply, host_of
from exchange_push_operator.core.client_certificate import check_client_certificate
from exchange_push_operator.core.errors import PushError, Refused, Unreachable
from exchange_push_operator.core.fresh_token import SPREAD
from exchange_push_operator.core.ports import GraphAccess
from exchange_push_operator.core.reasons import Reason

# What MSAL raises on JSON whose values are of other types than it expects, or nested too deep.
_NOT_UNDERSTOOD = (AttributeError, LookupError, RecursionError, TypeError, ValueError)
_TOKEN = re.compile(r"[\w.~+/=-]+", re.ASCII)  # RFC 6750's b64token: safe in a header


class SignIn:
    """One application, with one state of its credential. Threads share it; one signs in at a time.

    MSAL's object is made at the first use, because making it asks the network, and is thrown away
    with every failure: it repeats a refusal from memory for a minute, and a cure would not be seen.
    """

    def __init__(self, access: GraphAccess, https: Https, now: Callable[[], datetime]) -> None:
        self._access = access
        self._https = https
        self._now = now
        self._lock = Lock()
        self._app: Any = None
        self._expires: datetime | None = None
        self._token = ""
        self._claims: Mapping[str, str] = {}
        self._since = now()

    @property
    def version(self) -> str:
        """The state of the Secrets this was made of."""
        return self._access.version

    def token(self, *, rejected: str | None = None, since: datetime | None = None) -> str:
        """An access token for Graph, from memory while it lasts.

        Never ``rejected`` again, and none that was asked for before ``since``.

        Raises: Refused (SecretInvalid, AccessDenied), Unreachable, Throttled.
        """
        with self._lock:
            app, self._app = self._app, None
            outdated = self._expires is not None and self._expires <= self._now()
            old = since is not None and self._since < since
            anew = app is None or outdated or old or rejected == self._token
            if anew:
                app = self._new_app()
            token = self._acquire(app)
            if anew or token != self._token:
                self._token, self._since = token, self._now()
            self._app = app
            return token

    def renewed(self) -> str:
        """A token that knows the permissions of by now: another one after some minutes.

        Raises: as ``token``.
        """
        return self.token(since=self._now() - SPREAD)

    def _acquire(self, app: Any) -> str:
        host = host_of(self._access.authority)
        try:
            result = app.acquire_token_for_client([f"{self._access.graph}/.default"])
        except _NoAnswerError as error:
            raise error.meaning from error
        except _NOT_UNDERSTOOD:
            # Not chained: MSAL's error may hold the answer.
            message = f"{host}: its answer to the sign-in cannot be understood; {CHECK_GATEWAY}"
            raise Unreachable(message) from None
        token = result.get("access_token")
        if token is None:
            raise refusal(self._without_secret(result), self._access, self._claims)
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            message = f"{host}: the access token is unreadable"
            raise Unreachable(message)
        return token

    def _new_app(self) -> Any:
        access, credential = self._access, self._credential()
        try:
            return msal.ConfidentialClientApplication(
                access.client_id,
                client_credential=credential,
                authority=f"{access.authority}/{access.tenant_id}",
                instance_discovery=False,  # would ask login.microsoftonline.com for every cloud
                azure_region=msal.ConfidentialClientApplication.DISABLE_MSAL_FORCE_REGION,
                http_client=_HttpForMsal(self._https, access),
                app_name="exchange-push-operator",
            )
        except _NoAnswerError as error:
            raise error.meaning from error
        except _NOT_UNDERSTOOD as error:
            message = f"{host_of(access.authority)}: its OpenID configuration cannot be used"
            raise Unreachable(message) from error

    def _credential(self) -> str | dict[str, Any]:
        """MSAL's form of the credential, checked as far as can be without asking anybody."""
        access = self._access
        if access.federated_token is not None:
            return {"client_assertion": self._assertion}  # MSAL calls it when it asks Entra ID
        if access.certificate is None or access.private_key is None:
            secret = access.client_secret.reveal() if access.client_secret else ""
            if not secret or secret != secret.strip():
                fact = "the client secret is empty, or begins or ends with white space"
                field = credential_field(access)
                raise Refused(
                    Reason.SECRET_INVALID, f"{fact} (in the Secret named in {field}); store it anew"
                )
            return secret
        key = access.private_key.reveal()
        self._expires = check_client_certificate(access.certificate, key, self._now())
        return {"private_key": key, "public_certificate": access.certificate}

    def _assertion(self) -> str:
        federated = self._access.federated_token
        try:
            token = federated.reveal() if federated else ""
        except PushError as error:
            raise _NoAnswerError(error) from error
        self._claims = compared_claims(token)
        return token

    def _without_secret(self, result: Mapping[str, Any]) -> Mapping[str, Any]:
        # Entra ID does not repeat secrets; what answers in its place might. Before anything is
        # cut: half a secret would not be found.
        secret = self._access.client_secret.reveal() if self._access.client_secret else ""
        return {
            name: mask(value, secret) if isinstance(value, str) else value
            for name, value in result.items()
        }


class _NoAnswerError(requests.RequestException):
    """Takes one of our errors through MSAL.

    MSAL lets RequestException pass, and falls back to a token that is still good when it wanted
    to renew it early.
    """

    def __init__(self, meaning: PushError) -> None:
        super().__init__(str(meaning))
        self.meaning = meaning


class _HttpForMsal:
    """The HTTP client that MSAL calls; it hands MSAL only answers that MSAL understands."""

    def __init__(self, https: Https, access: GraphAccess) -> None:
        self._https = https
        self._access = access

    def get(self, url: str, **parts: Any) -> Reply:
        """Fetch the OpenID configuration."""
        reply = self._call("GET", url, parts)
        if reply.status_code >= 400:  # noqa: PLR2004 - HTTP's class of client errors
            host, tenant = host_of(url), self._access.tenant_id
            message = f"{host}: there is no tenant {tenant}; check tenant.tenantId and tenant.cloud"
            raise _NoAnswerError(Refused(Reason.ACCESS_DENIED, message))
        return reply

    def post(self, url: str, **parts: Any) -> Reply:
        """Ask for a token. The credential goes to the authority itself, nowhere else."""
        if urlsplit(url)[:2] != urlsplit(self._access.authority)[:2]:
            host = host_of(self._access.authority)
            message = f"{host}: wants the credential sent to another host, which was not done"
            raise _NoAnswerError(Refused(Reason.ACCESS_DENIED, message))
        return self._call("POST", url, parts)

    def close(self) -> None:
        """The connections belong to others."""

    def _call(self, method: str, url: str, parts: Mapping[str, Any]) -> Reply:
        try:
            reply = self._https.call(method, url, **parts)
        except PushError as error:
            raise _NoAnswerError(error) from error
        trouble = _trouble(reply, host_of(url))
        if trouble:
            raise _NoAnswerError(trouble)
        return reply


def _trouble(reply: Reply, host: str) -> PushError | None:
    patience = throttled(reply, host)
    if patience:
        return patience
    if reply.status_code >= 500:  # noqa: PLR2004 - HTTP's class of server errors
        return Unreachable(f"{host}: HTTP {reply.status_code}; the service has trouble")
    if reply.json_object() is None:
        return Unreachable(f"{host}: HTTP {reply.status_code} without JSON; {CHECK_GATEWAY}")
    return None
