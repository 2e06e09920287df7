"""The rows: what goes wrong, and what a resource may truthfully say while it lasts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from exchange_push_operator.adapters.winrm_transport import Timeouts
from lab.exchange.faults import set_fault
from lab.exchange.organization import Switches
from lab.exchange.server import ServerFaults
from lab.in_process import Lab
from lab.matrix.stages import EX1, EX2, Column
from lab.winrm_site import PATIENT

Said: TypeAlias = tuple[str, str, str]
"""Condition, status, reason."""

READY: frozenset[Said] = frozenset({("Ready", "True", "Succeeded")})
FOR_GOOD = 10**6
_HASTY = Timeouts(operation=1, read=0.1, connect=5.0)


def ready(status: str, reason: str) -> Said:
    return ("Ready", status, reason)


def stalled(reason: str) -> frozenset[Said]:
    """A person must act."""
    return frozenset({("Stalled", "True", reason), ready("False", reason)})


AWAY = frozenset({ready("Unknown", "Unreachable")})
HANGS = frozenset({ready("Unknown", "Progressing"), ("InSync", "Unknown", "Settling")})
_NOBODY_HAS_IT = frozenset({("CertificateReady", "False", "PrivateKeyMissing")})
# A certificate is made only while every server answers (safety rule 12).
_ALL_MUST_ANSWER: Mapping[str, frozenset[Said]] = {"certificate: none": AWAY}


@dataclass(frozen=True)
class Fault:
    """A row. ``says`` must all be said two intervals after the fault struck, if it lasts.

    ``but`` has the stages in which something else is true. ``anew``: connections, shells and
    processes that are open would not meet the fault, so the next call opens new ones.
    """

    name: str
    switches: Mapping[str, Any] = field(default_factory=dict)
    says: frozenset[Said] = READY
    but: Mapping[str, frozenset[Said]] = field(default_factory=dict)
    servers: tuple[str, ...] = ("",)
    scheme: str = "HTTP"
    anew: bool = False
    timeouts: Timeouts = PATIENT
    also: Callable[[Lab, Column], None] | None = None

    def expected(self, column: Column) -> frozenset[Said]:
        """What is true of this stage under this fault."""
        return self.but.get(column.name, self.says)

    @property
    def away(self) -> frozenset[str]:
        """Servers that nobody can be told anything of, by their short names."""
        down = self.servers if "down" in self.switches else ()
        return frozenset(name.partition(".")[0].upper() for name in down)

    def strike(self, outside: Lab, column: Column) -> None:
        """Throw the switches."""
        for name, value in self.switches.items():
            for server in self.servers:
                set_fault(outside.organization, name, value, server)
        if self.also is not None:
            self.also(outside, column)

    def end(self, outside: Lab) -> None:
        """Put every switch back."""
        for kind in (ServerFaults(), Switches()):
            for name in kind.__slots__:
                set_fault(outside.organization, name, getattr(kind, name))
        set_fault(outside.organization, "replication_lag_seconds", 0)


def _stuck(outside: Lab, column: Column) -> None:
    set_fault(outside.organization, "stuck_cmdlet", column.mends)


def _denied(outside: Lab, column: Column) -> None:
    set_fault(outside.organization, "denied_cmdlets", [column.needs])


def _lose_certificate(outside: Lab, _column: Column) -> None:
    """The certificate goes from one store, and Exchange does not bring it back."""
    set_fault(outside.organization, "distributes_key", value=False)
    outside.organization.server(EX2).store.pop(outside.exchange()["authConfig"]["current"], None)


def _lasting(name: str, switch: Mapping[str, Any], says: frozenset[Said], **options: Any) -> Fault:
    """A fault that meets who opens a connection, or a shell, and lasts until it is cured."""
    return Fault(name, switch, says, anew=True, **options)


FAULTS = (
    _lasting("connection refused", {"refused": True}, AWAY),
    _lasting("name does not resolve", {"unresolvable": True}, AWAY),
    _lasting("TLS: another CA", {"tls": "other_ca"}, stalled("AccessDenied"), scheme="HTTPS"),
    _lasting("TLS: another name", {"tls": "other_name"}, stalled("AccessDenied"), scheme="HTTPS"),
    _lasting("TLS: expired", {"tls": "expired"}, stalled("AccessDenied"), scheme="HTTPS"),
    _lasting("401", {"unauthorized": True}, stalled("AccessDenied")),
    Fault("400 after idle", {"http_400": 1}),
    Fault("500, twice", {"http_500": 2}),
    Fault("500, for good", {"http_500": FOR_GOOD}, AWAY),
    Fault("503, twice", {"http_503": 2}),
    Fault("503, for good", {"http_503": FOR_GOOD}, AWAY),
    _lasting("quota used up", {"quota": True}, frozenset({ready("Unknown", "Throttled")})),
    _lasting("Create: operation timeout", {"create_timeout": FOR_GOOD}, AWAY),
    _lasting("Create: no answer, once", {"create_hangs": 1}, READY, timeouts=_HASTY),
    _lasting("Create: no answer, for good", {"create_hangs": FOR_GOOD}, AWAY, timeouts=_HASTY),
    Fault("shell gone", {"lose_shells": 1}),
    Fault("killed before a change", {"die_before_change": 1}),
    Fault("killed during a change", {"die_after_change": 1}),
    Fault("killed after a change", {"die_after_answer": 1}),
    Fault("answer lost", {"lost_answers": 1}),
    Fault("answer torn in UTF-8", {"torn_answers": 1}),
    Fault("Send failed", {"send_fault": 1}),
    Fault("Send reported failed, delivered", {"send_fault_delivered": 1}),
    Fault(
        "cmdlet hangs",
        says=HANGS,
        but={"key in Entra ID": AWAY, "proxy": AWAY},  # the look hangs
        also=_stuck,
    ),
    Fault("second hop refused", {"second_hop_refused": True}, stalled("SecondHopFailed")),
    Fault("cmdlet not granted", says=stalled("AccessDenied"), also=_denied),
    Fault(
        "first of two servers down",
        {"down": True},
        servers=(EX1,),
        but={**_ALL_MUST_ANSWER, "certificate: not on one": _NOBODY_HAS_IT},
    ),
    Fault("second of two servers down", {"down": True}, servers=(EX2,), but=_ALL_MUST_ANSWER),
    Fault("replication lag of 90 s", {"replication_lag_seconds": 90}),
    Fault(
        "certificate lost on one server",
        # Exchange is given time to hand a certificate out that has just become current.
        but={"certificate: none": frozenset({("CertificateReady", "Unknown", "Settling")})},
        also=_lose_certificate,
    ),
    Fault(
        "clocks 10 minutes ahead",
        {"clock_skew": 600.0},
        frozenset({ready("False", "ClockDiffers"), ("Verified", "False", "ClockDiffers")}),
    ),
    Fault("clocks 10 minutes behind", {"clock_skew": -600.0}),
)
