"""A request, an answer, and a connection that breaks: what every service of the model speaks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

JSON = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request. ``host`` is the Host header with its port; header names are in lower case."""

    method: str
    host: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    client: str = ""  # the address that it comes from

    @classmethod
    def to(cls, method: str, url: str, *, form: Mapping[str, str] | None = None) -> HttpRequest:
        """A request for an address, with an optional form as its body."""
        parts = urlsplit(url)
        body = urlencode(form or {}).encode()
        return cls(method, parts.netloc, parts.path or "/", parts.query, {}, body)

    @property
    def name(self) -> str:
        """The host without its port, in lower case."""
        return (urlsplit(f"//{self.host}").hostname or "").lower()

    def parameters(self) -> dict[str, str]:
        """The query as a table; ``$select`` and the like keep their dollar sign."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def form(self) -> dict[str, str]:
        """The body as a form."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """One answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """The body as JSON, ``{}`` where there is none."""
        return json.loads(self.body) if self.body else {}


class ConnectionCut(Exception):
    """The connection broke before the answer. ``applied``: the request had its effect."""

    def __init__(self, *, applied: bool) -> None:
        super().__init__("the connection was reset")
        self.applied = applied


def answer(status: int, document: Any, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """A JSON answer."""
    body = json.dumps(document, separators=(",", ":")).encode()
    return HttpResponse(status, {"content-type": JSON, **(headers or {})}, body)
