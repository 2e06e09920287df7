"""The open questions: what only a real server can settle, and who answers each. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from exchange_push_operator.selftest import about_exchange, about_winrm
from exchange_push_operator.selftest.evidence import Evidence
from exchange_push_operator.selftest.finding import Finding, still_open


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, by its stable name."""

    name: str
    asks: str
    answer: Callable[[Evidence], Finding]


def _by_hand(text: str) -> Callable[[Evidence], Finding]:
    return lambda _evidence: still_open(text)


QUESTIONS = (
    Question("host-starts", "Does the host script start under WinRS?", about_winrm.host),
    Question("second-hop", "Does the inner Exchange session open?", about_exchange.session),
    Question("looks", "Are all looks granted?", about_exchange.granted),
    Question(
        "auth-config",
        "Has Get-AuthConfig the properties and types we read?",
        about_exchange.auth_config,
    ),
    Question(
        "proxy-look", "What does Enable-PushNotificationProxy -WhatIf show?", about_exchange.proxy
    ),
    Question(
        "probe-exists", "Does PushNotifications.Proxy exist here?", about_exchange.probe_exists
    ),
    Question("probe-runs", "What does the probe answer?", about_exchange.probe_runs),
    Question(
        "not-found", "What error is a certificate that is not there?", about_exchange.not_found
    ),
    Question(
        "certificates",
        "Does Get-ExchangeCertificate give DER and key?",
        about_exchange.certificates,
    ),
    Question("true-build", "Which build is it truly?", about_exchange.build),
    Question(
        "transport", "Can the internal transport certificate be read?", about_exchange.transport
    ),
    Question("starts", "Are the starts of services and pools seen?", about_exchange.starts),
    Question("roles", "Which management roles have the cmdlets?", about_exchange.roles),
    Question("quotas", "Do WinRM's quotas suffice?", about_winrm.quotas),
    Question(
        "dead-process", "What says a Send to a process that has ended?", about_winrm.dead_process
    ),
    Question(
        "gone-shell", "What says a Receive from a shell that is gone?", about_winrm.gone_shell
    ),
    Question("idle", "What happens after three idle minutes?", about_winrm.idle),
    Question(
        "expired",
        "Does the session open with an expired Auth certificate?",
        _by_hand("run this where it has expired, and look at second-hop"),
    ),
    Question(
        "writes",
        "New-ExchangeCertificate -Services None, a second auth server of one realm",
        _by_hand("a write; try it on a test organization"),
    ),
    Question(
        "iis-down",
        "What error is a stopped W3SVC, and a restarted WinRM?",
        _by_hand("run this while the service is stopped, on a server that can be spared"),
    ),
)
