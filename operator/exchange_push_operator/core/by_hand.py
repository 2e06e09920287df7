"""A Graph call as an administrator sends it: with the Azure CLI, or PowerShell for Graph."""

from __future__ import annotations

import json
import shlex

from exchange_push_operator.core.commands import GraphRequest


def lines(graph: str, request: GraphRequest) -> tuple[str, str]:
    """One line for a POSIX shell with ``az``, one for PowerShell with Microsoft.Graph.

    ``graph`` is ``https://host`` of the cloud. The body is ASCII: no quotation mark but the plain
    one has a meaning in it, for either shell.
    """
    url, body = f"{graph}/v1.0/{request.path}", json.dumps(request.body, separators=(",", ":"))
    az = f"az rest --method {request.method} --url {shlex.quote(url)}"
    powershell = f"Invoke-MgGraphRequest -Method {request.method} -Uri {_single(url)}"
    return (
        f"{az} --headers Content-Type=application/json --body {shlex.quote(body)}",
        f"{powershell} -ContentType 'application/json' -Body {_single(body)}",
    )


def _single(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
