"""What the Exchange half of the lab needs from the Microsoft 365 half."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class TokenRefused(Exception):
    """The token service said no; ``str(error)`` is its text, which Exchange shows to people."""


class NoConnection(Exception):
    """The host does not answer. ``str(error)`` says which."""


class Microsoft365(Protocol):
    """ACS and the push endpoint, as an Exchange server sees them."""

    def metadata(self, url: str) -> Mapping[str, Any] | None:
        """The metadata document behind a URL; None where the service has none (HTTP 400, 404).

        Raises: NoConnection.
        """
        ...

    def issue_token(self, assertion: str, realm: str) -> str:
        """An access token of a tenant (``realm``) for a signed client assertion.

        Raises: TokenRefused, NoConnection.
        """
        ...

    def push(self, uri: str, token: str) -> int:
        """The HTTP status with which the push endpoint answers a bearer token.

        Raises: NoConnection.
        """
        ...


class Offline:
    """A Microsoft 365 that cannot be reached."""

    def metadata(self, url: str) -> Mapping[str, Any] | None:
        raise NoConnection(url)

    def issue_token(self, assertion: str, realm: str) -> str:
        del assertion
        raise NoConnection(realm)

    def push(self, uri: str, token: str) -> int:
        del token
        raise NoConnection(uri)
