"""What an administrator should know of the operator's own credential before it ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from exchange_push_operator.core.config import PushConfig
from exchange_push_operator.core.plan import Advisory

# As long as the alert ExchangePushClientCertificateExpiring.
_NOTICE = timedelta(days=21)

_NOT_SEEN = Advisory(
    "ClientSecretEndNotSeen",
    "Entra ID does not tell with a token when the client secret of spec.tenant.credentials ends; "
    "note its date (az ad app credential list --id <clientId>), or sign in with "
    "clientCertificate, whose end is watched, or workloadIdentity, which has none",
)


def advisories(config: PushConfig, ends: datetime | None, now: datetime) -> Iterator[Advisory]:
    """What there is to say of the credential; ``ends`` is when the client certificate does."""
    credentials = config.tenant.credentials
    if credentials is None:
        return
    if credentials.client_secret is not None:
        yield _NOT_SEEN
    if ends is not None and ends - now < _NOTICE:
        yield Advisory(
            "ClientCertificateExpiring",
            f"the client certificate in Secret {config.namespace}/{credentials.certificate_secret} "
            "expires within three weeks (status.clientCertificate.notAfter), and without it the "
            "operator cannot sign in to Entra ID; register another one at the application, then "
            "store it in the Secret",
        )
