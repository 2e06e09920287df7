"""What an HTTPS request to Microsoft is for, as labels: few words, and never a tenant's name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from exchange_push_operator.core.clouds import CLOUDS
from exchange_push_operator.core.commands import Cmdlet

EXCHANGE = "exchange"
GRAPH = "graph"
ENTRA = "entra"
"""Signing in, and the public documents of Entra ID and of the token issuer."""

LOOK = "Look"
"""Several cmdlets in one request."""

_GRAPHS = frozenset(urlsplit(cloud.graph).netloc for cloud in CLOUDS.values())
_COLLECTION = re.compile(r"/v1\.0/([A-Za-z]+)")
_DOCUMENTS = (
    ("/oauth2/v2.0/token", "SignIn"),
    ("/.well-known/openid-configuration", "OpenIdConfiguration"),
    ("/metadata/json/1", "AcsMetadata"),
)


def of_https(method: str, url: str) -> tuple[str, str]:
    """Endpoint and operation of a call."""
    parts = urlsplit(url)
    if parts.netloc in _GRAPHS:
        found = _COLLECTION.match(parts.path)
        return GRAPH, f"{method} {found[1] if found else 'other'}"
    known = (word for end, word in _DOCUMENTS if parts.path.endswith(end))
    return ENTRA, next(known, "Document")


def of_batch(batch: Sequence[Cmdlet]) -> str:
    """The operation of a request to an Exchange server: the cmdlet, where it is one."""
    return batch[0].name if len(batch) == 1 else LOOK
