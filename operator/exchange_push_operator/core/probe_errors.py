"""What the words of a failed probe say of its cause.

Matched are codes that stand in a text in every language (AADSTS numbers, HTTP status numbers, names
of .NET exceptions) and words that Microsoft's token services write in English wherever the server
stands. Nothing is changed on the strength of them: they choose a reason and its cure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from exchange_push_operator.core.reasons import Reason

# The first that is found counts.
_PATTERNS: tuple[tuple[re.Pattern[str], Reason], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), reason)
    for pattern, reason in (
        (r"missing signing certificate", Reason.SIGNING_CERTIFICATE_MISSING),
        (r"AADSTS700024\b", Reason.CLOCK_DIFFERS),
        (r"AADSTS700027\b|\[Reason - The key ", Reason.SIGNING_KEY_REFUSED),
        (r"user-context", Reason.USER_CONTEXT_REFUSED),
        (r"AADSTS\d+|unable to get the token from auth server", Reason.TOKEN_REFUSED),
        (r"\((?:404|410)\)", Reason.SERVICE_GONE),
        (r"\(401\)", Reason.PUSH_UNAUTHORIZED),
        (r"\(403\)", Reason.PUSH_FORBIDDEN),
        # Any answer would stand there with its number.
        (r"^(?!.*\([1-5]\d\d\)).*\bSystem\.Net\.(?:Web|Sockets\.Socket|Http\.HttpRequest)Exception",
         Reason.NO_CONNECTION),
    )
)  # fmt: skip

CURES: Mapping[Reason, str] = {
    Reason.HEALTH_MANAGER_STOPPED: "MSExchangeHM is not running, so nothing can be probed; start "
    "it and find out what stopped it",
    Reason.COMPONENT_INACTIVE: "the component PushNotificationsProxy is not active; "
    "Set-ServerComponentState <server> -Component PushNotificationsProxy -State Active "
    "-Requester <who set it>",
    Reason.SIGNING_CERTIFICATE_MISSING: "the server has not the current Auth certificate with its "
    "private key, or did not read AuthConfig yet",
    Reason.CLOCK_DIFFERS: "the token service finds the server's assertion outside its time; set "
    "the server's clock",
    Reason.SIGNING_KEY_REFUSED: "the token service does not know the key that the server signs "
    "with, or knows it as expired; the principal may need minutes to show a new key",
    Reason.USER_CONTEXT_REFUSED: "the token service does not know the user that the token names",
    Reason.TOKEN_REFUSED: "the token service gives the server no token",
    Reason.PUSH_UNAUTHORIZED: "the push service does not accept the server's token (HTTP 401)",
    Reason.PUSH_FORBIDDEN: "the push service, or a proxy on the way, forbids the call (HTTP 403)",
    Reason.NO_CONNECTION: "the server does not reach Microsoft 365; check name resolution, the "
    "firewall and Set-ExchangeServer -InternetWebProxy",
    Reason.PROBE_FAILED: "the probe failed",
}
"""What each reason that somebody can cure says, the one that explains most first."""


def cause(text: str, token: str | None) -> Reason:
    """Why a probe failed, by its own words and those of Test-OAuthConnectivity.

    ``token`` is "" where that test got a token, its words where it did not, None where it was not
    run. A server without a token cannot even ask the push service, so the token's trouble counts.
    """
    if token:
        return _matching(token) or _matching(text) or Reason.TOKEN_REFUSED
    return _matching(text) or Reason.PROBE_FAILED


def _matching(text: str) -> Reason | None:
    one_line = " ".join(text.split())
    return next((reason for pattern, reason in _PATTERNS if pattern.search(one_line)), None)
