"""Refusals, each with the body its service gives it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lab.microsoft365.http import HttpResponse, answer


class GraphError(Exception):
    """A refusal of Graph (docs/entra.md). ``detail`` is the code inside ``details``."""

    def __init__(self, status: int, code: str, text: str, detail: str | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.detail = detail

    def response(self, headers: Mapping[str, str], now: datetime) -> HttpResponse:
        """The body as Graph shapes it; ``headers`` are those of the request."""
        request_id = str(uuid.uuid4())
        client_id = headers.get("client-request-id", request_id)
        inner = {
            "date": now.strftime("%Y-%m-%dT%H:%M:%S"),
            "request-id": request_id,
            "client-request-id": client_id,
        }
        error: dict[str, Any] = {"code": self.code, "message": str(self), "innerError": inner}
        if self.detail:
            one = {"code": self.detail, "message": str(self), "target": "keyCredentials"}
            error["details"] = [one]
        ids = {"request-id": request_id, "client-request-id": client_id}
        return answer(self.status, {"error": error}, ids)


class StsError(Exception):
    """A refusal of the token or discovery endpoint: an OAuth error with an AADSTS number.

    The shape is recorded (docs/entra.md); the numbers are hints, never to be relied on.
    """

    def __init__(self, number: int, error: str, text: str, status: int = 400) -> None:
        super().__init__(f"AADSTS{number}: {text}")
        self.number = number
        self.error = error
        self.status = status

    def response(self, host: str, now: datetime) -> HttpResponse:
        """The body as Entra ID shapes it, with ids and a time that differ every time."""
        stamp = now.strftime("%Y-%m-%d %H:%M:%SZ")
        trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
        tail = f" Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}"
        document = {
            "error": self.error,
            "error_description": f"{self}{tail}",
            "error_codes": [self.number],
            "timestamp": stamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://{host}/error?code={self.number}",
        }
        return answer(self.status, document)


def no_tenant(reference: str, error: str) -> StsError:
    """AADSTS90002: ``invalid_tenant`` from discovery, ``invalid_request`` from the others."""
    text = (
        f"Tenant '{reference}' not found. Check to make sure you have the correct tenant ID and "
        "are signing into the correct cloud. Check with your subscription administrator, this may "
        "happen if there are no active subscriptions for the tenant."
    )
    return StsError(90002, error, text)
