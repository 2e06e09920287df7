"""A change as an administrator makes it: a cmdlet, or a Graph call with az or with PowerShell."""

from __future__ import annotations

import json
import shlex

from exchange_push_operator.core.commands import GraphRequest, quoted
from exchange_push_operator.core.plan import Step

_LONGEST = 16384  # as in the CRD


def command(graph: str, step: Step) -> str:
    """The cmdlet; or the call, and the same as lines for az and PowerShell.

    Of a principal with too many keys for that, the call alone, or what it changes.
    """
    forms = [step.spelled_out]
    if isinstance(step.command, GraphRequest):
        forms += lines(graph, step.command)
    whole = "\n".join(forms)
    fitting = (text for text in (whole, forms[0]) if len(text) <= _LONGEST)
    return next(fitting, step.text[:_LONGEST])


def lines(graph: str, request: GraphRequest) -> tuple[str, str]:
    """One line for a POSIX shell with ``az``, one for PowerShell with Microsoft.Graph.

    ``graph`` is ``https://host`` of the cloud. The body is ASCII: no quotation mark but the plain
    one has a meaning in it, for either shell.
    """
    url, body = f"{graph}/v1.0/{request.path}", json.dumps(request.body, separators=(",", ":"))
    az = f"az rest --method {request.method} --url {shlex.quote(url)}"
    powershell = f"Invoke-MgGraphRequest -Method {request.method} -Uri {quoted(url)}"
    return (
        f"{az} --headers Content-Type=application/json --body {shlex.quote(body)}",
        f"{powershell} -ContentType 'application/json' -Body {quoted(body)}",
    )
