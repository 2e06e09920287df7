"""What to do about a finding whose own message does not end with it. Pure.

docs/reasons.md has more of each; commands are Microsoft's ("Deploy dedicated Exchange hybrid app",
MonitorExchangeAuthCertificate.ps1).
"""

from __future__ import annotations

from collections.abc import Mapping

from exchange_push_operator.core.plan import Advisory, Plan
from exchange_push_operator.core.probe_errors import CURES
from exchange_push_operator.core.reasons import Reason

_RENEW = "stage the next one (MonitorExchangeAuthCertificate.ps1, or certificate.policy Manage)"
_WAIT = "assess again in a few minutes"
_OF_REASON: Mapping[Reason, str] = {
    Reason.NOT_YET_VALID: "wait for its first day, or check the clocks of the servers",
    Reason.IN_MAINTENANCE: "end the maintenance, then assess again",
    Reason.SETTLING: _WAIT,
    Reason.WAITS_FOR_KEY: "see PrincipalCredentialReady",
    Reason.SERVICES_STALE: "start MSExchangeServiceHost there",
    Reason.THROTTLED: _WAIT,
    Reason.ROLL_OVER_DUE: _RENEW,
}
_OF_ADVISORY: Mapping[str, str] = {
    "SharedPrincipalDeprecated": "move to the dedicated hybrid application: "
    "ConfigureExchangeHybridApplication.ps1 makes it, docs/principals.md has the order",
    "ForeignKeys": "find out whose they are; where nobody's, remove each from the shared principal "
    "with ConfigureExchangeHybridApplication.ps1 -ResetFirstPartyServicePrincipalKeyCredentials "
    "-CertificateInformation <thumbprint>, from an application with az ad app credential delete",
    "NextCertificateMissing": "import it on a server, or stage another one (Set-AuthConfig)",
    "NextKeyMissing": "import it there, with its private key, before it becomes current",
    "KeyEndsBeforeCertificate": "add a key with a later end before that day; the operator does",
    "UnlistedServers": "add them to spec.exchange.servers",
    "ServersAway": "bring them back, then assess again",
    "ServersInMaintenance": "end the maintenance, then assess again",
    "Sha1Certificate": "replace it: " + _RENEW,
    "RollOverWaits": "bring back what it waits for",
    "SupersededKeys": "nothing by hand: the operator removes them",
}
_OF_PROBE: Mapping[Reason, str] = {
    Reason.SIGNING_CERTIFICATE_MISSING: "import the current Auth certificate there with its "
    "private key; where it is there, Restart-Service MSExchangeServiceHost",
    Reason.CLOCK_DIFFERS: "set the server's clock (w32tm /resync)",
    Reason.SIGNING_KEY_REFUSED: "add the key of the current Auth certificate to the principal",
    Reason.USER_CONTEXT_REFUSED: "check accepted domains and directory synchronisation",
    Reason.TOKEN_REFUSED: "put AuthServerReady and PrincipalCredentialReady right; else look the "
    "AADSTS number up, and run Test-OAuthConnectivity -Verbose on the server",
    Reason.PUSH_UNAUTHORIZED: "check that the proxy's organization is a domain of the tenant",
    Reason.PUSH_FORBIDDEN: "let the server through the web proxy without a sign-in",
    Reason.NO_CONNECTION: "check name resolution, firewall, Set-ExchangeServer -InternetWebProxy",
    Reason.SERVICE_GONE: "consider spec.proxy.state Unmanaged",
    Reason.PROBE_FAILED: "docs/troubleshooting.md, Verification",
}
# Their text in CURES, which is that of the stage, says what to do.
_COMPLETE = frozenset({Reason.CLOCK_DIFFERS, Reason.NO_CONNECTION})


def of_stage(plan: Plan) -> str:
    """What the operator would do, or a person has to; "" where the message says it itself."""
    if plan.steps:
        acts = ", ".join(f"{step.action} ({step.target})" for step in plan.steps)
        return f"to do, as spelled out below: {acts}"
    reason = plan.finding.reason
    return _OF_REASON.get(reason) or ("" if reason in _COMPLETE else _OF_PROBE.get(reason, ""))


def of_advisory(advisory: Advisory) -> str:
    """What an administrator can do; "" where the message says it itself."""
    return _OF_ADVISORY.get(advisory.type, "")


def of_try(cause: Reason) -> str:
    """What helps where a server's probe or its request for a token failed."""
    return _OF_PROBE[cause]


def failed_try(cause: Reason) -> str:
    """Why a server gets no token or does not get through, and what helps."""
    if cause in _COMPLETE:
        return CURES[cause]
    return with_cure(CURES.get(cause, "Microsoft 365 does not serve the address"), of_try(cause))


def with_cure(text: str, cure: str) -> str:
    """The message, which ends with what to do."""
    return f"{text}; {cure}" if cure else text
