"""What trying the chain out on a server gave."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ProbeState(StrEnum):
    """As shown in status.servers[].probe."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    GONE = "ServiceGone"
    NOT_AVAILABLE = "NotAvailable"
    NOT_RUN = "NotRun"


@dataclass(frozen=True, slots=True)
class Probe:
    """A result. ``error`` is the server's own text, scrubbed; "" for a success."""

    state: ProbeState
    error: str = ""
